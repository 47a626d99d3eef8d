import RealModule

/// Reals as integers that stand for them, as ONNX's QuantizeLinear: x / scale, rounded to the nearest with ties to even,
/// plus the zero point, clamped to what the integer type holds. NaN becomes the least integer.
///
/// Scales are float32 numbers, and the division is one of float32, in whatever reals are computed. The result's type says
/// what its integers stand for.
public struct Quantize: Op {
  public static let mnemonic = "quantize"

  /// i8, u8, i16 or u16.
  public var element: ElementType
  public var quantization: Quantization

  public init(to element: ElementType, _ quantization: Quantization) {
    self.element = element
    self.quantization = quantization
  }

  public init(_ reader: inout AttributeReader) throws {
    self.element = try reader.choice("to")
    self.quantization = try Quantization(&reader)
  }

  public var attributes: [Attribute] { [Attribute("to", .string(element.rawValue))] + quantization.attributes }

  public var mapsZeroToZero: Bool { quantization.zeroPoints.allSatisfy { $0 == 0 } }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x"])
    let x = try checker.real(0)
    if x.element == .f64 { throw checker.failure(0, mustBe: "a tensor of f32, f16 or bf16") }
    try checker.requireQuantizedResult(element)
    if let problem = quantization.problem(element, shape: x.shape) { throw checker.problem(problem) }
    return [.tensor(TensorType(element, x.shape, layout: x.layout, quantization: quantization))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    guard let range = element.integerRange else { preconditionFailure("typing wants integers") }
    let integers = quantized(x.real, shape: x.shape, quantization, range)
    return [.tensor(Tensor(element: element, shape: x.shape, integer: integers))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let result = results[0]
    let type = x.computingType
    guard let range = element.integerRange else { preconditionFailure("typing wants integers") }
    quantization.buildLoops(&builder, over: x.shape) { builder, index, scale, zero in
      let steps = LoopValue.unary(.round, x.loadComputing(index) / .literal(scale, type))
      let integer = Quantization.integer(steps: steps, type, zeroPoint: zero, range, as: element)
      builder.store(result.buffer, result.offset(index), integer)
    }
  }
}

@specialized(where T == Float)
@specialized(where T == Double)
private func quantized<T: Real & BinaryFloatingPoint & Sendable>(
  _ x: [T], shape: [Int], _ quantization: Quantization, _ range: ClosedRange<Int>
) -> [Int64] {
  let places = quantization.places(in: shape)
  let scales = quantization.scales.map { Float($0) }
  return x.enumerated().map { place, value -> Int64 in
    let entry = places.entry(of: place)
    let steps = (Float(value) / scales[entry]).rounded(.toNearestOrEven)
    return Quantization.integer(steps: steps, zeroPoint: quantization.zeroPoints[entry], range)
  }
}
