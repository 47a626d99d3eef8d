// Exponential and logarithm of float64, one lane at a time, for models that compute in it. The polynomials are the
// functions' series, long enough that what is left out is less than a rounding.

extension LoopMath {
  private static let double = LoopType(.f64)
  private static let long = LoopType(.i64)

  private static func literal(_ value: Double) -> LoopValue { .constant(value, double) }

  /// Horner's rule, lowest power first.
  private static func series(
    _ builder: inout LoopBuilder, _ x: LoopValue, _ coefficients: [Double]
  ) -> LoopValue {
    var sum = literal(coefficients.last ?? 0)
    for coefficient in coefficients.dropLast().reversed() {
      sum = builder.let("p", double, .fma(sum, x, literal(coefficient)))
    }
    return sum
  }

  /// 2^k for integers -1022...1023.
  private static func powerOfTwo(_ k: LoopValue) -> LoopValue {
    let biased = k + .constant(1023, long)
    return .reinterpret(.binary(.shiftLeft, biased, .constant(52, long)), double)
  }

  /// e^x: x = n ln 2 + r, e^r by its series, 2^n by its bits in two halves. At most 2 ulp off, NaN if x is.
  static func expDouble(_ builder: inout LoopBuilder, _ x: LoopValue) -> LoopValue {
    let clamped = builder.let("x", double, .minimum(.maximum(x, literal(-746)), literal(710)))
    let n = builder.let("n", double, .unary(.round, clamped * literal(0x1.71547652b82fep0)))
    // ln 2 in two parts, of which the first has 32 bits.
    let high = builder.let("r", double, clamped - n * literal(0x1.62e42feep-1))
    let r = builder.let("r", double, high - n * literal(0x1.a39ef35793c76p-33))
    var factorial = 1.0
    let coefficients = (0..<14).map { power -> Double in
      factorial *= power == 0 ? 1 : Double(power)
      return 1 / factorial
    }
    let e = series(&builder, r, coefficients)
    let exponent = builder.let("k", long, .convert(n, long, saturating: true))
    let half = builder.let("k", long, .binary(.shiftRight, exponent, .constant(1, long)))
    let value = builder.let("exp", double, e * powerOfTwo(half) * powerOfTwo(exponent - half))
    return builder.let("exp", double, .select(.compare(.equal, x, x), value, x))
  }

  /// The natural logarithm by the series of 2 artanh(f / (2 + f)); minus infinity at 0, NaN below. At most 2 ulp off.
  static func logDouble(_ builder: inout LoopBuilder, _ x: LoopValue) -> LoopValue {
    // Subnormals are scaled up by 2^54 first.
    let tiny = builder.let("tiny", .mask(lanes: 1), .compare(.less, x, literal(0x1p-1022)))
    let scaled = builder.let("x", double, .select(tiny, x * literal(0x1p54), x))
    let bias = builder.let("bias", double, .select(tiny, literal(54), literal(0)))
    let bits = builder.let("pattern", long, .reinterpret(scaled, long))
    // The exponent that leaves a mantissa in [sqrt(1/2), sqrt(2)): that of sqrt(1/2) to 20 bits is taken away.
    let root = Double(0x3FE6_A09E) * 0x1p32
    let exponent = builder.let(
      "k", long, .binary(.shiftRight, bits - .constant(root, long), .constant(52, long)))
    let mantissa = bits - .binary(.shiftLeft, exponent, .constant(52, long))
    let f = builder.let("f", double, .reinterpret(mantissa, double) - literal(1))
    let k = builder.let("k", double, .convert(exponent, double, saturating: false) - bias)
    let s = builder.let("s", double, f / (literal(2) + f))
    let square = builder.let("s2", double, s * s)
    // artanh(s) = s + s^3 / 3 + ...; 2 s = f - s f keeps the first term exact.
    let rest = series(&builder, square, (1..<12).map { 2 / Double(2 * $0 + 1) })
    let tail = builder.let("tail", double, s * (square * rest) - s * f + k * literal(0x1.a39ef35793c76p-33))
    let value = builder.let("log", double, k * literal(0x1.62e42feep-1) + (f + tail))
    let infinite = LoopValue.compare(.equal, x, literal(.infinity))
    let finite = builder.let("log", double, .select(infinite, x, value))
    let undefined = LoopValue.select(.compare(.equal, x, literal(0)), literal(-.infinity), literal(.nan))
    return builder.let("log", double, .select(.compare(.greater, x, literal(0)), finite, undefined))
  }

  /// e^x on vectors of float32, or on one float64.
  static func exp(_ builder: inout LoopBuilder, _ x: LoopValue, _ type: LoopType) -> LoopValue {
    type == double ? expDouble(&builder, x) : exp(&builder, x, lanes: type.lanes)
  }

  /// The natural logarithm on vectors of float32, or on one float64.
  static func log(_ builder: inout LoopBuilder, _ x: LoopValue, _ type: LoopType) -> LoopValue {
    type == double ? logDouble(&builder, x) : log(&builder, x, lanes: type.lanes)
  }

  /// 1 / (1 + e^-x) on vectors of float32, or on one float64.
  static func sigmoid(_ builder: inout LoopBuilder, _ x: LoopValue, _ type: LoopType) -> LoopValue {
    if type != double { return sigmoid(&builder, x, lanes: type.lanes) }
    let negated = builder.let("x", double, -x)
    return builder.let("sigmoid", double, literal(1) / (literal(1) + expDouble(&builder, negated)))
  }
}
