import IR

/// Merges two convolutions of one input that are added, like the two heads of a distilled classifier: adds their
/// weights instead of their results.
///
///     %a = conv2d(%x, %w, %b)            %s = conv2d(%x, %w + %v, %b + %c)
///     %d = conv2d(%x, %v, %c)     =>
///     %s = add(%a, %d)
///
/// `fold-scale` then folds the factor 1/2 of their mean.
public struct MergeHeads: Pass {
  public static let name = "merge-heads"
  public static let summary = "adds two convolutions of one input (distilled heads) at compile time"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    try GraphRewriter.rewrite(graph) { rewriter, node in
      guard node.op is Add,
        let (first, a) = rewriter.single(Conv2D.self, node.operands[0]),
        let (second, b) = rewriter.single(Conv2D.self, node.operands[1]),
        a.operands[0] == b.operands[0], first.attributes == second.attributes,
        let aWeight = rewriter.constant(a.operands[1]), let bWeight = rewriter.constant(b.operands[1]),
        aWeight.count == bWeight.count
      else { return nil }
      let shape = rewriter.graph.tensorType(of: a.operands[1]).shape
      guard shape == rewriter.graph.tensorType(of: b.operands[1]).shape else { return nil }
      var bias = [Double](repeating: 0, count: shape[0])
      for operand in [a, b].compactMap({ $0.operands.dropFirst(2).first }) {
        guard let values = rewriter.constant(operand) else { return nil }
        for index in bias.indices { bias[index] += values[index] }
      }
      let base = rewriter.constantName(of: a.operands[1])
      let weight = try rewriter.addConstant(
        zip(aWeight, bWeight).map(+), shape: shape, hint: "\(base).folded", like: node)
      let biasValue = try rewriter.addConstant(bias, shape: [shape[0]], hint: "\(base).folded_bias", like: node)
      return try rewriter.add(
        first, [a.operands[0], weight, biasValue], name: rewriter.name(of: node), like: node)
    }
  }
}
