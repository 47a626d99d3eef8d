import IR

/// Hints that ask for the next panel of weights while the tiles of this one are computed, spread over their steps.
///
/// A panel is read from memory once in each run of the model. Hints one after the other would fill the queue of
/// outstanding misses and hold up the product. So every sweep asks for its share: a cache line or a few, once every few
/// steps.
struct PanelPrefetch {
  /// float32 elements of a cache line of 64 bytes, as long as every target's.
  static let lineElements = 16
  /// The least number of steps between hints: then the loop around them costs too little to notice.
  private static let fewestSteps = 4
  private static let usualSteps = 8
  /// The least number of sweeps of a panel: with fewer the product reads weights as fast as hints could.
  private static let fewestSweeps = 4

  /// Elements of all weights; no hint goes past them.
  let count: Int
  /// Steps of the reduction from one hint to the next.
  let steps: Int
  /// Cache lines a hint asks for.
  let lines: Int
  /// The element that the first hint of this piece of the reduction asks for.
  private(set) var first: LoopIndex

  /// - Parameters:
  ///   - pieces: the lengths of the reduction's pieces, each a loop of its own.
  ///   - sweeps: tiles that read a panel, one after the other.
  ///   - sweep: the number of this one.
  ///   - width: elements of a panel that one step reads.
  ///   - panel: the panel's first element.
  ///   - count: elements of all weights.
  /// - Returns: nil if hints do not pay: for weights that stay in the first cache, for few sweeps, or for pieces whose
  ///   lengths have no common divisor of at least four steps.
  init?(pieces: [Int], sweeps: Int, sweep: LoopIndex, width: Int, panel: LoopIndex, count: Int, target: Target) {
    let depth = pieces.reduce(0, +)
    guard !(target.spellings["prefetch"] ?? "").isEmpty, count * 4 > target.cache.l1, sweeps >= Self.fewestSweeps else {
      return nil
    }
    // One line after this many steps brings the whole panel.
    let most = max(Self.usualSteps, sweeps * Self.lineElements / width)
    guard
      let steps = (Self.fewestSteps...most).last(where: { steps in pieces.allSatisfy { $0.isMultiple(of: steps) } })
    else { return nil }
    self.steps = steps
    self.count = count
    lines = ceilDivide(steps * width, sweeps * Self.lineElements)
    first = panel + .constant(depth * width) + sweep * (depth / steps * lines * Self.lineElements)
  }

  /// The hints of a piece that begins `pieces` pieces of `depth` steps later.
  func moved(pieces: LoopIndex, depth: Int) -> PanelPrefetch {
    var moved = self
    moved.first = first + pieces * (depth / steps * lines * Self.lineElements)
    return moved
  }

  /// Writes the hint before the piece's steps number `turn * steps` and on. There is nothing after the last weights:
  /// hints then ask for the last line again, which costs nothing.
  func write(_ builder: inout LoopBuilder, weights: String, turn: LoopIndex) {
    for line in 0..<lines {
      let element = first + turn * (lines * Self.lineElements) + .constant(line * Self.lineElements)
      builder.append(.prefetch(buffer: weights, .minimum(element, .constant(count - 1))))
    }
  }
}
