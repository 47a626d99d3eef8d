import RealModule

/// The nearest value of another element type: a float becomes an integer by rounding towards zero and clamping to the
/// type's range, and NaN becomes 0; integers wrap around when they become narrower; a bool says whether a number is not
/// zero.
public struct Cast: MixedElementwiseOp {
  public static let mnemonic = "cast"
  public static let operandNames = ["x"]

  public var element: ElementType

  public init(to element: ElementType) {
    self.element = element
  }

  public init(_ reader: inout AttributeReader) throws {
    self.element = try reader.choice("to")
  }

  public var attributes: [Attribute] { [Attribute("to", .string(element.rawValue))] }

  public var mapsZeroToZero: Bool { true }

  public func resultElement(_ operands: OperandElements) throws -> ElementType {
    _ = try operands.any(0)
    return element
  }

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(
    _ x: [ElementValue<T>], _ elements: [ElementType]
  ) -> ElementValue<T> {
    switch x[0] {
    case .real(let value):
      if element.isFloat { return .real(rounded(value)) }
      if element == .bool { return .integer(value == 0 ? 0 : 1) }
      return .integer(clamped(value))
    case .integer(let value):
      if element.isFloat { return .real(elements[0] == .u64 ? real(UInt64(bitPattern: value)) : real(value)) }
      return .integer(value)
    }
  }

  /// An integer as a float of the type, rounded once.
  private func real<T: BinaryFloatingPoint>(_ value: some BinaryInteger) -> T {
    element == .f64 ? T(value) : T(rounded(Float(value)))
  }

  /// Casting to half floats rounds: dropping the digits they do not hold is the purpose of such a cast.
  private func rounded<T: BinaryFloatingPoint>(_ value: T) -> T {
    switch element {
    case .f16: T(HalfFloat.float(f16: HalfFloat.f16(Float(value))))
    case .bf16: T(HalfFloat.float(bf16: HalfFloat.bf16(Float(value))))
    default: value
    }
  }

  private func clamped<T: BinaryFloatingPoint>(_ value: T) -> Int64 {
    guard !value.isNaN, let range = element.integerRange else { return 0 }
    if element == .u64, value >= 0x1p63 {
      return value >= 0x1p64 ? -1 : Int64(bitPattern: UInt64(value))
    }
    if value <= T(range.lowerBound) { return Int64(range.lowerBound) }
    if value >= T(range.upperBound) { return Int64(range.upperBound) }
    return Int64(value.rounded(.towardZero))
  }

  public func buildScalar(_ builder: inout LoopBuilder, _ x: [LoopValue], _ elements: [ElementType]) -> LoopValue {
    let from = LoopType(elements[0].computing)
    if element == .bool { return .compare(.notEqual, x[0], .constant(0, from)) }
    let to = LoopType(element.computing)
    if from == to { return x[0] }
    // A bool is 0 or 1, which fits any type.
    return .convert(x[0], to, saturating: elements[0].isFloat && !element.isFloat)
  }
}
