import RealModule

/// Bits of unsigned integers moved by `amount` places: zeros come in, and nothing is left if there are as many places
/// as bits.
public struct Shift: MixedElementwiseOp {
  public static let mnemonic = "shift"
  public static let operandNames = ["x", "amount"]

  public enum Direction: String, CaseIterable, Hashable, Sendable {
    /// Towards higher powers of two.
    case left
    case right
  }

  public var direction: Direction

  public init(_ direction: Direction) {
    self.direction = direction
  }

  public init(_ reader: inout AttributeReader) throws {
    self.direction = try reader.choice("direction")
  }

  public var attributes: [Attribute] { [Attribute("direction", .string(direction.rawValue))] }

  public var mapsZeroToZero: Bool { true }

  public func resultElement(_ operands: OperandElements) throws -> ElementType {
    let element = try operands.integer(0)
    if element.isSigned { throw operands.failure(0, mustBe: "a tensor of unsigned integers") }
    try operands.same(1, as: 0)
    return element
  }

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(
    _ x: [ElementValue<T>], _ elements: [ElementType]
  ) -> ElementValue<T> {
    let (bits, amount) = (UInt64(bitPattern: x[0].integer), UInt64(bitPattern: x[1].integer))
    if amount >= UInt64(8 * elements[0].byteCount) { return .integer(0) }
    switch direction {
    case .left: return .integer(Int64(bitPattern: bits << amount))
    case .right: return .integer(Int64(bitPattern: bits >> amount))
    }
  }

  public func buildScalar(_ builder: inout LoopBuilder, _ x: [LoopValue], _ elements: [ElementType]) -> LoopValue {
    let type = LoopType(elements[0])
    let most = LoopValue.constant(Double(8 * elements[0].byteCount - 1), type)
    let operation: LoopBinary =
      switch direction {
      case .left: .shiftLeft
      case .right: .shiftRight
      }
    let shifted = LoopValue.binary(operation, x[0], .minimum(x[1], most))
    return .select(.compare(.greater, x[1], most), .constant(0, type), shifted)
  }
}
