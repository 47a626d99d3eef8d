import IR

/// Restores the rows and columns of images that an exporter flattened into one long column while it computed with each
/// pixel by itself.
///
///     %p = reshape(%x) : [N, C, H * W, 1]
///     %c = conv2d(%p, ...)                          pointwise
///     %g = gelu(%c)
///     %y = reshape(%g) : [N, D, H, W]      =>
///
///     %p = reshape(%x) : [N, C, H, W]
///     %c = conv2d(%p, ...)
///     %y = gelu(%c)
///
/// Values in between may have no other readers. Reshapes of reshapes become one.
public struct RaiseImage: Pass {
  public static let name = "raise-image"
  public static let summary = "gives pixels their rows and columns back where an exporter had them in one column"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    try GraphRewriter.rewrite(graph) { rewriter, node in
      guard node.op is Reshape else { return nil }
      let shape = rewriter.graph.tensorType(of: node.results[0]).shape
      if let before = rewriter.definition(of: node.operands[0]), before.op is Reshape {
        return [try rewriter.reshaped(before.operands[0], shape, like: node)]
      }
      let column = rewriter.graph.tensorType(of: node.operands[0]).shape
      guard shape.count == 4, column.count == 4, Array(shape[..<2]) == Array(column[..<2]) else { return nil }
      var chain: [Node] = []
      var value = node.operands[0]
      while let step = rewriter.definition(of: value), isPixelwise(step, rewriter), rewriter.useCount(value) == 1 {
        chain.append(step)
        value = step.operands[0]
      }
      guard let start = rewriter.definition(of: value), start.op is Reshape, !chain.isEmpty else { return nil }
      let channels = rewriter.graph.tensorType(of: value).shape[1]
      var image = try rewriter.reshaped(value, [shape[0], channels, shape[2], shape[3]], like: node)
      for step in chain.reversed() {
        let operands = [image] + step.operands.dropFirst()
        image = try rewriter.add(step.op, operands, name: rewriter.name(of: step), like: step)[0]
      }
      return [image]
    }
  }

  /// Whether each pixel of a node's result depends on that pixel of its first operand only.
  private func isPixelwise(_ node: Node, _ rewriter: GraphRewriter) -> Bool {
    if node.op is any UnaryOp || node.op is BatchNorm { return true }
    guard let convolution = node.op as? Conv2D else { return false }
    return rewriter.graph.tensorType(of: node.operands[1]).shape[2...] == [1, 1] && convolution.strides == [1, 1]
      && convolution.padding == [0, 0, 0, 0]
  }
}
