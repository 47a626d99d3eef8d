import IR

/// Makes a global average pool a kernel that reads channels-last images.
///
///     %p = global_average_pool(%x)    =>    %p = fuse "global_pool" (%x) { ... }
public struct FormPools: Pass {
  public static let name = "form-pools"
  public static let summary = "makes global average pools kernels over channels-last images"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    try GraphRewriter.rewrite(graph) { rewriter, node in
      guard node.op is GlobalAveragePool, rewriter.graph.tensorType(of: node.operands[0]).element == .f32 else {
        return nil
      }
      var body = FuseBody(name: "global_pool")
      try body.add(node, in: rewriter.graph)
      return try rewriter.add(
        body.fuse(kernel: "global_pool"), body.operands, name: rewriter.name(of: node), like: node)
    }
  }
}
