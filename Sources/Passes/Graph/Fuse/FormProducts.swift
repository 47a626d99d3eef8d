import IR

/// The kernels that are products with an epilogue, as a fuse names them.
enum ProductKind: String, CaseIterable {
  /// 1 x 1, stride 1, any number of groups: a product of pixels by channels.
  case pointwise
  /// One filter a channel.
  case depthwise
  /// Everything else with one group.
  case convolution

  /// The kernel a convolution gets; nil when only general loops can run it.
  init?(_ convolution: Conv2D, input: [Int], weight: [Int]) {
    let isPlain =
      weight[2] == 1 && weight[3] == 1 && convolution.strides == [1, 1] && convolution.padding == [0, 0, 0, 0]
    if convolution.groups > 1, convolution.groups == input[1], weight[0] == input[1] {
      self = .depthwise
    } else if isPlain {
      self = .pointwise
    } else if convolution.groups == 1 {
      self = .convolution
    } else {
      return nil
    }
  }
}

/// Turns each convolution into a kernel of its own, and lets it take in what can run in its registers: element-wise ops
/// after it (bias, activation, scale, residual), a concatenation or interleaving of its inputs, and the input's
/// normalisation.
///
///     %c = conv2d(%x, %w, %b)            %s = fuse "pointwise" (%x, %w, %b, %r) {
///     %g = gelu(%c)               =>       %c = conv2d(...)  %g = gelu(%c)  %s = add(%g, %r)
///     %s = add(%g, %r)                   }
public struct FormProducts: Pass {
  public static let name = "form-products"
  public static let summary = "makes each convolution a kernel, with element-wise epilogue and concatenated inputs"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    try GraphRewriter.rewrite(graph) { rewriter, node in
      if let convolution = node.op as? Conv2D { return try product(&rewriter, convolution, node) }
      if let op = node.op as? any ElementwiseOp { return try absorbed(&rewriter, op, node) }
      return nil
    }
  }

  private func product(
    _ rewriter: inout GraphRewriter, _ convolution: Conv2D, _ node: Node
  ) throws -> [ValueID]? {
    let input = rewriter.graph.tensorType(of: node.operands[0])
    let weight = rewriter.graph.tensorType(of: node.operands[1]).shape
    guard input.element == .f32, rewriter.constant(node.operands[1]) != nil,
      node.operands.count < 3 || rewriter.constant(node.operands[2]) != nil,
      let kind = ProductKind(convolution, input: input.shape, weight: weight)
    else { return nil }
    var body = FuseBody(name: kind.rawValue)
    switch kind {
    case .pointwise:
      if let interleaved = InterleavedImages(
        node.operands[0], in: rewriter.graph,
        definition: { rewriter.useCount($0) == 1 ? rewriter.definition(of: $0) : nil })
      {
        for step in interleaved.nodes { try body.add(step, in: rewriter.graph) }
      } else if convolution.groups == 1, let (concat, producer) = rewriter.single(Concat.self, node.operands[0]),
        concat.axis == 1
      {
        try body.add(producer, in: rewriter.graph)
      }
    case .convolution:
      for step in normalization(rewriter, node.operands[0]) { try body.add(step, in: rewriter.graph) }
    case .depthwise:
      break
    }
    try body.add(node, in: rewriter.graph)
    return try rewriter.add(
      body.fuse(kernel: kind.rawValue), body.operands, name: rewriter.name(of: node), like: node)
  }

  /// `(x - mean) * scale` or `(x - mean) / std` in front of a convolution, one constant a channel each, in order.
  private func normalization(_ rewriter: GraphRewriter, _ value: ValueID) -> [Node] {
    var steps: [Node] = []
    var current = value
    while let node = rewriter.definition(of: current), rewriter.useCount(current) == 1,
      node.op is Subtract || node.op is Multiply || node.op is Divide || node.op is Add,
      let factor = rewriter.constant(node.operands[1]),
      channelVector(
        factor, shape: rewriter.graph.tensorType(of: node.operands[1]).shape,
        channels: rewriter.graph.tensorType(of: current).shape[1]) != nil,
      rewriter.graph.tensorType(of: node.operands[0]).shape == rewriter.graph.tensorType(of: current).shape
    {
      steps.insert(node, at: 0)
      current = node.operands[0]
    }
    return steps
  }

  /// An element-wise op joins the product that makes one of its operands, if the others are images of the same shape,
  /// constant or not, or constants, one a channel.
  private func absorbed(
    _ rewriter: inout GraphRewriter, _ op: any ElementwiseOp, _ node: Node
  ) throws -> [ValueID]? {
    let result = rewriter.graph.tensorType(of: node.results[0])
    // The operand made last is the chain; an earlier one then waits in memory, as a residual does.
    for operand in Set(node.operands).sorted().reversed() {
      guard let (fuse, producer) = rewriter.single(Fuse.self, operand), ProductKind(rawValue: fuse.kernel) != nil,
        rewriter.graph.tensorType(of: operand).shape == result.shape, result.rank == 4
      else { continue }
      let others = node.operands.filter { $0 != operand }
      let fits = others.allSatisfy { other in
        let type = rewriter.graph.tensorType(of: other)
        if let values = rewriter.constant(other),
          channelVector(values, shape: type.shape, channels: result.shape[1]) != nil
        {
          return true
        }
        // One image for the whole batch, like an embedding of positions, where the kernel runs image by image.
        let isShared = fuse.kernel == ProductKind.convolution.rawValue && type.shape.first == 1
        return isShared ? type.shape.dropFirst() == result.shape.dropFirst() : type.shape == result.shape
      }
      guard fits, node.operands.count - others.count == 1 else { continue }
      var body = FuseBody(extending: fuse, node: producer)
      try body.add(node, in: rewriter.graph)
      return try rewriter.add(
        body.fuse(kernel: fuse.kernel), body.operands, name: rewriter.name(of: node), like: node)
    }
    return nil
  }
}
