import IR

/// The columns of a sliding window's output row, cut into tiles that know at compile time which of their pixels each
/// kernel column reaches inside the input: borders are peeled, nothing is padded in memory.
struct PeeledColumns {
  /// Consecutive tiles of one shape: `pixels` columns each, starting at `first`, with the same reach.
  struct Group: Hashable {
    var first: Int
    var pixels: Int
    var count: Int
    /// For each kernel column, the pixels of the tile whose input column exists.
    var reach: [[Int]]

    /// The kernel columns that lie inside the input for one pixel of the tile.
    func taps(of pixel: Int, kernel: Int) -> Range<Int> {
      let inside = (0..<kernel).filter { reach[$0].contains(pixel) }
      guard let first = inside.first, let last = inside.last else { return 0..<0 }
      return first..<(last + 1)
    }
  }

  var groups: [Group] = []

  /// - Parameter sizes: tile sizes and counts that cover the output width, in order.
  init(window: Window, outputWidth: Int, inputWidth: Int, sizes: [ProductSchedule.Tiles]) {
    var column = 0
    for size in sizes {
      for _ in 0..<size.count {
        let reach = (0..<window.kernel).map { tap in
          (0..<size.pixels).filter { pixel in
            (0..<inputWidth).contains(window.input(of: column + pixel, tap: tap))
          }
        }
        if let last = groups.last, last.pixels == size.pixels, last.reach == reach,
          last.first + last.count * last.pixels == column
        {
          groups[groups.count - 1].count += 1
        } else {
          groups.append(Group(first: column, pixels: size.pixels, count: 1, reach: reach))
        }
        column += size.pixels
      }
    }
    precondition(column == outputWidth, "tiles cover the row")
  }
}

/// One axis of a sliding window.
struct Window: Hashable {
  var kernel: Int
  var stride: Int
  var dilation: Int
  /// Zeros before the first input position.
  var padding: Int

  /// Input positions the kernel spans.
  var extent: Int { (kernel - 1) * dilation + 1 }

  /// The input position that `tap` of output `position` reads; outside the input it reads a zero.
  func input(of position: Int, tap: Int) -> Int { position * stride - padding + tap * dilation }

  /// The same for a tap and an output in loops.
  func input(of position: LoopIndex, tap: LoopIndex) -> LoopIndex {
    position * stride + .constant(-padding) + tap * dilation
  }

  /// What must hold for that input position to lie inside the input; empty if it always does.
  func borderTests(_ position: LoopIndex, outputs: Int, inputs: Int) -> [LoopComparison] {
    var comparisons: [LoopComparison] = []
    if padding > 0 { comparisons.append(LoopComparison(position, .greaterOrEqual, 0)) }
    if input(of: outputs - 1, tap: kernel - 1) >= inputs {
      comparisons.append(LoopComparison(position, .less, .constant(inputs)))
    }
    return comparisons
  }

  /// The taps of output `position` that lie inside an input of `length`.
  func reach(of position: Int, length: Int) -> Range<Int> {
    let inside = (0..<kernel).filter { (0..<length).contains(input(of: position, tap: $0)) }
    guard let first = inside.first, let last = inside.last else { return 0..<0 }
    return first..<(last + 1)
  }

  /// Consecutive outputs with the same reach.
  func reachSegments(outputs: Int, inputs: Int) -> [(rows: Range<Int>, taps: Range<Int>)] {
    var segments: [(rows: Range<Int>, taps: Range<Int>)] = []
    for position in 0..<outputs {
      let taps = reach(of: position, length: inputs)
      if let last = segments.last, last.taps == taps {
        segments[segments.count - 1].rows = last.rows.lowerBound..<(position + 1)
      } else {
        segments.append((position..<(position + 1), taps))
      }
    }
    return segments
  }
}
