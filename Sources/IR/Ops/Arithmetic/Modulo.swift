import RealModule

/// The remainder of a divided by b; zero for integers if b is zero. In loops the quotient of floats is at most 2^29:
/// beyond that the remainder would be rounding error.
public struct Modulo: BinaryOp, ArithmeticOp, IntegerElementwiseOp {
  public static let mnemonic = "modulo"

  /// Whose sign the result has.
  public enum Sign: String, CaseIterable, Hashable, Sendable {
    /// As Python's `%`: the quotient is rounded down.
    case divisor
    /// As C's `%` and `fmod`: the quotient is rounded towards zero.
    case dividend
  }

  public var sign: Sign

  public init(sign: Sign) {
    self.sign = sign
  }

  public init(_ reader: inout AttributeReader) throws {
    self.sign = try reader.choice("sign")
  }

  public var attributes: [Attribute] { [Attribute("sign", .string(sign.rawValue))] }

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ a: T, _ b: T) -> T {
    let rest = a.truncatingRemainder(dividingBy: b)
    if sign == .divisor && rest != 0 && (rest < 0) != (b < 0) { return rest + b }
    return rest
  }

  /// In float64, where a quotient of up to 2^29 times a float32 divisor is exact.
  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    let double = LoopType(.f64, lanes: type.lanes)
    let a = builder.let("a", double, .convert(operands[0], double, saturating: false))
    let b = builder.let("b", double, .convert(operands[1], double, saturating: false))
    let zero = LoopValue.constant(0, double)
    let size = builder.let("size", double, .unary(.absolute, b))
    let quotient = builder.let("quotient", double, .unary(.floor, .unary(.absolute, a) / size))
    let first = builder.let("rest", double, .unary(.absolute, a) - quotient * size)
    // The quotient was rounded, so it may be off by one.
    let low = LoopValue.select(.compare(.less, first, zero), first + size, first)
    let inside = builder.let("rest", double, low)
    let high = LoopValue.select(.compare(.greaterOrEqual, inside, size), inside - size, inside)
    let magnitude = builder.let("rest", double, high)
    let signed = builder.let("rest", double, .select(.compare(.less, a, zero), -magnitude, magnitude))
    // With an infinite divisor the remainder is all of a.
    let infinite = LoopValue.compare(.equal, size, .constant(.infinity, double))
    let finite = LoopValue.compare(.less, .unary(.absolute, a), .constant(.infinity, double))
    let rest = builder.let("rest", double, .select(.binary(.and, infinite, finite), a, signed))
    let result: LoopValue
    switch sign {
    case .dividend: result = rest
    case .divisor:
      let negative = LoopValue.binary(
        .xor, .compare(.less, rest, zero), .compare(.less, b, zero))
      let moves = LoopValue.binary(.and, .compare(.notEqual, rest, zero), negative)
      result = .select(moves, rest + b, rest)
    }
    return .convert(result, type, saturating: false)
  }

  public func apply(_ x: [Int64], _ element: ElementType) -> Int64 {
    let (a, b) = (x[0], x[1])
    if b == 0 { return 0 }
    if element == .u64 { return Int64(bitPattern: UInt64(bitPattern: a) % UInt64(bitPattern: b)) }
    let rest = b == -1 ? 0 : a % b
    return sign == .divisor && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest
  }

  public func buildInteger(
    _ builder: inout LoopBuilder, _ operands: [LoopValue], _ element: ElementType
  ) -> LoopValue {
    let type = LoopType(element)
    let (a, b) = (operands[0], operands[1])
    let zero = LoopValue.constant(0, type)
    let rest = builder.let("rest", type, .select(.compare(.equal, b, zero), zero, a - (a / b) * b))
    guard element.isSigned, sign == .divisor else { return rest }
    let differ = LoopValue.binary(.xor, .compare(.less, rest, zero), .compare(.less, b, zero))
    return .select(.binary(.and, .compare(.notEqual, rest, zero), differ), rest + b, rest)
  }
}
