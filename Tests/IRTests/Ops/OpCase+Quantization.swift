import IR

extension OpCase {
  /// Quantised tensors. Reals reach beyond what the integers hold, to both sides.
  static let quantization: [OpCase] = pairs + products + results

  private static func quantized(_ scale: Double, _ zeroPoint: Int) -> Quantization {
    Quantization(scales: [scale], zeroPoints: [zeroPoint])
  }

  private static let alongChannels = Quantization(
    scales: [0.25, 0.125, 0.0625], zeroPoints: [3, -7, 0], axis: 1)

  private static let pairs: [OpCase] = [
    OpCase("quantize", Quantize(to: .i8, quantized(0.015625, -5)), [.tensor([2, 3, 7], -3...3)]),
    OpCase("quantize ties", Quantize(to: .i8, quantized(2, 1)), [.typed(.f32, [4, 9], -9...9)]),
    OpCase("quantize to u8", Quantize(to: .u8, quantized(0.03125, 200)), [.tensor([2, 9], -9...9)]),
    OpCase("quantize to i16", Quantize(to: .i16, quantized(0.0001220703125, 0)), [.tensor([2, 9], -9...9)]),
    OpCase("quantize to u16", Quantize(to: .u16, quantized(0.0001220703125, 32768)), [.tensor([2, 9], -9...9)]),
    OpCase("quantize channels", Quantize(to: .i8, alongChannels), [.tensor([2, 3, 5], -9...9)]),
    OpCase("quantize halves", Quantize(to: .u8, quantized(0.0625, 128)), [.typed(.f16, [3, 7], -9...9)]),
    OpCase("dequantize", Dequantize(quantized(0.015625, -5)), [.typed(.i8, [2, 3, 7], -128...127)]),
    OpCase("dequantize u8", Dequantize(quantized(0.3125, 128)), [.typed(.u8, [2, 3, 7], 0...255)]),
    OpCase("dequantize i16", Dequantize(quantized(0.3125, -1000)), [.typed(.i16, [9], -32768...32767)]),
    OpCase("dequantize u16", Dequantize(quantized(0.3125, 1000)), [.typed(.u16, [9], 0...65535)]),
    OpCase("dequantize i32", Dequantize(quantized(0.00390625, 0)), [.typed(.i32, [9], -100000...100000)]),
    OpCase("dequantize channels", Dequantize(alongChannels), [.typed(.i8, [2, 3, 5], -128...127)]),
  ]

  private static let results: [OpCase] = [
    OpCase(
      "requantize", Requantize(to: .i8, quantized(0.5, -7), axis: 1, bounds: -128...127),
      [.typed(.i32, [2, 3, 5], -9000...9000), .tensor([3], 0.001...0.1)]),
    OpCase(
      "requantize with an activation", Requantize(to: .u8, quantized(0.5, 30), axis: 2, bounds: 30...200),
      [.typed(.i32, [2, 3, 5], -9000...9000), .tensor([5], 0.001...0.1)]),
    OpCase(
      "requantize by one multiplier", Requantize(to: .i16, quantized(0.5, 0), axis: 0, bounds: -32768...32767),
      [.typed(.i32, [9], -2000000...2000000), .tensor([1], 0.5...0.5)]),
    OpCase("lookup", Lookup(quantized(0.5, 3)), [.typed(.i8, [2, 3, 7], -128...127), .typed(.i8, [256], -128...127)]),
    OpCase("lookup of u8", Lookup(nil), [.typed(.u8, [2, 3, 7], 0...255), .tensor([256], -2...2)]),
  ]

  private static func product(
    _ name: String, _ element: ElementType, x: [Int], weight: [Int], _ other: ElementType = .i8, bias: Bool = true,
    zeroPoint: Int, strides: [Int] = [1, 1], padding: [Int] = [0, 0, 0, 0], dilation: [Int] = [1, 1], groups: Int = 1
  ) -> OpCase {
    let geometry = Conv2D(strides: strides, padding: padding, dilation: dilation, groups: groups)
    let range: ClosedRange<Double> = element == .u8 ? 0...255 : -128...127
    let operands: [Operand] =
      [.typed(element, x, range), .typed(other, weight, -127...127)]
      + (bias ? [.typed(.i32, [weight[0]], -5000...5000)] : [])
    return OpCase(name, IntegerConv2D(geometry, zeroPoint: zeroPoint), operands)
  }

  private static let products: [OpCase] = [
    product("integer conv pointwise", .i8, x: [2, 5, 4, 7], weight: [6, 5, 1, 1], zeroPoint: -3),
    product(
      "integer conv 3x3", .u8, x: [2, 3, 6, 7], weight: [5, 3, 3, 3], zeroPoint: 117, strides: [2, 2],
      padding: [1, 1, 1, 1]),
    product(
      "integer conv depthwise", .i8, x: [2, 5, 6, 7], weight: [5, 1, 3, 5], bias: false, zeroPoint: 0,
      strides: [2, 1], padding: [1, 2, 1, 2], groups: 5),
    product(
      "integer conv grouped", .i8, x: [1, 6, 5, 4], weight: [9, 2, 3, 2], .i16, zeroPoint: 5, padding: [0, 1, 2, 0],
      dilation: [2, 1], groups: 3),
    product("integer conv of words", .i32, x: [1, 3, 5, 4], weight: [2, 3, 2, 2], .i32, zeroPoint: 0),
  ]
}
