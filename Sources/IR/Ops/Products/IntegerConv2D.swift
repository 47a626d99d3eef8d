import RealModule

/// Two-dimensional cross-correlation of integers, exact in 32 bits: operands x [N, C, H, W], weight [O, C / groups, kh, kw]
/// and, optionally, bias [O] of i32.
///
/// The zero point of x is taken off each element, and padding is the zero point. What x stands for is of no account.
/// Operands of 8 and 16 bits whose products could add up to more than 32 bits hold are refused; sums with operands of
/// 32 bits and with the bias wrap around.
public struct IntegerConv2D: Op {
  public static let mnemonic = "integer_conv2d"

  /// Where windows are and what groups are, as of a convolution of reals.
  public var geometry: Conv2D
  public var zeroPoint: Int

  public init(_ geometry: Conv2D, zeroPoint: Int) {
    self.geometry = geometry
    self.zeroPoint = zeroPoint
  }

  public init(_ reader: inout AttributeReader) throws {
    self.geometry = try Conv2D(&reader)
    self.zeroPoint = try reader.integer("zero_point")
  }

  public var attributes: [Attribute] { geometry.attributes + [Attribute("zero_point", .integer(zeroPoint))] }

  public var mapsZeroToZero: Bool { zeroPoint == 0 }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x", "weight", "bias?"])
    let x = try checker.tensor(0, rank: 4)
    let weight = try checker.tensor(1, rank: 4)
    let ranges = try [x, weight].enumerated().map { place, type -> ClosedRange<Int> in
      guard !type.element.isFloat, let range = type.element.integerRange, type.element.byteCount <= 4,
        type.element != .bool, type.element != .u32
      else { throw checker.failure(place, mustBe: "a tensor of i8, u8, i16, u16 or i32") }
      return range
    }
    if !ranges[0].contains(zeroPoint) {
      throw checker.problem("the zero point is \(zeroPoint), which \(x.element.rawValue) does not hold")
    }
    if checker.has(2), try checker.plain(2).element != .i32 { throw checker.failure(2, mustBe: "a tensor of i32") }
    // The sizes are a convolution's of reals.
    let reals = try operands.indices.map { ValueType.tensor(TensorType(.f32, try checker.tensor($0).shape)) }
    guard let result = try geometry.resultTypes(reals)[0].tensor else { preconditionFailure("a tensor") }
    let depth = weight.shape[1] * weight.shape[2] * weight.shape[3]
    let most = max(ranges[0].upperBound - zeroPoint, zeroPoint - ranges[0].lowerBound)
    let product = most * max(ranges[1].upperBound, -ranges[1].lowerBound)
    if x.element != .i32 && weight.element != .i32 && depth > Int(Int32.max) / max(1, product) {
      throw checker.problem(
        "the sum of \(depth) products of \(x.element.rawValue) and \(weight.element.rawValue) may be more than 32 bits hold"
      )
    }
    return [.tensor(TensorType(.i32, result.shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let weight = operands[1].tensor
    let bias = operands.count > 2 ? operands[2].tensor.integer : nil
    let sizes = geometry.sizes(x: x.shape, weight: weight.shape)
    let differences = x.integer.map { $0 - Int64(zeroPoint) }
    let sums = convolveIntegers(differences, weight.integer, bias, sizes).map { ElementType.i32.wrapped($0) }
    let shape = [x.shape[0], weight.shape[0], sizes.outputHeight, sizes.outputWidth]
    return [.tensor(Tensor(element: .i32, shape: shape, integer: sums))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let weight = operands[1]
    let result = results[0]
    let word = LoopType.i32
    func widened(_ tensor: LoopTensor, _ index: [LoopIndex]) -> LoopValue {
      let stored = tensor.load(index)
      return tensor.type.element == .i32 ? stored : .convert(stored, word, saturating: false)
    }
    let outputsPerGroup = weight.shape[0] / geometry.groups
    let inputsPerGroup = weight.shape[1]
    let window = geometry.window(weight.shape)
    builder.loops(over: result.shape) { builder, index in
      let start = operands.count > 2 ? operands[2].load([index[1]]) : .constant(0, word)
      let sum = builder.register("sum", word, start)
      let firstChannel = index[1] / outputsPerGroup * inputsPerGroup
      builder.loop("c", 0, .constant(inputsPerGroup)) { builder, channel in
        window.buildTaps(
          &builder, height: x.shape[2], width: x.shape[3], oy: index[2], ox: index[3]
        ) { builder, ky, kx, y, x1 in
          let pixel = widened(x, [index[0], firstChannel + channel, y, x1])
          let difference = zeroPoint == 0 ? pixel : pixel - .constant(Double(zeroPoint), word)
          let product = difference * widened(weight, [index[1], channel, ky, kx])
          builder.assign(sum, .variable(sum) + product)
        }
      }
      builder.store(result.buffer, result.offset(index), .variable(sum))
    }
  }
}
