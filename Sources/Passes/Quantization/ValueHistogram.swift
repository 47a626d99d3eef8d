/// How often the elements of a tensor fall where, over any number of runs, in memory that does not grow with them.
///
/// Bins are of one width, a power of two, on both sides of zero. A value that lies outside doubles the width, and two
/// neighbours become one bin. So the bins depend on the values alone, and not on the order in which they come.
public struct ValueHistogram: Sendable {
  /// Bins on either side of zero. The largest value is in the outer half, so 255 steps over a range have at least
  /// eight bins each.
  static let side = 4096
  /// Reciprocals of smaller widths are no float32 numbers.
  private static let leastWidth = Float(0x1p-120)

  /// Bin `side + n` holds the values from n * width on, and below (n + 1) * width.
  private(set) var counts = [Int](repeating: 0, count: 2 * side)
  private(set) var width = leastWidth
  /// Zero belongs to every range: padding and masked values are zero.
  public private(set) var minimum: Float = 0
  public private(set) var maximum: Float = 0
  public private(set) var total = 0

  public init() {}

  /// - Precondition: All values are finite.
  public mutating func add(_ values: [Float]) {
    var (low, high) = (minimum, maximum)
    for value in values {
      if value < low { low = value }
      if value > high { high = value }
    }
    (minimum, maximum) = (low, high)
    grow(toHold: max(-low, high))
    total += values.count
    let scale = 1 / width
    counts.withUnsafeMutableBufferPointer { bins in
      for value in values { bins[Int((value * scale).rounded(.down)) + Self.side] += 1 }
    }
  }

  /// Doubles the width until a magnitude lies inside.
  private mutating func grow(toHold magnitude: Float) {
    while magnitude >= Float(Self.side) * width {
      width *= 2
      guard total > 0 else { continue }
      var merged = [Int](repeating: 0, count: 2 * Self.side)
      for (place, count) in counts.enumerated() where count > 0 {
        merged[((place - Self.side) >> 1) + Self.side] += count
      }
      counts = merged
    }
  }

  /// The bins that hold something: their centres, inside the range of the values, and how many they hold.
  var masses: [(center: Double, count: Double)] {
    counts.enumerated().compactMap { place, count in
      guard count > 0 else { return nil }
      let center = (Double(place - Self.side) + 0.5) * Double(width)
      return (min(max(center, Double(minimum)), Double(maximum)), Double(count))
    }
  }

  /// The value below which a share of all values lies, to the width of a bin.
  func quantile(_ share: Double) -> Double {
    let wanted = share * Double(total)
    var sum = 0.0
    for (place, count) in counts.enumerated() where count > 0 {
      if sum + Double(count) >= wanted {
        let inside = (wanted - sum) / Double(count)
        let value = (Double(place - Self.side) + inside) * Double(width)
        return min(max(value, Double(minimum)), Double(maximum))
      }
      sum += Double(count)
    }
    return Double(maximum)
  }
}
