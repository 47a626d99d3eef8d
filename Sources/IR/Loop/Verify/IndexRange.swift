/// An interval of integers, both ends included; an end at `limit` or beyond stands for "anything that way".
struct IndexRange: Hashable {
  static let limit = 1 << 60
  static let everything = IndexRange(-limit, limit)

  var low: Int
  var high: Int

  init(_ low: Int, _ high: Int) {
    self.low = max(low, -Self.limit)
    self.high = min(high, Self.limit)
  }

  init(_ range: ClosedRange<Int>) { self.init(range.lowerBound, range.upperBound) }

  init(_ value: Int) { self.init(value, value) }

  /// No integer is in it: the code that would use it never runs.
  var isEmpty: Bool { low > high }

  var isFinite: Bool { low > -Self.limit && high < Self.limit }

  func contains(_ other: IndexRange) -> Bool { other.isEmpty || (low <= other.low && other.high <= high) }

  func union(_ other: IndexRange) -> IndexRange { IndexRange(min(low, other.low), max(high, other.high)) }

  func intersection(_ other: IndexRange) -> IndexRange { IndexRange(max(low, other.low), min(high, other.high)) }

  static func + (a: IndexRange, b: IndexRange) -> IndexRange {
    IndexRange(saturate(a.low, b.low, -limit) { $0 + $1 }, saturate(a.high, b.high, limit) { $0 + $1 })
  }

  static prefix func - (a: IndexRange) -> IndexRange { IndexRange(-a.high, -a.low) }

  static func * (a: IndexRange, factor: Int) -> IndexRange {
    if factor == 0 { return IndexRange(0) }
    if factor < 0 { return -(a * (factor == Int.min ? Int.max : -factor)) }
    return IndexRange(scale(a.low, factor), scale(a.high, factor))
  }

  static func * (a: IndexRange, b: IndexRange) -> IndexRange {
    let corners = [scale(a.low, b.low), scale(a.low, b.high), scale(a.high, b.low), scale(a.high, b.high)]
    return corners.dropFirst().reduce(IndexRange(corners[0])) { $0.union(IndexRange($1)) }
  }

  /// Floor division by a positive number.
  func divided(by n: Int) -> IndexRange {
    IndexRange(
      low <= -Self.limit ? low : floorDivide(low, n), high >= Self.limit ? high : floorDivide(high, n))
  }

  /// An infinite end stays infinite whatever is added to it.
  private static func saturate(_ a: Int, _ b: Int, _ infinity: Int, _ operation: (Int, Int) -> Int) -> Int {
    a == infinity || b == infinity ? infinity : operation(a, b)
  }

  private static func scale(_ end: Int, _ factor: Int) -> Int {
    let (product, overflow) = end.multipliedReportingOverflow(by: factor)
    guard overflow else { return min(max(product, -limit), limit) }
    return (end < 0) == (factor < 0) ? limit : -limit
  }
}
