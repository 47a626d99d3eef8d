import IR

/// Computes nodes whose operands are all constants, with the interpreter in double.
///
///     %a = constant ...
///     %b = sqrt(%a)               =>    %b = constant ...
///
/// Only float32 results are folded: the constant store holds what kernels read.
public struct FoldConstants: Pass {
  public static let name = "fold-constants"
  public static let summary = "computes what depends on constants only"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    try GraphRewriter.rewrite(graph) { rewriter, node in
      guard !(node.op is Constant), node.results.count == 1, node.op.region == nil, !node.operands.isEmpty,
        let type = rewriter.graph.type(of: node.results[0]).tensor, type.element == .f32
      else { return nil }
      var operands: [RuntimeValue<Double>] = []
      for operand in node.operands {
        guard let values = rewriter.constant(operand) else { return nil }
        let shape = rewriter.graph.tensorType(of: operand).shape
        operands.append(.tensor(Tensor(shape: shape, real: values)))
      }
      let result = try node.op.evaluateWithinLimit(operands, results: [.tensor(type)])[0].tensor
      return [
        try rewriter.addConstant(
          result.real, shape: result.shape, hint: rewriter.name(of: node), like: node)
      ]
    }
  }
}
