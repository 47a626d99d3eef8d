import IR

/// Makes a SiLU of the operations that define it.
///
///     %s = sigmoid(%x)
///     %y = multiply(%x, %s)       =>   %y = silu(%x)
///
/// Values in between may have other readers.
public struct RaiseSilu: Pass {
  public static let name = "raise-silu"
  public static let summary = "makes SiLUs of products of a value and its sigmoid"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    try GraphRewriter.rewrite(graph) { rewriter, node in
      guard node.op is Multiply, rewriter.graph.type(of: node.results[0]).tensor?.element.isFloat == true else {
        return nil
      }
      for (x, other) in [(0, 1), (1, 0)].map({ (node.operands[$0.0], node.operands[$0.1]) }) {
        guard let sigmoid = rewriter.definition(of: other), sigmoid.op is Sigmoid, sigmoid.operands == [x] else {
          continue
        }
        return try rewriter.add(Silu(), [x], name: rewriter.name(of: node), like: node)
      }
      return nil
    }
  }
}
