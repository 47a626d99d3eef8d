import RealModule

/// Bits of integers combined, or bools.
public struct Bitwise: MixedElementwiseOp {
  public static let mnemonic = "bitwise"
  public static let operandNames = ["a", "b"]

  public enum Kind: String, CaseIterable, Hashable, Sendable {
    case and
    case or
    case xor
  }

  public var kind: Kind

  public init(_ kind: Kind) {
    self.kind = kind
  }

  public init(_ reader: inout AttributeReader) throws {
    self.kind = try reader.choice("kind")
  }

  public var attributes: [Attribute] { [Attribute("kind", .string(kind.rawValue))] }

  public var mapsZeroToZero: Bool { true }

  public func resultElement(_ operands: OperandElements) throws -> ElementType {
    let element = try operands.any(0)
    if element.isFloat { throw operands.failure(0, mustBe: "a tensor of integers or bool") }
    try operands.same(1, as: 0)
    return element
  }

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(
    _ x: [ElementValue<T>], _ elements: [ElementType]
  ) -> ElementValue<T> {
    let (a, b) = (x[0].integer, x[1].integer)
    switch kind {
    case .and: return .integer(a & b)
    case .or: return .integer(a | b)
    case .xor: return .integer(a ^ b)
    }
  }

  public func buildScalar(_ builder: inout LoopBuilder, _ x: [LoopValue], _ elements: [ElementType]) -> LoopValue {
    let operation: LoopBinary =
      switch kind {
      case .and: .and
      case .or: .or
      case .xor: .xor
      }
    let value = LoopValue.binary(operation, x[0], x[1])
    return elements[0] == .bool ? .compare(.notEqual, value, .constant(0, LoopType(.u8))) : value
  }
}
