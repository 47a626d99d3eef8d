/// Logarithmic scalable graph construction (Munir, Zhang and Marculescu, LogViG, arXiv:2510.13740): the pixels K^i - 1 rows
/// below and above, then those K^i - 1 columns right and left, wrapping, for i from 1 to below the number of bits of the
/// height or of the width. The number of neighbours grows with the logarithm of the sides.
///
/// The published code slices and joins, and slices clamp: if K^i - 1 is at least the side, rolling by it changes
/// nothing, and that neighbour is the pixel itself. The same holds for K = 1.
public struct LSGC: OffsetConstruction {
  public static let kind = "lsgc"
  public static let publishedDirection: Aggregate.Direction? = .selfMinusNeighbor

  /// K, the base of the distances' powers: 2 in the published models, 3 in the first two stages of the smallest.
  public var base: Int

  public init(base: Int) {
    self.base = base
  }

  public init(_ reader: inout AttributeReader) throws { self.init(base: try reader.integer("base", default: 2)) }
  public var attributes: [Attribute] { [Attribute("base", .integer(base))] }

  public func checkParameters() throws {
    if base < 1 { throw Diagnostic("\(Self.kind): the base is \(base); it must be at least 1") }
  }

  public func offsets(height: Int, width: Int) -> [Offset] {
    let rows = distances(below: height)
    let columns = distances(below: width)
    return rows.map { Offset(dy: $0, dx: 0) } + rows.map { Offset(dy: -$0, dx: 0) }
      + columns.map { Offset(dy: 0, dx: $0) } + columns.map { Offset(dy: 0, dx: -$0) }
  }

  /// K^i - 1 for i from 1 to below the number of bits of `side`; 0 if that is not below the side.
  private func distances(below side: Int) -> [Int] {
    let bits = Int.bitWidth - side.leadingZeroBitCount
    var power = 1
    return (1..<max(bits, 1)).map { _ in
      // A power that has passed the side stays there: the next ones would pass it too, and could overflow.
      if power <= side { power *= base }
      return power - 1 < side ? power - 1 : 0
    }
  }

  /// The first offset is K - 1 rows, or columns if there is one row only.
  public static func candidates(height: Int, width: Int, first: Offset) -> [LSGC] {
    let likely = [first.dy, first.dx].map { abs($0) + 1 }.filter { $0 > 1 }
    return (likely + Array(2..<max(height, width, 2) + 1)).map { LSGC(base: $0) }
  }
}
