import IR

/// How the range that eight bits cover is chosen, given all values that a tensor had.
public enum RangeMethod: Hashable, Sendable, CustomStringConvertible {
  /// From the least to the greatest value.
  case minmax
  /// What holds so many percent of the values, with as many left out on either side.
  case percentile(Double)
  /// What gives the least squared error, of rounding inside the range and of clipping outside.
  case mse

  /// Reads `minmax`, `percentile:P` or `mse`.
  public init(parsing text: String) throws {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    switch (parts[0], parts.count) {
    case ("minmax", 1): self = .minmax
    case ("mse", 1): self = .mse
    case ("percentile", 2):
      guard let percent = Double(parts[1]), percent > 50, percent <= 100 else {
        throw Diagnostic("'\(parts[1])' in '\(text)' is no percentage above 50 and up to 100, like 99.99")
      }
      self = .percentile(percent)
    default: throw Diagnostic("'\(text)' chooses no range; expected minmax, percentile:P or mse")
    }
  }

  public var description: String {
    switch self {
    case .minmax: "minmax"
    case .percentile(let percent): "percentile:\(percent)"
    case .mse: "mse"
    }
  }

  /// The range for values that fell so. It holds zero.
  public func range(of values: ValueHistogram) -> ClosedRange<Double> {
    switch self {
    case .minmax: return Double(values.minimum)...Double(values.maximum)
    case .percentile(let percent):
      let outside = (100 - percent) / 200
      return min(0, values.quantile(outside))...max(0, values.quantile(1 - outside))
    case .mse: return LeastErrorRange(values).range
    }
  }
}

/// The search for the range of least squared error: one end is moved while the other stays, twice in turns.
private struct LeastErrorRange {
  private static let steps = 64
  /// The least part of an end's distance from zero that is tried.
  private static let least = 0.1

  private let masses: [(center: Double, count: Double)]
  private(set) var range: ClosedRange<Double>

  init(_ values: ValueHistogram) {
    masses = values.masses
    let (low, high) = (Double(values.minimum), Double(values.maximum))
    range = low...high
    for _ in 0..<2 {
      let lower = range.lowerBound
      let upper = best(high) { lower...$0 }
      let found = best(low) { $0...upper }
      range = found...upper
    }
  }

  /// The best of an end's places between its own and a part of it.
  private func best(_ end: Double, _ range: (Double) -> ClosedRange<Double>) -> Double {
    if end == 0 { return 0 }
    var best = (end: end, error: error(range(end)))
    for step in 1...Self.steps {
      let candidate = end * (1 - (1 - Self.least) * Double(step) / Double(Self.steps))
      let found = error(range(candidate))
      if found < best.error { best = (candidate, found) }
    }
    return best.end
  }

  /// The sum of squared differences between values and what eight bits make of them.
  private func error(_ range: ClosedRange<Double>) -> Double {
    let quantization = Quantization(covering: range)
    let (scale, zero) = (quantization.scales[0], Double(quantization.zeroPoints[0]))
    let (least, most) = (-128 - zero, 127 - zero)
    let inverse = 1 / scale
    var sum = 0.0
    for (center, count) in masses {
      let steps = min(max((center * inverse).rounded(.toNearestOrEven), least), most)
      let difference = center - steps * scale
      sum += count * difference * difference
    }
    return sum
  }
}

extension Quantization {
  /// Signed eight bits over a range that holds zero: zero is one of the integers' reals, so that padding is exact.
  public init(covering range: ClosedRange<Double>) {
    let (low, high) = (min(0, range.lowerBound), max(0, range.upperBound))
    // A tensor of zeros has any scale; one that is no normal number would round all products with it to zero.
    let scale = low == high ? 1 : max(Float((high - low) / 255), Float(0x1p-100))
    let zero = (-128 - low / Double(scale)).rounded(.toNearestOrEven)
    self.init(scales: [Double(scale)], zeroPoints: [Int(min(max(zero, -128), 127))])
  }
}
