import RealModule

/// Whether each float is an infinity of one of the given signs.
public struct IsInfinite: MixedElementwiseOp {
  public static let mnemonic = "is_infinite"
  public static let operandNames = ["x"]

  public var positive: Bool
  public var negative: Bool

  public init(positive: Bool = true, negative: Bool = true) {
    self.positive = positive
    self.negative = negative
  }

  public init(_ reader: inout AttributeReader) throws {
    self.positive = try reader.bool("positive")
    self.negative = try reader.bool("negative")
  }

  public var attributes: [Attribute] {
    [Attribute("positive", .bool(positive)), Attribute("negative", .bool(negative))]
  }

  public var mapsZeroToZero: Bool { true }

  public func resultElement(_ operands: OperandElements) throws -> ElementType {
    _ = try operands.float(0)
    return .bool
  }

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(
    _ x: [ElementValue<T>], _ elements: [ElementType]
  ) -> ElementValue<T> {
    let value = x[0].real
    return .integer(value.isInfinite && (value > 0 ? positive : negative) ? 1 : 0)
  }

  public func buildScalar(_ builder: inout LoopBuilder, _ x: [LoopValue], _ elements: [ElementType]) -> LoopValue {
    let type = LoopType(elements[0].computing)
    func isEqual(_ value: Double) -> LoopValue { .compare(.equal, x[0], .constant(value, type)) }
    switch (positive, negative) {
    case (true, true): return .binary(.or, isEqual(.infinity), isEqual(-.infinity))
    case (true, false): return isEqual(.infinity)
    case (false, true): return isEqual(-.infinity)
    // For neither sign: differs from itself and equals itself, which is never true.
    case (false, false): return .binary(.and, isEqual(.infinity), isEqual(-.infinity))
    }
  }
}
