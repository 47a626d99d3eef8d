// What floats can be, as far as a conversion to an integer needs: intervals over all lanes through clamps and arithmetic with
// known bounds. Nothing is known of a float out of memory.

/// Numbers from `low` to `high`, and NaN where that is possible.
struct RealRange: Equatable {
  var low: Double
  var high: Double
  var mayBeNaN: Bool

  static let everything = RealRange(low: -.infinity, high: .infinity, mayBeNaN: true)

  init(low: Double, high: Double, mayBeNaN: Bool = false) {
    self.low = low
    self.high = high
    self.mayBeNaN = mayBeNaN
  }

  var isFinite: Bool { low.isFinite && high.isFinite }

  /// Whether the number, towards zero, is always an integer of `element`.
  func fits(_ element: ElementType) -> Bool {
    guard let integers = element.integerRange, !mayBeNaN, isFinite else { return false }
    // The limits of 64 bits are no doubles: what lies between them and the next double outside is no double either.
    let top = element == .u64 ? 0x1p64 : Double(integers.upperBound) + 1
    let bottom = Double(integers.lowerBound)
    return high < top && (low >= bottom || (bottom - 1 < bottom && low > bottom - 1))
  }

  /// Bounds that hold whatever way float32 or float64 rounded on the way to them.
  fileprivate var rounded: RealRange {
    guard isFinite else { return .everything }
    func slack(_ bound: Double) -> Double { bound.magnitude * 0x1p-22 + 0x1p-126 }
    return RealRange(low: low - slack(low), high: high + slack(high), mayBeNaN: mayBeNaN)
  }

  fileprivate func union(_ other: RealRange) -> RealRange {
    RealRange(low: min(low, other.low), high: max(high, other.high), mayBeNaN: mayBeNaN || other.mayBeNaN)
  }

  fileprivate static prefix func - (a: RealRange) -> RealRange {
    RealRange(low: -a.high, high: -a.low, mayBeNaN: a.mayBeNaN)
  }

  /// An infinity may turn a sum or a product into NaN: then nothing is known.
  fileprivate static func + (a: RealRange, b: RealRange) -> RealRange {
    guard a.isFinite, b.isFinite else { return .everything }
    return RealRange(low: a.low + b.low, high: a.high + b.high, mayBeNaN: a.mayBeNaN || b.mayBeNaN)
  }

  fileprivate static func * (a: RealRange, b: RealRange) -> RealRange {
    guard a.isFinite, b.isFinite else { return .everything }
    let corners = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high]
    return RealRange(
      low: corners.min() ?? 0, high: corners.max() ?? 0, mayBeNaN: a.mayBeNaN || b.mayBeNaN)
  }

  /// `a < b ? a : b`, which is `b` where either is NaN.
  fileprivate static func minimum(_ a: RealRange, _ b: RealRange) -> RealRange {
    RealRange(
      low: min(a.low, b.low), high: a.mayBeNaN ? b.high : min(a.high, b.high), mayBeNaN: b.mayBeNaN)
  }
}

extension LoopPlace {
  /// The values a well-typed float `value` can have in any lane; everything where nothing is known.
  func realRange(of value: LoopValue) -> RealRange {
    guard let element = try? scope.type(of: value).element, element == .f32 || element == .f64 else {
      return .everything
    }
    switch value {
    case .constant(let number, _):
      let own = element == .f32 ? Double(Float(number)) : number
      return own.isNaN ? .everything : RealRange(low: own, high: own)
    case .variable(let name): return realRanges[name] ?? .everything
    case .splat(let inner, lanes: _), .permute(let inner, _): return realRange(of: inner)
    case .shuffle(let a, let b, _): return b.map { realRange(of: a).union(realRange(of: $0)) } ?? realRange(of: a)
    case .unary(let operation, let inner): return unaryRange(operation, realRange(of: inner))
    case .binary(let operation, let a, let b): return binaryRange(operation, realRange(of: a), realRange(of: b))
    case .fma(let a, let b, let c):
      return ((realRange(of: a) * realRange(of: b)).rounded + realRange(of: c)).rounded
    case .select(_, let a, let b): return realRange(of: a).union(realRange(of: b))
    case .convert(let inner, _, saturating: _):
      guard let integers = range(of: inner) else { return realRange(of: inner).rounded }
      guard integers.isFinite else { return .everything }
      return RealRange(low: Double(integers.low), high: Double(integers.high)).rounded
    case .element, .load, .index, .firstLanes, .compare, .reinterpret, .compress, .gather, .reduce, .instruction,
      .apply:
      return .everything
    }
  }

  private func unaryRange(_ operation: LoopUnary, _ a: RealRange) -> RealRange {
    switch operation {
    case .negate: return -a
    case .absolute:
      if a.low >= 0 { return a }
      return RealRange(low: max(0, -a.high), high: max(-a.low, a.high), mayBeNaN: a.mayBeNaN)
    case .floor: return RealRange(low: a.low.rounded(.down), high: a.high.rounded(.down), mayBeNaN: a.mayBeNaN)
    case .ceiling: return RealRange(low: a.low.rounded(.up), high: a.high.rounded(.up), mayBeNaN: a.mayBeNaN)
    case .round:
      return RealRange(
        low: a.low.rounded(.toNearestOrEven), high: a.high.rounded(.toNearestOrEven), mayBeNaN: a.mayBeNaN)
    case .not, .squareRoot: return .everything
    }
  }

  private func binaryRange(_ operation: LoopBinary, _ a: RealRange, _ b: RealRange) -> RealRange {
    switch operation {
    case .add: (a + b).rounded
    case .subtract: (a + -b).rounded
    case .multiply: (a * b).rounded
    case .minimum: .minimum(a, b)
    case .maximum: -.minimum(-a, -b)
    case .divide, .and, .or, .xor, .shiftLeft, .shiftRight: .everything
    }
  }
}
