import IR

/// Folds the addition of a convolution's own input into the convolution, like the identity branch of a positional
/// encoding.
///
///     %c = conv2d(%x, %w, %b)            %a = conv2d(%x, %w', %b)
///     %a = add(%c, %x)            =>
///
/// w' is w with 1 added, in double, to the tap through which output channel n reads its own pixel of channel n. Folded
/// only if there is such a tap: stride 1, as many channels and pixels out as in, and padding that a tap undoes.
public struct FoldIdentity: Pass {
  public static let name = "fold-identity"
  public static let summary = "adds a convolution's own input (an identity branch) through its weights"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    try GraphRewriter.rewrite(graph) { rewriter, node in
      guard node.op is Add else { return nil }
      for (chain, identity) in [(0, 1), (1, 0)] {
        guard let (convolution, producer) = rewriter.single(Conv2D.self, node.operands[chain]),
          producer.operands[0] == node.operands[identity],
          var weight = rewriter.constant(producer.operands[1]),
          rewriter.graph.tensorType(of: producer.results[0]).shape
            == rewriter.graph.tensorType(of: producer.operands[0]).shape
        else { continue }
        let shape = rewriter.graph.tensorType(of: producer.operands[1]).shape
        guard convolution.strides == [1, 1],
          let row = ownTap(padding: convolution.padding[0], dilation: convolution.dilation[0], kernel: shape[2]),
          let column = ownTap(padding: convolution.padding[1], dilation: convolution.dilation[1], kernel: shape[3])
        else { continue }
        for channel in 0..<shape[0] {
          // Output channel n lies in group n / (channels a group), and reads that group's channels only.
          let index = ((channel * shape[1] + channel % shape[1]) * shape[2] + row) * shape[3] + column
          weight[index] += 1
        }
        let base = rewriter.constantName(of: producer.operands[1])
        var operands = producer.operands
        operands[1] = try rewriter.addConstant(weight, shape: shape, hint: "\(base).folded", like: producer)
        return try rewriter.add(convolution, operands, name: rewriter.name(of: node), like: node)
      }
      return nil
    }
  }

  /// The tap that reads the input at the output's own position.
  private func ownTap(padding: Int, dilation: Int, kernel: Int) -> Int? {
    padding % dilation == 0 && padding / dilation < kernel ? padding / dilation : nil
  }
}
