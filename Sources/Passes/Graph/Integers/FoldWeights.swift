import IR

/// Weights that are stored as integers and that no op on integers reads become what they stand for.
///
///     %q = constant : i8[8,4,1,1]        %w = constant : f32[8,4,1,1]
///     %w = dequantize(%q)          =>
public struct FoldWeights: Pass {
  public static let name = "fold-weights"
  public static let summary = "turns constants of integers that are left between ops on floats into floats"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    try GraphRewriter.rewrite(graph) { rewriter, node in
      guard let op = node.op as? Dequantize,
        let data = rewriter.definition(of: node.operands[0]).flatMap({ rewriter.graph.data(of: $0) })
      else { return nil }
      let result = rewriter.graph.type(of: node.results[0])
      let values = try op.evaluateWithinLimit([.tensor(Tensor(data))], results: [result])[0].tensor
      return [
        try rewriter.addConstant(values.real, shape: values.shape, hint: rewriter.name(of: node), like: node)
      ]
    }
  }
}
