import RealModule

/// a to the power b: NaN for a negative base and an exponent that is not an integer; x^0 is 1. Of integers
/// modulo 2 to their width, and towards zero where the exponent is negative.
public struct Power: BinaryOp, ArithmeticOp, IntegerElementwiseOp, ParameterlessOp {
  public static let mnemonic = "power"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ a: T, _ b: T) -> T {
    if b == 0 { return 1 }
    let magnitude = a == 0 ? (b > 0 ? 0 : T.infinity) : T.pow(abs(a), b)
    // Squares and roots are what models raise to; they are exact to half an ulp.
    let exact = b == 2 ? a * a : b == 1 ? a : b == T(0.5) ? a.squareRoot() : magnitude
    if a >= 0 || b == 2 || b == 1 || b == T(0.5) { return exact }
    if b.rounded() != b { return T.nan }
    let isOdd = (b / 2).rounded() != b / 2
    return isOdd ? -magnitude : magnitude
  }

  /// e^(b log|a|), with the sign of an odd power, and exactly for the exponents 0, 1, 2 and 1/2.
  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    let a = operands[0]
    let b = operands[1]
    func literal(_ value: Double) -> LoopValue { .literal(value, type) }
    func isEqual(_ x: LoopValue, _ y: LoopValue) -> LoopValue { .compare(.equal, x, y) }

    // The logarithm never sees a zero: that base is chosen apart, below.
    let size = builder.let("size", type, .select(isEqual(a, literal(0)), literal(1), .unary(.absolute, a)))
    let logarithm = LoopMath.log(&builder, size, type)
    let exponent = builder.let("exponent", type, b * logarithm)
    let power = LoopMath.exp(&builder, exponent, type)
    let atZero = LoopValue.select(.compare(.greater, b, literal(0)), literal(0), literal(.infinity))
    let magnitude = builder.let("magnitude", type, .select(isEqual(a, literal(0)), atZero, power))

    let half = builder.let("half", type, b * literal(0.5))
    let signed = LoopValue.select(isEqual(.unary(.floor, half), half), magnitude, -magnitude)
    let ofNegative = LoopValue.select(isEqual(.unary(.floor, b), b), signed, literal(.nan))
    var result = LoopValue.select(.compare(.less, a, literal(0)), ofNegative, magnitude)
    result = .select(isEqual(b, literal(2)), a * a, result)
    result = .select(isEqual(b, literal(1)), a, result)
    result = .select(isEqual(b, literal(0.5)), .unary(.squareRoot, a), result)
    return .select(isEqual(b, literal(0)), literal(1), result)
  }

  public func apply(_ x: [Int64], _ element: ElementType) -> Int64 {
    let (base, exponent) = (x[0], x[1])
    if element != .u64 && exponent < 0 {
      // 1 / base, to a power: only of units is that not less than one.
      return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0
    }
    var result: Int64 = 1
    var square = base
    var rest = UInt64(bitPattern: exponent)
    while rest > 0 {
      if rest % 2 == 1 { result = result &* square }
      square = square &* square
      rest /= 2
    }
    return result
  }

  /// Square and multiply, a round for each bit of the exponent. Negative ones run over their two's complement, which
  /// is right for the units: their powers repeat.
  public func buildInteger(
    _ builder: inout LoopBuilder, _ operands: [LoopValue], _ element: ElementType
  ) -> LoopValue {
    let type = LoopType(element)
    func literal(_ value: Double) -> LoopValue { .constant(value, type) }
    let result = builder.register("result", type, literal(1))
    let square = builder.register("square", type, operands[0])
    let rest = builder.register("rest", type, operands[1])
    builder.loop("bit", 0, .constant(8 * element.byteCount)) { builder, _ in
      let isSet = LoopValue.compare(.notEqual, .binary(.and, .variable(rest), literal(1)), literal(0))
      builder.assign(result, .select(isSet, .variable(result) * .variable(square), .variable(result)))
      builder.assign(square, .variable(square) * .variable(square))
      builder.assign(rest, .binary(.shiftRight, .variable(rest), literal(1)))
    }
    guard element.isSigned else { return .variable(result) }
    let size = builder.let("size", type, .unary(.absolute, operands[0]))
    let ofNegative = LoopValue.select(.compare(.equal, size, literal(1)), .variable(result), literal(0))
    return .select(.compare(.less, operands[1], literal(0)), ofNegative, .variable(result))
  }
}
