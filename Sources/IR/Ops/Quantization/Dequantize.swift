import RealModule

/// What integers stand for, as ONNX's DequantizeLinear: (q - zero point) * scale in float32. The difference is exact where
/// the integers have 16 bits or fewer; those of 32 bits have no zero point.
public struct Dequantize: Op {
  public static let mnemonic = "dequantize"

  public var quantization: Quantization

  public init(_ quantization: Quantization) {
    self.quantization = quantization
  }

  public init(_ reader: inout AttributeReader) throws {
    self.quantization = try Quantization(&reader)
  }

  public var attributes: [Attribute] { quantization.attributes }

  public var mapsZeroToZero: Bool { quantization.zeroPoints.allSatisfy { $0 == 0 } }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["q"])
    let q = try checker.tensor(0)
    switch q.element {
    case .i8, .u8, .i16, .u16: break
    case .i32:
      if quantization.zeroPoints.contains(where: { $0 != 0 }) {
        throw checker.problem("integers of 32 bits have the zero point 0")
      }
    case .f32, .f64, .f16, .bf16, .u32, .i64, .u64, .bool:
      throw checker.failure(0, mustBe: "a tensor of i8, u8, i16, u16 or i32")
    }
    if let problem = quantization.problem(q.element, shape: q.shape) { throw checker.problem(problem) }
    if let own = q.quantization, own != quantization {
      throw checker.failure(0, mustBe: "\(quantization), as the attributes say")
    }
    return [.tensor(TensorType(.f32, q.shape, layout: q.layout))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let q = operands[0].tensor
    let reals: [T] = dequantized(q.integer, shape: q.shape, quantization)
    return [.tensor(Tensor(element: .f32, shape: q.shape, real: reals))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let q = operands[0]
    let result = results[0]
    let word = LoopType.i32
    quantization.buildLoops(&builder, over: q.shape) { builder, index, scale, zero in
      let stored = q.load(index)
      let value = q.type.element == .i32 ? stored : .convert(stored, word, saturating: false)
      let difference = zero == 0 ? value : value - .constant(Double(zero), word)
      let real = LoopValue.convert(difference, .f32, saturating: false) * .literal(scale, .f32)
      builder.store(result.buffer, result.offset(index), real)
    }
  }
}

@specialized(where T == Float)
@specialized(where T == Double)
private func dequantized<T: Real & BinaryFloatingPoint & Sendable>(
  _ q: [Int64], shape: [Int], _ quantization: Quantization
) -> [T] {
  let places = quantization.places(in: shape)
  let scales = quantization.scales.map { Float($0) }
  return q.enumerated().map { place, value in
    let entry = places.entry(of: place)
    return T(Float(value - Int64(quantization.zeroPoints[entry])) * scales[entry])
  }
}
