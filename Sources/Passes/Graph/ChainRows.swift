import IR

/// Runs an inverted residual band by band: pointwise, depthwise and pointwise kernels become one chain whose expanded
/// rows live in rings small enough for L2, where the whole expanded image would not fit.
///
///     %e = fuse "pointwise" (%x, ...)          %y = fuse "row_chain" (%x, ...) {rows = 2} {
///     %d = fuse "depthwise" (%e, ...)    =>      the three
///     %y = fuse "pointwise" (%d, ..., %x)      }
///
/// Chained only when fewer bytes then pass the edge of L2: the images between the three, written and read again where they
/// do not stay, against the weights, read again in every step where they do not stay beside the rings.
public struct ChainRows: Pass {
  public static let name = "chain-rows"
  public static let summary = "runs pointwise, depthwise, pointwise through rings of rows where the whole leaves L2"

  public var target: Target

  public init(target: Target) { self.target = target }

  public func run(_ graph: Graph) throws -> Graph {
    try GraphRewriter.rewrite(graph) { rewriter, node in
      guard let last = node.op as? Fuse, last.kernel == ProductKind.pointwise.rawValue,
        let (middle, middleNode) = rewriter.single(Fuse.self, node.operands[0]),
        middle.kernel == ProductKind.depthwise.rawValue,
        let (first, firstNode) = rewriter.single(Fuse.self, middleNode.operands[0]),
        first.kernel == ProductKind.pointwise.rawValue, first.readsOneImage, last.readsOneImage
      else { return nil }
      let expanded = rewriter.graph.tensorType(of: firstNode.results[0]).shape
      let narrow = rewriter.graph.tensorType(of: middleNode.results[0]).shape
      let weights = [first, middle, last].reduce(0) { $0 + $1.weightBytes }
      guard
        let choice = RowChainCost(
          expanded: expanded, narrowed: narrow, weightBytes: weights, window: middle.rowWindow, target: target
        ).choice
      else { return nil }
      var body = FuseBody(name: "row_chain")
      for part in [firstNode, middleNode, node] { try body.add(part, in: rewriter.graph) }
      let schedule = [
        Attribute("rows", .integer(choice.rows)), Attribute("ring_bytes", .integer(choice.ringBytes)),
        Attribute("reason", .string(choice.reason)),
      ]
      return try rewriter.add(
        body.fuse(kernel: "row_chain", schedule: schedule), body.operands, name: rewriter.name(of: node), like: node)
    }
  }
}

/// Whether a chain pays, and how many rows a step makes.
struct RowChainCost {
  /// Shape of the expanded image, before the depthwise convolution, and of the image after it.
  var expanded: [Int]
  var narrowed: [Int]
  /// Bytes of the weights of all three.
  var weightBytes: Int
  var window: Window
  var target: Target

  struct Choice {
    var rows: Int
    var ringBytes: Int
    var reason: String
  }

  /// What an image may take of L2, and rings.
  private var budget: Int { target.cache.l2 / 2 }

  private func rowBytes(_ shape: [Int]) -> Int {
    shape[3] * roundUp(shape[1], toMultipleOf: target.lanes) * 4
  }

  /// Bytes of the expanded ring and of the depthwise band for `rows` output rows a step.
  func ringBytes(rows: Int) -> Int {
    let block = rows * window.stride
    let slots = 1 + ceilDivide(max(0, window.extent - window.stride), block)
    return slots * block * rowBytes(expanded) + rows * rowBytes(narrowed)
  }

  /// Bytes that pass the edge of L2 when each of the three makes its whole image: those too large to stay, written and
  /// read again.
  private var apartBytes: Int {
    [expanded, narrowed].map { $0[2] * rowBytes($0) }.filter { $0 > budget }.reduce(0) { $0 + 2 * $1 }
  }

  /// Bytes of weights that pass it in a chain.
  private func chainedBytes(rows: Int) -> Int {
    let stays = weightBytes + ringBytes(rows: rows) <= target.cache.l2
    return stays ? 0 : weightBytes * ceilDivide(narrowed[2], rows)
  }

  var choice: Choice? {
    guard apartBytes > 0 else { return nil }
    // More than a few hundred pixels a call gain nothing: the weights are read once a call.
    let useful = max(1, ceilDivide(224, narrowed[3]))
    let fitting = (1...min(narrowed[2], useful)).filter { ringBytes(rows: $0) <= budget }
    // Wide images: one row a step leaves L2 too, but it returns from the next level, where the whole would not.
    let rows = fitting.last ?? 1
    let bytes = chainedBytes(rows: rows)
    guard bytes < apartBytes else { return nil }
    return Choice(
      rows: rows, ringBytes: ringBytes(rows: rows),
      reason: "past L2: \(bytes / 1024) KiB of weights against \(apartBytes / 1024) KiB of images; "
        + "\(ringBytes(rows: rows) / 1024) KiB of rings")
  }
}

extension Fuse {
  /// Whether the convolution reduces over all channels of an image that comes from outside as it is.
  fileprivate var readsOneImage: Bool {
    guard let (node, op) = convolution else { return false }
    return op.groups == 1 && body.inputs.contains(node.operands[0])
  }

  /// The convolution a product fuse is built around; nil for other kernels.
  var convolution: (node: Node, op: Conv2D)? {
    for node in body.nodes {
      if let op = node.op as? Conv2D { return (node, op) }
    }
    return nil
  }

  /// Bytes of the weights of a product fuse, without padding.
  fileprivate var weightBytes: Int {
    guard let (node, _) = convolution else { return 0 }
    return body.tensorType(of: node.operands[1]).count * 4
  }

  /// The vertical window of a product fuse.
  var rowWindow: Window {
    guard let (node, op) = convolution else { return Window(kernel: 1, stride: 1, dilation: 1, padding: 0) }
    let weight = body.tensorType(of: node.operands[1]).shape
    return Window(kernel: weight[2], stride: op.strides[0], dilation: op.dilation[0], padding: op.padding[0])
  }

  /// The horizontal window of a product fuse.
  var columnWindow: Window {
    guard let (node, op) = convolution else { return Window(kernel: 1, stride: 1, dilation: 1, padding: 0) }
    let weight = body.tensorType(of: node.operands[1]).shape
    return Window(kernel: weight[3], stride: op.strides[1], dilation: op.dilation[1], padding: op.padding[1])
  }
}
