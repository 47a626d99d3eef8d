import RealModule

/// Whether a relation holds between a and b. Numbers compare by size, bools by equality. With NaN only `not_equal`
/// holds.
public struct Comparison: MixedElementwiseOp {
  public static let mnemonic = "compare"
  public static let operandNames = ["a", "b"]

  public enum Relation: String, CaseIterable, Hashable, Sendable {
    case less
    case lessOrEqual = "less_or_equal"
    case equal
    case notEqual = "not_equal"
    case greaterOrEqual = "greater_or_equal"
    case greater
  }

  public var relation: Relation

  public init(_ relation: Relation) {
    self.relation = relation
  }

  public init(_ reader: inout AttributeReader) throws {
    self.relation = try reader.choice("relation")
  }

  public var attributes: [Attribute] { [Attribute("relation", .string(relation.rawValue))] }

  public var mapsZeroToZero: Bool {
    switch relation {
    case .less, .notEqual, .greater: true
    case .lessOrEqual, .equal, .greaterOrEqual: false
    }
  }

  public func resultElement(_ operands: OperandElements) throws -> ElementType {
    switch relation {
    case .equal, .notEqual: _ = try operands.any(0)
    case .less, .lessOrEqual, .greaterOrEqual, .greater: _ = try operands.number(0)
    }
    try operands.same(1, as: 0)
    return .bool
  }

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(
    _ x: [ElementValue<T>], _ elements: [ElementType]
  ) -> ElementValue<T> {
    let isLess: Bool
    let isEqual: Bool
    let isGreater: Bool
    switch (x[0], x[1]) {
    case (.integer(let a), .integer(let b)):
      (isLess, isEqual, isGreater) = (elements[0].isLess(a, b), a == b, elements[0].isLess(b, a))
    default: (isLess, isEqual, isGreater) = (x[0].real < x[1].real, x[0].real == x[1].real, x[0].real > x[1].real)
    }
    let holds =
      switch relation {
      case .less: isLess
      case .lessOrEqual: isLess || isEqual
      case .equal: isEqual
      case .notEqual: !isEqual
      case .greaterOrEqual: isGreater || isEqual
      case .greater: isGreater
      }
    return .integer(holds ? 1 : 0)
  }

  public func buildScalar(_ builder: inout LoopBuilder, _ x: [LoopValue], _ elements: [ElementType]) -> LoopValue {
    let compare: LoopCompare =
      switch relation {
      case .less: .less
      case .lessOrEqual: .lessOrEqual
      case .equal: .equal
      case .notEqual: .notEqual
      case .greaterOrEqual: .greaterOrEqual
      case .greater: .greater
      }
    return .compare(compare, x[0], x[1])
  }
}
