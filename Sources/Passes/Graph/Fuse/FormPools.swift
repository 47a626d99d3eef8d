import IR

/// Makes pools kernels that read channels-last images: the global average, and averages over windows that lie inside.
///
///     %p = global_average_pool(%x)    =>    %p = fuse "global_pool" (%x) { ... }
///     %q = average_pool(%x)           =>    %q = fuse "average_pool" (%x) { ... }
public struct FormPools: Pass {
  public static let name = "form-pools"
  public static let summary = "makes average pools kernels over channels-last images"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    try GraphRewriter.rewrite(graph) { rewriter, node in
      guard let input = node.operands.first.flatMap({ rewriter.graph.type(of: $0).tensor }), input.element == .f32,
        let kernel = kernel(node.op, input: input.shape, result: rewriter.graph.type(of: node.results[0]))
      else { return nil }
      var body = FuseBody(name: kernel)
      try body.add(node, in: rewriter.graph)
      return try rewriter.add(body.fuse(kernel: kernel), body.operands, name: rewriter.name(of: node), like: node)
    }
  }

  private func kernel(_ op: any Op, input: [Int], result: ValueType) -> String? {
    if op is GlobalAveragePool { return "global_pool" }
    guard let pool = op as? AveragePool, pool.padding == [0, 0, 0, 0], let result = result.tensor else { return nil }
    let isInside = [0, 1].allSatisfy { (axis: Int) -> Bool in
      let last: Int = (result.shape[2 + axis] - 1) * pool.strides[axis]
      return last + pool.kernel[axis] <= input[2 + axis]
    }
    return isInside ? "average_pool" : nil
  }
}
