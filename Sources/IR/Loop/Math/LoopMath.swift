/// Elementary functions of float32 written in the loop language, lane by lane, for kernels and op bodies on every
/// target: only adds, multiplies, fused multiply-adds, comparisons and bit moves, so every target agrees on them.
///
/// Arguments are bound to variables first, since each is used more than once. The polynomials are weighted minimax
/// fits of our own (Lawson's iteration on the exact function in double, coefficients rounded to float32); the error
/// beside each was measured in float32 against double over the whole range and is held by `LoopMathTests`.
public enum LoopMath {
  /// The Gaussian error linear unit in its erf form, x * Phi(x), by the form of Phi that is shortest on this number of
  /// lanes. On 2 to 8 lanes that is a quotient of polynomials: a division takes five cycles on Zen 3 and Ice Lake, no
  /// longer than the multiply-adds it saves, and runs on a port of its own beside them. Elsewhere it is a polynomial:
  /// on one lane a division takes up to twenty cycles, on 16 it takes ten to sixteen.
  ///
  /// Error at most 9.3e-7 * max(1, |x|), and at most 2 ulp for |x| < 0.5, with a fused multiply-add; on at most 8 lanes
  /// 6.5e-7, and without one too.
  public static func gelu(_ builder: inout LoopBuilder, _ x: LoopValue, lanes: Int) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let phi: LoopValue
    if lanes > 8 {
      phi = geluHalves(&builder, x, lanes)
    } else {
      let slope = lanes == 1 ? geluPolynomial(&builder, x, lanes) : geluQuotient(&builder, x, lanes)
      let unlimited = builder.let("phi", type, .fma(x, slope, .f32(0.5, lanes: lanes)))
      phi = .minimum(.maximum(unlimited, .f32(0, lanes: lanes)), .f32(1, lanes: lanes))
    }
    return builder.let("gelu", type, x * phi)
  }

  /// (Phi(x) - 1/2) / x = P(x^2 - 7.5); the shift keeps Horner's rule from cancelling at |x| near 5, where the power
  /// series in x^2 loses five digits, and costs nothing: x * x - 7.5 is one fma.
  private static func geluPolynomial(_ builder: inout LoopBuilder, _ x: LoopValue, _ lanes: Int) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let t = builder.let("t", type, .fma(x, x, .f32(-7.5, lanes: lanes)))
    return polynomial(&builder, t, geluCoefficients, lanes: lanes)
  }

  /// Coefficients of P, lowest power first.
  private static let geluCoefficients: [Double] = [
    0x1.739ae4p-3, -0x1.77e220p-7, 0x1.03b474p-10, -0x1.6060fep-14, 0x1.b773f2p-18, -0x1.ee27d4p-22,
    0x1.f0a216p-26, -0x1.bfc8aap-30, 0x1.7b36c0p-34, -0x1.37e9b6p-38, 0x1.b62e88p-43, -0x1.951ad0p-48,
    0x1.52b16ap-54,
  ]

  /// (Phi(x) - 1/2) / x = P(x^2) / Q(x^2) up to |x| = 5.2. Beyond that the quotient stays constant, and x times it
  /// passes 1/2.
  private static func geluQuotient(_ builder: inout LoopBuilder, _ x: LoopValue, _ lanes: Int) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let t = builder.let("t", type, .minimum(x * x, .f32(27.04, lanes: lanes)))
    let p = polynomial(
      &builder, t,
      [0x1.988452p-2, 0x1.ab5620p-5, 0x1.6ad65cp-8, 0x1.528d12p-12, 0x1.1a9bd0p-18, -0x1.c59266p-27], lanes: lanes)
    let q = polynomial(
      &builder, t, [1, 0x1.309002p-2, 0x1.3affa0p-5, 0x1.68fbb2p-9, 0x1.c0332ap-14], lanes: lanes, named: "q")
    return builder.let("slope", type, p / q)
  }

  /// Phi(x), with x limited to where Phi is 1 up to 7e-7: 1/2 + x P(x^2 - 11.25). The even and the odd powers of P each
  /// go by Horner's rule, since a machine that waits for one chain of twelve multiply-adds has no room to start the
  /// next vectors' (by LLVM's model of Ice Lake 10 to 12 cycles a vector in a product's tile, where one chain takes 11
  /// to 13). The limit is the float32 at which this reaches 0 and 1 up to 1.5e-11, so that the GELU of x far below it
  /// is nearly 0.
  private static func geluHalves(_ builder: inout LoopBuilder, _ x: LoopValue, _ lanes: Int) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let limit = 0x1.346baap2
    let c = builder.let(
      "limited", type, .maximum(.minimum(x, .f32(limit, lanes: lanes)), .f32(-limit, lanes: lanes)))
    let t = builder.let("t", type, .fma(c, c, .f32(-11.25, lanes: lanes)))
    let square = builder.let("t2", type, t * t)
    let even = polynomial(
      &builder, square,
      [0x1.310de8p-3, 0x1.b9a8bep-12, 0x1.f7a270p-20, 0x1.e85814p-28, 0x1.dfced0p-37, 0x1.0f64f4p-44], lanes: lanes,
      named: "even")
    let odd = polynomial(
      &builder, square,
      [-0x1.adac30p-8, -0x1.de52e8p-16, -0x1.fb8490p-24, -0x1.881750p-32, -0x1.c3948ep-41, -0x1.093008p-49],
      lanes: lanes, named: "odd")
    let slope = builder.let("slope", type, .fma(odd, t, even))
    return builder.let("phi", type, .fma(c, slope, .f32(0.5, lanes: lanes)))
  }

  /// e^x: x = n ln 2 + r, e^r by a polynomial, 2^n by its bits in two halves so that results reach into the
  /// subnormals and overflow to infinity.
  public static func exp(_ builder: inout LoopBuilder, _ x: LoopValue, lanes: Int) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let integers = LoopType(.i32, lanes: lanes)
    let clamped = builder.let(
      "x", type, .minimum(.maximum(x, .f32(-104.5, lanes: lanes)), .f32(89.5, lanes: lanes)))
    let n = builder.let("n", type, .unary(.round, clamped * .f32(0x1.715476p0, lanes: lanes)))
    let high = builder.let("r", type, .fma(n, .f32(-0x1.63p-1, lanes: lanes), clamped))
    let r = builder.let("r", type, .fma(n, .f32(0x1.bd0106p-13, lanes: lanes), high))
    let p = polynomial(
      &builder, r, [0.5, 0x1.555554p-3, 0x1.55548cp-5, 0x1.111274p-7, 0x1.6d8e4ap-10, 0x1.9f0798p-13],
      lanes: lanes)
    let square = builder.let("r2", type, r * r)
    let e = builder.let("e", type, .fma(square, p, r + .f32(1, lanes: lanes)))
    let exponent = builder.let("k", integers, .convert(n, integers, saturating: false))
    let half = builder.let(
      "k", integers, .binary(.shiftRight, exponent, .constant(1, integers)))
    let first = powerOfTwo(half, lanes: lanes)
    let second = powerOfTwo(exponent - half, lanes: lanes)
    let value = builder.let("exp", type, e * first * second)
    // NaN fails every comparison, and the result must be NaN too.
    return builder.let("exp", type, .select(.compare(.equal, x, x), value, x))
  }

  /// 2^k for integers -126...127.
  private static func powerOfTwo(_ k: LoopValue, lanes: Int) -> LoopValue {
    let integers = LoopType(.i32, lanes: lanes)
    let biased = k + .constant(127, integers)
    return .reinterpret(.binary(.shiftLeft, biased, .constant(23, integers)), LoopType(.f32, lanes: lanes))
  }

  /// The natural logarithm; minus infinity at 0, NaN below.
  public static func log(_ builder: inout LoopBuilder, _ x: LoopValue, lanes: Int) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let integers = LoopType(.i32, lanes: lanes)
    // Subnormals are scaled up by 2^23 first.
    let tiny = builder.let("tiny", .mask(lanes: lanes), .compare(.less, x, .f32(0x1p-126, lanes: lanes)))
    let scaled = builder.let("x", type, .select(tiny, x * .f32(0x1p23, lanes: lanes), x))
    let bias = builder.let("bias", type, .select(tiny, .f32(23, lanes: lanes), .f32(0, lanes: lanes)))
    let bits = builder.let("pattern", integers, .reinterpret(scaled, integers))
    // The exponent that leaves a mantissa in [sqrt(1/2), sqrt(2)).
    let exponent = builder.let(
      "k", integers,
      .binary(.shiftRight, bits - .constant(0x3f35_04f3, integers), .constant(23, integers)))
    let mantissaBits = bits - .binary(.shiftLeft, exponent, .constant(23, integers))
    let f = builder.let("f", type, .reinterpret(mantissaBits, type) - .f32(1, lanes: lanes))
    let k = builder.let("k", type, .convert(exponent, type, saturating: false) - bias)
    let p = polynomial(
      &builder, f,
      [
        0x1.555548p-2, -0x1.000006p-2, 0x1.99a4bcp-3, -0x1.555c5ap-3, 0x1.2336e2p-3, -0x1.fc1f6ap-4, 0x1.e6f60cp-4,
        -0x1.de4fb0p-4, 0x1.14631ap-4,
      ], lanes: lanes)
    let square = builder.let("f2", type, f * f)
    let low = builder.let(
      "low", type, .fma(k, .f32(-0x1.bd0106p-13, lanes: lanes), square * .f32(-0.5, lanes: lanes)))
    let tail = builder.let("tail", type, .fma(square * f, p, low))
    let value = builder.let("log", type, .fma(k, .f32(0x1.63p-1, lanes: lanes), tail + f))
    let infinite = LoopValue.compare(.equal, x, .f32(.infinity, lanes: lanes))
    let finite = builder.let("log", type, .select(infinite, x, value))
    let zero = LoopValue.compare(.equal, x, .f32(0, lanes: lanes))
    let positive = LoopValue.compare(.greater, x, .f32(0, lanes: lanes))
    let undefined = builder.let(
      "undefined", type, .select(zero, .f32(-.infinity, lanes: lanes), .f32(.nan, lanes: lanes)))
    return builder.let("log", type, .select(positive, finite, undefined))
  }

  /// 1 / (1 + e^-x).
  public static func sigmoid(_ builder: inout LoopBuilder, _ x: LoopValue, lanes: Int) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let negated = builder.let("x", type, -x)
    let e = exp(&builder, negated, lanes: lanes)
    let one = LoopValue.f32(1, lanes: lanes)
    return builder.let("sigmoid", type, one / (one + e))
  }

  /// tanh: an odd polynomial for |x| < 0.625, 1 - 2 / (e^2|x| + 1) with x's sign beyond.
  public static func tanh(_ builder: inout LoopBuilder, _ x: LoopValue, lanes: Int) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let one = LoopValue.f32(1, lanes: lanes)
    let square = builder.let("x2", type, x * x)
    let p = polynomial(
      &builder, square, [-0x1.555530p-2, 0x1.110692p-3, -0x1.b827fep-5, 0x1.519c8ep-6, -0x1.73640cp-8],
      lanes: lanes)
    let small = builder.let("small", type, .fma(square * x, p, x))
    let magnitude = builder.let("a", type, .unary(.absolute, x))
    let doubled = builder.let("a2", type, magnitude + magnitude)
    let e = exp(&builder, doubled, lanes: lanes)
    let large = builder.let("large", type, one - .f32(2, lanes: lanes) / (e + one))
    let negative = LoopValue.compare(.less, x, .f32(0, lanes: lanes))
    let signed = builder.let("large", type, .select(negative, -large, large))
    let isSmall = LoopValue.compare(.less, magnitude, .f32(0.625, lanes: lanes))
    return builder.let("tanh", type, .select(isSmall, small, signed))
  }

  /// The error function: an odd polynomial for |x| < 1, 1 - e^(-x^2) Q(|x|) with x's sign beyond.
  public static func erf(_ builder: inout LoopBuilder, _ x: LoopValue, lanes: Int) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let square = builder.let("x2", type, x * x)
    let p = polynomial(
      &builder, square,
      [
        0x1.20dd74p+0, -0x1.81273ep-2, 0x1.ce2cf8p-4, -0x1.b7f90cp-6, 0x1.5405b0p-8, -0x1.a3f6eep-11, 0x1.496a06p-14,
      ], lanes: lanes)
    let small = builder.let("small", type, x * p)
    let magnitude = builder.let("a", type, .minimum(.unary(.absolute, x), .f32(4, lanes: lanes)))
    let u = builder.let("u", type, magnitude - .f32(2.5, lanes: lanes))
    let q = polynomial(&builder, u, erfcxCoefficients, lanes: lanes)
    let exponent = builder.let("e", type, -(magnitude * magnitude))
    let decay = exp(&builder, exponent, lanes: lanes)
    let one = LoopValue.f32(1, lanes: lanes)
    let large = builder.let("large", type, one - decay * q)
    let negative = LoopValue.compare(.less, x, .f32(0, lanes: lanes))
    let signed = builder.let("large", type, .select(negative, -large, large))
    let isLarge = LoopValue.compare(.greaterOrEqual, .unary(.absolute, x), one)
    return builder.let("erf", type, .select(isLarge, signed, small))
  }

  /// e^(x^2) erfc(x) around x = 2.5, for x in 1...4.
  private static let erfcxCoefficients: [Double] = [
    0x1.afb0a8p-3, -0x1.312a36p-4, 0x1.9458bcp-6, -0x1.016312p-7, 0x1.946222p-9, -0x1.c625aep-12, 0x1.92d4f6p-17,
    -0x1.e5fe0ap-13,
  ]

  /// Horner's rule, lowest power first, one named step a fused multiply-add.
  static func polynomial(
    _ builder: inout LoopBuilder, _ x: LoopValue, _ coefficients: [Double], lanes: Int,
    named name: String = "p"
  ) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    guard let highest = coefficients.last else { preconditionFailure("a polynomial has a coefficient") }
    var p = LoopValue.f32(highest, lanes: lanes)
    for coefficient in coefficients.dropLast().reversed() {
      p = builder.let(name, type, .fma(p, x, .f32(coefficient, lanes: lanes)))
    }
    return p
  }
}
