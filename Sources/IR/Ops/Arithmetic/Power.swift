import RealModule

/// a to the power b, as C's `pow` has it: NaN for a negative base and an exponent that is not an integer; x^0 and 1^x
/// are 1; an odd power of minus zero has its sign. Powers of integers wrap around, and are rounded towards zero if the
/// exponent is negative.
public struct Power: BinaryOp, ArithmeticOp, IntegerElementwiseOp, ParameterlessOp {
  public static let mnemonic = "power"

  public init() {}

  public func apply<T: Real & BinaryFloatingPoint & Sendable>(_ a: T, _ b: T) -> T {
    if b == 0 || a == 1 { return 1 }
    if a.isNaN || b.isNaN { return T.nan }
    // Squares and roots are what models raise to; they are exact to half an ulp.
    if b == 1 { return a }
    if b == 2 { return a * a }
    if b == T(0.5) && a > 0 { return a.squareRoot() }
    let grows = (abs(a) > 1) == (b > 0)
    let magnitude: T
    if abs(a) == 1 {
      magnitude = 1
    } else if a == 0 || a.isInfinite || b.isInfinite {
      magnitude = grows ? T.infinity : 0
    } else {
      magnitude = T.pow(abs(a), b)
    }
    if a.sign == .plus { return magnitude }
    if a.isFinite && a != 0 && b.rounded() != b { return T.nan }
    let isOdd = b.rounded() == b && (b / 2).rounded() != b / 2
    return isOdd ? -magnitude : magnitude
  }

  /// e^(b log|a|), with the sign of an odd power, and exactly for the exponents 0, 1, 2 and 1/2 and the base 1.
  public func buildReal(_ builder: inout LoopBuilder, _ operands: [LoopValue], _ type: LoopType) -> LoopValue {
    let a = operands[0]
    let b = operands[1]
    func literal(_ value: Double) -> LoopValue { .literal(value, type) }
    func isEqual(_ x: LoopValue, _ y: LoopValue) -> LoopValue { .compare(.equal, x, y) }

    func isBoth(_ x: LoopValue, _ y: LoopValue) -> LoopValue { .binary(.and, x, y) }
    let mask = LoopType.mask(lanes: type.lanes)
    let infinity = literal(.infinity)

    // The logarithm gets neither zero nor infinity: those bases are handled separately below.
    let size = builder.let("size", type, .unary(.absolute, a))
    let isZero = builder.let("is_zero", mask, isEqual(a, literal(0)))
    let isInfinite = builder.let("is_infinite", mask, isEqual(size, infinity))
    let isExtreme = builder.let("is_extreme", mask, .binary(.or, isZero, isInfinite))
    let inner = builder.let("inner", type, .select(isExtreme, literal(1), size))
    let logarithm = LoopMath.log(&builder, inner, type)
    let exponent = builder.let("exponent", type, b * logarithm)
    let power = LoopMath.exp(&builder, exponent, type)
    let isPositive = builder.let("is_positive", mask, .compare(.greater, b, literal(0)))
    let grows = LoopValue.select(isPositive, infinity, literal(0))
    let shrinks = LoopValue.select(isPositive, literal(0), infinity)
    let atExtreme = LoopValue.select(isInfinite, grows, .select(isZero, shrinks, power))
    let magnitude = builder.let("magnitude", type, .select(isEqual(size, literal(1)), literal(1), atExtreme))

    // A base counts as negative if its reciprocal is negative, as minus zero's is.
    let half = builder.let("half", type, b * literal(0.5))
    let isWhole = builder.let("is_whole", mask, isEqual(.unary(.floor, b), b))
    let isOdd = isBoth(isWhole, .compare(.notEqual, .unary(.floor, half), half))
    let signed = builder.let("signed", type, .select(isOdd, -magnitude, magnitude))
    let isReal = LoopValue.binary(.or, isWhole, isExtreme)
    let ofNegative = builder.let("of_negative", type, .select(isReal, signed, literal(.nan)))
    let isNegative = LoopValue.binary(
      .or, .compare(.less, a, literal(0)), .compare(.less, literal(1) / a, literal(0)))
    var result = LoopValue.select(isNegative, ofNegative, magnitude)
    result = .select(.binary(.or, .compare(.notEqual, a, a), .compare(.notEqual, b, b)), a + b, result)
    result = .select(isEqual(b, literal(2)), a * a, result)
    result = .select(isEqual(b, literal(1)), a, result)
    let isRoot = isBoth(isEqual(b, literal(0.5)), .compare(.greater, a, literal(0)))
    result = .select(isRoot, .unary(.squareRoot, a), result)
    return .select(.binary(.or, isEqual(b, literal(0)), isEqual(a, literal(1))), literal(1), result)
  }

  public func apply(_ x: [Int64], _ element: ElementType) -> Int64 {
    let (base, exponent) = (x[0], x[1])
    if element != .u64 && exponent < 0 {
      // 1 / base, to a power: it is less than one unless the base is 1 or -1.
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

  /// Square and multiply, a round for each bit of the exponent. For negative exponents the rounds run over the two's
  /// complement, which is right for the bases 1 and -1: their powers repeat.
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
