// Circular and hyperbolic functions of float32. As in `LoopMath`, the polynomials are minimax fits of our own, and the
// error beside each function was measured over its whole range.

extension LoopMath {
  /// Quarter turns and the rest of an angle: x = n pi / 2 + r with |r| at most pi / 4, n modulo 4 in float64.
  ///
  /// In float64, pi / 2 in two parts of which the first has 33 bits: exact products up to |x| = 1.6e6, an error of
  /// 1e-16 |x| beyond.
  private static func quarterTurns(
    _ builder: inout LoopBuilder, _ x: LoopValue, _ lanes: Int
  ) -> (quadrant: LoopValue, rest: LoopValue) {
    let double = LoopType(.f64, lanes: lanes)
    func literal(_ value: Double) -> LoopValue { .constant(value, double) }
    let wide = builder.let("wide", double, .convert(x, double, saturating: false))
    let n = builder.let("n", double, .unary(.round, wide * literal(0x1.45f306dc9c883p-1)))
    let high = builder.let("r", double, wide - n * literal(0x1.921fb544p0))
    let low = builder.let("r", double, high - n * literal(0x1.0b4611a626331p-34))
    let quarter = builder.let("quarter", double, .unary(.floor, n * literal(0.25)))
    let quadrant = builder.let("quadrant", double, n - quarter * literal(4))
    let rest = builder.let(
      "r", LoopType(.f32, lanes: lanes), .convert(low, LoopType(.f32, lanes: lanes), saturating: false))
    return (quadrant, rest)
  }

  /// Sine and cosine of an angle of at most pi / 4.
  private static func smallSineAndCosine(
    _ builder: inout LoopBuilder, _ r: LoopValue, _ lanes: Int
  ) -> (sine: LoopValue, cosine: LoopValue) {
    let type = LoopType(.f32, lanes: lanes)
    let square = builder.let("r2", type, r * r)
    let p = polynomial(&builder, square, [-0x1.555546p-3, 0x1.11075cp-7, -0x1.994cfap-13], lanes: lanes)
    let sine = builder.let("sine", type, .fma(square * r, p, r))
    let q = polynomial(
      &builder, square, [0x1.55554ap-5, -0x1.6c0c86p-10, 0x1.9a00ccp-16], lanes: lanes, named: "q")
    let half = builder.let("half", type, .fma(square, .f32(-0.5, lanes: lanes), .f32(1, lanes: lanes)))
    let cosine = builder.let("cosine", type, .fma(square * square, q, half))
    return (sine, cosine)
  }

  /// Masks of the second and fourth quadrant, and of the third and fourth, `ahead` quarter turns further on.
  private static func quadrants(
    _ builder: inout LoopBuilder, _ quadrant: LoopValue, ahead: Double, _ lanes: Int
  ) -> (isOdd: LoopValue, isBehind: LoopValue) {
    let double = LoopType(.f64, lanes: lanes)
    func isEqual(_ value: Double) -> LoopValue {
      let place = (value - ahead).truncatingRemainder(dividingBy: 4)
      return .compare(.equal, quadrant, .constant(place < 0 ? place + 4 : place, double))
    }
    let mask = LoopType.mask(lanes: lanes)
    let isOdd = builder.let("odd", mask, .binary(.or, isEqual(1), isEqual(3)))
    return (isOdd, builder.let("behind", mask, .binary(.or, isEqual(2), isEqual(3))))
  }

  /// Sine: at most 2 ulp or 1e-16 |x| off. NaN of an infinite angle.
  public static func sin(_ builder: inout LoopBuilder, _ x: LoopValue, lanes: Int) -> LoopValue {
    circular(&builder, x, ahead: 0, lanes)
  }

  /// Cosine: at most 2 ulp or 1e-16 |x| off. NaN of an infinite angle.
  public static func cos(_ builder: inout LoopBuilder, _ x: LoopValue, lanes: Int) -> LoopValue {
    circular(&builder, x, ahead: 1, lanes)
  }

  private static func circular(
    _ builder: inout LoopBuilder, _ x: LoopValue, ahead: Double, _ lanes: Int
  ) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let (quadrant, rest) = quarterTurns(&builder, x, lanes)
    let (sine, cosine) = smallSineAndCosine(&builder, rest, lanes)
    let (isOdd, isBehind) = quadrants(&builder, quadrant, ahead: ahead, lanes)
    let value = builder.let("value", type, .select(isOdd, cosine, sine))
    return builder.let("circular", type, .select(isBehind, -value, value))
  }

  /// Tangent: at most 4 ulp or, times 1 + tan^2, 1e-16 |x| off. NaN of an infinite angle.
  public static func tan(_ builder: inout LoopBuilder, _ x: LoopValue, lanes: Int) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let (quadrant, rest) = quarterTurns(&builder, x, lanes)
    let (sine, cosine) = smallSineAndCosine(&builder, rest, lanes)
    let (isOdd, _) = quadrants(&builder, quadrant, ahead: 0, lanes)
    let above = builder.let("above", type, .select(isOdd, -cosine, sine))
    let below = builder.let("below", type, .select(isOdd, sine, cosine))
    return builder.let("tan", type, above / below)
  }

  /// Arcsine of at most 1/2: an odd polynomial.
  private static func smallArcsine(_ builder: inout LoopBuilder, _ x: LoopValue, _ lanes: Int) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let square = builder.let("x2", type, x * x)
    let p = polynomial(
      &builder, square, [0x1.5555cap-3, 0x1.33014ep-4, 0x1.748c64p-5, 0x1.8ba254p-6, 0x1.59daccp-5], lanes: lanes)
    return builder.let("arcsine", type, .fma(square * x, p, x))
  }

  /// The arcsine of |x| if that is at most 1/2, else of sqrt((1 - |x|) / 2); and which of the two it is.
  private static func halvedArcsine(
    _ builder: inout LoopBuilder, _ x: LoopValue, _ lanes: Int
  ) -> (value: LoopValue, isLarge: LoopValue) {
    let type = LoopType(.f32, lanes: lanes)
    let half = LoopValue.f32(0.5, lanes: lanes)
    let size = builder.let("size", type, .unary(.absolute, x))
    let isLarge = builder.let("large", .mask(lanes: lanes), .compare(.greater, size, half))
    let halved = LoopValue.unary(.squareRoot, half - half * size)
    return (smallArcsine(&builder, builder.let("x", type, .select(isLarge, halved, size)), lanes), isLarge)
  }

  /// Arcsine: at most 3 ulp off; NaN beyond 1.
  public static func asin(_ builder: inout LoopBuilder, _ x: LoopValue, lanes: Int) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let (small, isLarge) = halvedArcsine(&builder, x, lanes)
    let large = LoopValue.fma(.f32(-2, lanes: lanes), small, .f32(.pi / 2, lanes: lanes))
    let size = builder.let("size", type, .select(isLarge, large, small))
    return builder.let("asin", type, .select(.compare(.less, x, .f32(0, lanes: lanes)), -size, size))
  }

  /// Arccosine: at most 3 ulp off; NaN beyond 1.
  public static func acos(_ builder: inout LoopBuilder, _ x: LoopValue, lanes: Int) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let (small, isLarge) = halvedArcsine(&builder, x, lanes)
    let negative = builder.let("negative", .mask(lanes: lanes), .compare(.less, x, .f32(0, lanes: lanes)))
    let doubled = builder.let("doubled", type, small + small)
    let large = LoopValue.select(negative, .f32(.pi, lanes: lanes) - doubled, doubled)
    let signed = LoopValue.select(negative, -small, small)
    let middle = LoopValue.f32(.pi / 2, lanes: lanes) - signed
    return builder.let("acos", type, .select(isLarge, large, middle))
  }

  /// Arctangent: at most 3 ulp off. Beyond tan(pi / 8) by (x - 1) / (x + 1), beyond its inverse by -1 / x.
  public static func atan(_ builder: inout LoopBuilder, _ x: LoopValue, lanes: Int) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    func literal(_ value: Double) -> LoopValue { .f32(value, lanes: lanes) }
    let size = builder.let("size", type, .unary(.absolute, x))
    let mask = LoopType.mask(lanes: lanes)
    let isLarge = builder.let("large", mask, .compare(.greater, size, literal(2.414213562373095)))
    let isMiddle = builder.let("middle", mask, .compare(.greater, size, literal(0.4142135623730951)))
    let middle = LoopValue.select(isMiddle, (size - literal(1)) / (size + literal(1)), size)
    let t = builder.let("t", type, .select(isLarge, literal(-1) / size, middle))
    let base = LoopValue.select(
      isLarge, literal(.pi / 2), .select(isMiddle, literal(.pi / 4), literal(0)))
    let square = builder.let("t2", type, t * t)
    let p = polynomial(
      &builder, square, [-0x1.55554ap-2, 0x1.9991a6p-3, -0x1.23b636p-3, 0x1.b1fa16p-4, -0x1.f22b0ep-5], lanes: lanes)
    let value = builder.let("atan", type, base + .fma(square * t, p, t))
    return builder.let("atan", type, .select(.compare(.less, x, literal(0)), -value, value))
  }

  /// Hyperbolic sine: at most 6 ulp off.
  public static func sinh(_ builder: inout LoopBuilder, _ x: LoopValue, lanes: Int) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let square = builder.let("x2", type, x * x)
    let p = polynomial(
      &builder, square, [0x1.555556p-3, 0x1.111136p-7, 0x1.9ffe04p-13, 0x1.7a28a2p-19], lanes: lanes)
    let small = builder.let("small", type, .fma(square * x, p, x))
    let (growing, shrinking) = halfExponentials(&builder, x, lanes)
    let large = builder.let("large", type, growing - shrinking)
    let signed = LoopValue.select(.compare(.less, x, .f32(0, lanes: lanes)), -large, large)
    let isSmall = LoopValue.compare(.less, .unary(.absolute, x), .f32(1, lanes: lanes))
    return builder.let("sinh", type, .select(isSmall, small, signed))
  }

  /// Hyperbolic cosine: at most 6 ulp off.
  public static func cosh(_ builder: inout LoopBuilder, _ x: LoopValue, lanes: Int) -> LoopValue {
    let (growing, shrinking) = halfExponentials(&builder, x, lanes)
    return builder.let("cosh", LoopType(.f32, lanes: lanes), growing + shrinking)
  }

  /// e^|x| / 2 and e^-|x| / 2, the first by its square root so that it overflows no earlier than it must.
  private static func halfExponentials(
    _ builder: inout LoopBuilder, _ x: LoopValue, _ lanes: Int
  ) -> (growing: LoopValue, shrinking: LoopValue) {
    let type = LoopType(.f32, lanes: lanes)
    let half = LoopValue.f32(0.5, lanes: lanes)
    let halved = builder.let("x", type, half * .unary(.absolute, x))
    let root = builder.let("root", type, exp(&builder, halved, lanes: lanes))
    let growing = builder.let("growing", type, half * root * root)
    return (growing, builder.let("shrinking", type, half / root / root))
  }

  /// log(1 + u): at most 3 ulp off for u of at least -1/2; what rounding takes from 1 + u is added back.
  public static func logOnePlus(_ builder: inout LoopBuilder, _ u: LoopValue, lanes: Int) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let one = LoopValue.f32(1, lanes: lanes)
    let sum = builder.let("sum", type, one + u)
    let lost = builder.let("lost", type, u - (sum - one))
    let logarithm = log(&builder, sum, lanes: lanes)
    let corrected = builder.let("log1p", type, logarithm + lost / sum)
    let infinite = LoopValue.compare(.equal, sum, .f32(.infinity, lanes: lanes))
    return builder.let("log1p", type, .select(infinite, logarithm, corrected))
  }

  /// From this |x| on, |x| + 1 and sqrt(x^2 + 1) are |x|.
  private static let hugeSize = 1e9

  /// log(2 |x|) if |x| is that large, else log(1 + u).
  private static func areaLogarithm(
    _ builder: inout LoopBuilder, _ size: LoopValue, _ u: LoopValue, _ lanes: Int
  ) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let isHuge = builder.let(
      "huge", .mask(lanes: lanes), .compare(.greater, size, .f32(hugeSize, lanes: lanes)))
    let chosen = builder.let("u", type, .select(isHuge, size, u))
    let value = logOnePlus(&builder, chosen, lanes: lanes)
    return builder.let("area", type, .select(isHuge, value + .f32(0.6931471805599453, lanes: lanes), value))
  }

  /// Inverse hyperbolic sine: at most 4 ulp off.
  public static func asinh(_ builder: inout LoopBuilder, _ x: LoopValue, lanes: Int) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let one = LoopValue.f32(1, lanes: lanes)
    let size = builder.let("size", type, .unary(.absolute, x))
    let square = builder.let("x2", type, size * size)
    let root = LoopValue.unary(.squareRoot, one + square)
    let u = builder.let("u", type, size + square / (one + root))
    let value = areaLogarithm(&builder, size, u, lanes)
    return builder.let("asinh", type, .select(.compare(.less, x, .f32(0, lanes: lanes)), -value, value))
  }

  /// Inverse hyperbolic cosine: at most 4 ulp off; NaN below 1.
  public static func acosh(_ builder: inout LoopBuilder, _ x: LoopValue, lanes: Int) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let t = builder.let("t", type, x - .f32(1, lanes: lanes))
    let u = builder.let("u", type, t + .unary(.squareRoot, t + t + t * t))
    return areaLogarithm(&builder, x, u, lanes)
  }

  /// Inverse hyperbolic tangent: at most 4 ulp off; infinite at 1 and -1, NaN beyond.
  public static func atanh(_ builder: inout LoopBuilder, _ x: LoopValue, lanes: Int) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let size = builder.let("size", type, .unary(.absolute, x))
    let u = builder.let("u", type, (size + size) / (.f32(1, lanes: lanes) - size))
    let value = builder.let("half", type, .f32(0.5, lanes: lanes) * logOnePlus(&builder, u, lanes: lanes))
    return builder.let("atanh", type, .select(.compare(.less, x, .f32(0, lanes: lanes)), -value, value))
  }
}
