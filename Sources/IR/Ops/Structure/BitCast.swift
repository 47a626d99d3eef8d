import RealModule

/// The same bits as elements of another type of the same width.
public struct BitCast: Op {
  public static let mnemonic = "bit_cast"

  public var element: ElementType

  public init(to element: ElementType) {
    self.element = element
  }

  public init(_ reader: inout AttributeReader) throws {
    self.element = try reader.choice("to")
  }

  public var attributes: [Attribute] { [Attribute("to", .string(element.rawValue))] }

  public var mapsZeroToZero: Bool { true }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x"])
    let x = try checker.tensor(0)
    if x.element.byteCount != element.byteCount || (x.element == .bool) != (element == .bool) {
      throw checker.failure(0, mustBe: "of a type as wide as \(element.rawValue); bool is as wide as itself only")
    }
    return [.tensor(TensorType(element, x.shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let encoded: TensorData
    switch x.storage {
    case .real(let values):
      encoded = TensorData(
        encoding: Tensor<Double>(element: x.element, shape: x.shape, real: values.map { Double($0) }))
    case .integer(let values):
      encoded = TensorData(encoding: Tensor<Double>(element: x.element, shape: x.shape, integer: values))
    }
    return [.tensor(Tensor(TensorData(element: element, shape: x.shape, bytes: encoded.bytes)))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let result = results[0]
    builder.loops(over: result.shape) { builder, index in
      let value = operands[0].load(index)
      let isSame = operands[0].type.element == element
      builder.store(result.buffer, result.offset(index), isSame ? value : .reinterpret(value, LoopType(element)))
    }
  }
}
