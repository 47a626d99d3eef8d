import IR

/// Computes nodes whose operands are all constants, with the interpreter in double.
///
///     %a = constant ...
///     %b = sqrt(%a)               =>    %b = constant ...
///
/// Operands may be of any type, so that weights stored as integers become what they stand for. Only float32 results are
/// folded: the constant store holds what kernels read.
public struct FoldConstants: Pass {
  public static let name = "fold-constants"
  public static let summary = "computes what depends on constants only"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    try GraphRewriter.rewrite(graph) { rewriter, node in
      // Weights stay integers until it is known who reads them.
      if node.op is Dequantize, rewriter.graph.tensorType(of: node.results[0]).count > 1 { return nil }
      guard !(node.op is Constant), node.results.count == 1, node.op.region == nil, !node.operands.isEmpty,
        let type = rewriter.graph.type(of: node.results[0]).tensor, type.element == .f32
      else { return nil }
      var operands: [RuntimeValue<Double>] = []
      for operand in node.operands {
        guard let data = rewriter.definition(of: operand).flatMap(rewriter.graph.data) else { return nil }
        operands.append(.tensor(Tensor(data)))
      }
      let result = try node.op.evaluateWithinLimit(operands, results: [.tensor(type)])[0].tensor
      return [
        try rewriter.addConstant(
          result.real, shape: result.shape, hint: rewriter.name(of: node), like: node)
      ]
    }
  }
}
