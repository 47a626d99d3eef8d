import RealModule

/// The operand repeated along axes of extent 1 and new ones in front, to a shape that it broadcasts to.
public struct Broadcast: Op {
  public static let mnemonic = "broadcast"

  public var shape: [Int]

  public init(shape: [Int]) {
    self.shape = shape
  }

  public init(_ reader: inout AttributeReader) throws {
    self.shape = try reader.integers("shape")
  }

  public var attributes: [Attribute] { [Attribute("shape", .integers(shape))] }

  public var mapsZeroToZero: Bool { true }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x"])
    let x = try checker.tensor(0)
    try checker.checkShape(shape)
    if broadcastShape(x.shape, shape) != shape {
      throw checker.problem("\(x) does not broadcast to [\(checker.list(shape))]")
    }
    return [.tensor(TensorType(x.element, shape, quantization: x.with(shape: shape).quantization))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let strides = broadcastStrides(x.shape, to: shape)
    let maps = zip(shape, strides).map { extent, stride -> AxisMap in (0..<extent).map { $0 * stride } }
    return [.tensor(x.gathered(maps))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let result = results[0]
    builder.loops(over: result.shape) { builder, index in
      builder.store(result.buffer, result.offset(index), operands[0].loadBroadcast(index))
    }
  }
}
