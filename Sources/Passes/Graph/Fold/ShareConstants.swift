import IR

/// Makes constants of equal contents one constant, which some exporters do and others do not.
///
///     %a = constant {name = "a"}
///     %b = constant {name = "b"}, the same numbers
///     %y = add(%x, %b)                =>    %y = add(%x, %a)
///
/// Small ones stay separate: sharing them saves nothing. Of equal ones the first in the graph stays.
public struct ShareConstants: Pass {
  public static let name = "share-constants"
  public static let summary = "lets constants of equal contents be one"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    var known: [TensorData: ValueID] = [:]
    return try GraphRewriter.rewrite(graph) { rewriter, node in
      guard let constant = node.op as? Constant, case .named(let name) = constant.source,
        constant.type.layout == .rowMajor, constant.type.quantization == nil,
        let data = rewriter.graph.weights[name], data.count > Constant.inlineLimit
      else { return nil }
      if let first = known[data] { return [first] }
      known[data] = node.results[0]
      return nil
    }
  }
}
