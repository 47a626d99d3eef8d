import IR

/// How far the stages of a chain run ahead of one another, and the rings of rows that are therefore needed between
/// them.
///
/// The last stage makes its output in blocks of `rowsPerStep` rows; every stage before it runs just far enough ahead
/// that its consumer's window is there. Block b of a stage covers the rows b * R + lead ..< (b + 1) * R + lead, where R is
/// the block's height and `lead` what the window below the block needs; it lies in slot b mod slots of the stage's ring.
struct RowRings {
  struct Stage: Hashable {
    /// Rows of one block.
    var blockRows: Int
    /// How far the stage runs ahead of its block's first row.
    var lead: Int
    /// The first row that is needed from above a first block, relative to that block's first row; `lead` for none.
    var first: Int
    /// Blocks the ring holds; unused for the last stage.
    var slots: Int
  }

  private(set) var stages: [Stage]

  /// - Parameter windows: the vertical window of each stage; the first one's does not matter here.
  init(windows: [Window], rowsPerStep: Int) {
    var consumer = Stage(blockRows: rowsPerStep, lead: 0, first: 0, slots: 1)
    stages = [consumer]
    for window in windows.dropFirst().reversed() {
      let rows = consumer.blockRows * window.stride
      let lead = max(0, (consumer.lead - 1) * window.stride - window.padding + window.extent)
      let first = min(lead, consumer.first * window.stride - window.padding)
      let deepest = lead - (consumer.lead * window.stride - window.padding)
      let slots = max(1 + ceilDivide(max(0, deepest), rows), ceilDivide(lead - first, rows))
      consumer = Stage(blockRows: rows, lead: lead, first: first, slots: slots)
      stages.append(consumer)
    }
    stages.reverse()
  }

  /// Rows that the ring of each stage but the last holds.
  var ringRows: [Int] { stages.dropLast().map { $0.slots * $0.blockRows } }
}
