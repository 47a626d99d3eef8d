import IR

/// Makes a roll of slices that are joined the other way round.
///
///     %a = slice(%x) {starts = [4], ends = [6], axes = [2], steps = [1]}
///     %b = slice(%x) {starts = [0], ends = [4], axes = [2], steps = [1]}
///     %c = concat(%a, %b) {axis = 2}                                              =>
///
///     %c = roll(%x) {shifts = [2], axes = [2]}
///
/// The two together must be all of x along the axis, each element once. The slices may have other readers.
public struct RaiseRoll: Pass {
  public static let name = "raise-roll"
  public static let summary = "makes rolls of slices that are joined the other way round"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    try GraphRewriter.rewrite(graph) { rewriter, node in
      guard let concat = node.op as? Concat, node.operands.count == 2,
        let tail = rewriter.definition(of: node.operands[0]), let tailSlice = tail.op as? Slice,
        let head = rewriter.definition(of: node.operands[1]), let headSlice = head.op as? Slice,
        tail.operands == head.operands
      else { return nil }
      let shape = rewriter.graph.tensorType(of: tail.operands[0]).shape
      let axis = concat.axis < 0 ? concat.axis + shape.count : concat.axis
      guard let last = range(tailSlice, axis: axis, shape: shape),
        let first = range(headSlice, axis: axis, shape: shape),
        first.lowerBound == 0, first.upperBound == last.lowerBound, last.upperBound == shape[axis]
      else { return nil }
      return try rewriter.add(
        IR.Roll(shifts: [last.count], axes: [axis]), tail.operands, name: rewriter.name(of: node), like: node)
    }
  }

  /// The places that a slice takes, if it takes every one of a range along this axis and all of the others.
  private func range(_ slice: Slice, axis: Int, shape: [Int]) -> Range<Int>? {
    guard slice.axes.count == 1, slice.steps == [1] else { return nil }
    let own = slice.axes[0] < 0 ? slice.axes[0] + shape.count : slice.axes[0]
    func clamp(_ place: Int) -> Int {
      min(max(place < 0 ? max(place, -shape[axis]) + shape[axis] : place, 0), shape[axis])
    }
    guard own == axis, clamp(slice.starts[0]) < clamp(slice.ends[0]) else { return nil }
    return clamp(slice.starts[0])..<clamp(slice.ends[0])
  }
}
