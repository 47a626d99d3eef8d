import IR

/// Folds a multiplication by one constant a channel, like a layer scale, into the convolution before it.
///
///     %c = conv2d(%x, %w, %b)            %m = conv2d(%x, %w', %b')
///     %m = multiply(%c, %s)       =>
///
/// `%s` has one element, or one a channel ((C, 1, 1) or (1, C, 1, 1)); w' = s w and b' = s b, in double.
public struct FoldScale: Pass {
  public static let name = "fold-scale"
  public static let summary = "folds a constant factor a channel (a layer scale) into the convolution before it"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    try GraphRewriter.rewrite(graph) { rewriter, node in
      guard node.op is Multiply else { return nil }
      for (chain, factor) in [(0, 1), (1, 0)] {
        guard let (convolution, producer) = rewriter.single(Conv2D.self, node.operands[chain]),
          let values = rewriter.constant(node.operands[factor])
        else { continue }
        let result = rewriter.graph.tensorType(of: node.operands[chain])
        guard rewriter.graph.tensorType(of: node.results[0]).shape == result.shape,
          let scale = channelVector(
            values, shape: rewriter.graph.tensorType(of: node.operands[factor]).shape, channels: result.shape[1])
        else { continue }
        let operands = try scaledConvolution(&rewriter, producer, scale: scale) { $1 * scale[$0] }
        guard let operands else { continue }
        return try rewriter.add(convolution, operands, name: rewriter.name(of: node), like: node)
      }
      return nil
    }
  }
}

/// The values of a constant that broadcasts over an image as one value a channel; nil for any other shape.
func channelVector(_ values: [Double], shape: [Int], channels: Int) -> [Double]? {
  guard isChannelShape(shape, channels: channels) else { return nil }
  return values.count == 1 ? [Double](repeating: values[0], count: channels) : values
}

/// Whether a tensor of this shape broadcasts over an image as one value a channel.
func isChannelShape(_ shape: [Int], channels: Int) -> Bool {
  if shape.reduce(1, *) == 1 { return true }
  let aligned = [Int](repeating: 1, count: max(0, 4 - shape.count)) + shape
  return aligned == [1, channels, 1, 1]
}
