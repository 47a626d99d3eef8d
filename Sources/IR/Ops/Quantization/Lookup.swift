import RealModule

/// A function of integers of 8 bits as a table of its 256 values: operands q (i8 or u8) and the table, whose first entry is
/// the value of the least integer. The type says what integers in the table stand for.
public struct Lookup: Op {
  public static let mnemonic = "lookup"

  /// Of the result; nil for entries that are what they are.
  public var quantization: Quantization?

  public init(_ quantization: Quantization?) {
    self.quantization = quantization
  }

  public init(_ reader: inout AttributeReader) throws {
    self.quantization = try reader.has("scales") ? Quantization(&reader) : nil
  }

  public var attributes: [Attribute] { quantization?.attributes ?? [] }

  /// With all operands zero, the table among them.
  public var mapsZeroToZero: Bool { true }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["q", "table"])
    let q = try checker.tensor(0)
    if q.element != .i8 && q.element != .u8 { throw checker.failure(0, mustBe: "a tensor of i8 or u8") }
    let table = try checker.plain(1)
    if table.shape != [256] { throw checker.failure(1, mustBe: "a table of 256 entries") }
    if let quantization {
      if quantization.axis != nil { throw checker.problem("its entries have scales along an axis") }
      if let problem = quantization.problem(table.element, shape: q.shape) { throw checker.problem(problem) }
    }
    return [.tensor(TensorType(table.element, q.shape, layout: q.layout, quantization: quantization))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let q = operands[0].tensor
    let table = operands[1].tensor
    let first = Int64(q.element.integerRange?.lowerBound ?? 0)
    let places = q.integer.map { Int($0 - first) }
    switch table.storage {
    case .real(let values):
      return [.tensor(Tensor(element: table.element, shape: q.shape, real: places.map { values[$0] }))]
    case .integer(let values):
      return [.tensor(Tensor(element: table.element, shape: q.shape, integer: places.map { values[$0] }))]
    }
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let q = operands[0]
    let table = operands[1]
    let result = results[0]
    let first = q.type.element.integerRange?.lowerBound ?? 0
    builder.loops(over: result.shape) { builder, index in
      let value = LoopValue.convert(q.load(index), .i32, saturating: false)
      let place = builder.letIndex("place", range: 0...255, value - .constant(Double(first), .i32))
      builder.store(result.buffer, result.offset(index), table.load([place]))
    }
  }
}
