import IR

/// Writes images whose channels are taken in turns in the form that kernels know (`InterleavedImages`), whatever shape
/// their pixels had in between.
///
///     %a = reshape(%x) : [N, C, 1, H * W, 1]
///     %b = reshape(%y) : [N, C, 1, H * W, 1]
///     %c = concat(%a, %b) {axis = 2}               =>
///
///     %a = reshape(%x) : [N, C, 1, H * W]
///     %b = reshape(%y) : [N, C, 1, H * W]
///     %d = concat(%a, %b) {axis = 2}
///     %c = reshape(%d) : [N, C, 2, H * W, 1]
public struct RaiseInterleave: Pass {
  public static let name = "raise-interleave"
  public static let summary = "writes channels that are taken in turns in the one way that kernels know"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    try GraphRewriter.rewrite(graph) { rewriter, node in
      guard let concat = node.op as? Concat, concat.axis == 2 || concat.axis == 2 - rank(node, rewriter) else {
        return nil
      }
      let shape = rewriter.graph.tensorType(of: node.results[0]).shape
      guard shape.count >= 3, shape[2] == node.operands.count else { return nil }
      let apart = [shape[0], shape[1], 1, shape[3...].reduce(1, *)]
      var images: [ValueID] = []
      for part in node.operands {
        var source = part
        while let before = rewriter.definition(of: source), before.op is Reshape { source = before.operands[0] }
        let type = rewriter.graph.tensorType(of: source)
        guard type.rank == 4, Array(type.shape[..<2]) == Array(shape[..<2]) else { return nil }
        images.append(source)
      }
      // They have that form already, or are plain images.
      if shape.count == 4, shape[3] == apart[3], node.operands.allSatisfy({ isDirect($0, images, rewriter) }) {
        return nil
      }
      let parts = try images.map { try rewriter.reshaped($0, apart, like: node) }
      let joint = try rewriter.add(Concat(axis: 2), parts, name: rewriter.name(of: node), like: node)[0]
      return [try rewriter.reshaped(joint, shape, like: node)]
    }
  }

  private func rank(_ node: Node, _ rewriter: GraphRewriter) -> Int {
    rewriter.graph.tensorType(of: node.results[0]).rank
  }

  private func isDirect(_ part: ValueID, _ images: [ValueID], _ rewriter: GraphRewriter) -> Bool {
    if images.contains(part) { return true }
    return rewriter.definition(of: part).map { images.contains($0.operands[0]) } ?? false
  }
}
