import IR

/// Runs products one after the other band by band: a chain whose rows in between live in rings small enough for L2, where
/// the whole images would not fit.
///
///     %e = fuse "pointwise" (%x, ...)          %y = fuse "row_chain" (%x, ...) {rows = 2} {
///     %d = fuse "depthwise" (%e, ...)    =>      the three
///     %y = fuse "pointwise" (%d, ..., %x)      }
///
/// Inverted residuals, feed-forward pairs of pointwise products, and pairs of dense convolutions, like a stem. Chained only
/// when fewer bytes then pass the edge of L2: the images in between, written and read again where they do not stay, against
/// the weights, read again in every step where they do not stay beside the rings.
public struct ChainRows: Pass {
  public static let name = "chain-rows"
  public static let summary = "runs products through rings of rows where the images between them leave L2"

  /// What is chained, the longest first.
  private static let patterns: [[ProductKind]] = [
    [.pointwise, .depthwise, .pointwise], [.pointwise, .pointwise], [.convolution, .convolution],
  ]

  public var target: Target

  public init(target: Target) { self.target = target }

  public func run(_ graph: Graph) throws -> Graph {
    // One pattern after the other: a pair must not take the head of a longer chain.
    try Self.patterns.reduce(graph) { graph, pattern in
      try GraphRewriter.rewrite(graph) { rewriter, node in
        guard let parts = chain(pattern, endingIn: node, &rewriter),
          let choice = RowChainCost(parts.map(\.fuse), target: target).choice
        else { return nil }
        var body = FuseBody(name: "row_chain")
        for part in parts { try body.add(part.node, in: rewriter.graph) }
        let schedule = [
          Attribute("rows", .integer(choice.rows)), Attribute("ring_bytes", .integer(choice.ringBytes)),
          Attribute("reason", .string(choice.reason)),
        ]
        return try rewriter.add(
          body.fuse(kernel: "row_chain", schedule: schedule), body.operands, name: rewriter.name(of: node), like: node)
      }
    }
  }

  /// The products of these kinds that end in a node, each read by the next one only.
  private func chain(
    _ pattern: [ProductKind], endingIn node: Node, _ rewriter: inout GraphRewriter
  ) -> [(fuse: Fuse, node: Node)]? {
    guard let last = node.op as? Fuse, last.kernel == pattern.last?.rawValue, last.readsOneImage else { return nil }
    var parts = [(fuse: last, node: node)]
    for kind in pattern.dropLast().reversed() {
      guard let (fuse, producer) = rewriter.single(Fuse.self, parts[0].node.operands[0]),
        fuse.kernel == kind.rawValue, fuse.readsOneImage
      else { return nil }
      parts.insert((fuse, producer), at: 0)
    }
    return parts
  }
}

/// Whether a chain pays, and how many rows a step makes. For one worker: each of several reads the weights as often, for
/// fewer rows, and the graph does not depend on how many there are.
struct RowChainCost {
  /// Bytes of a row of each image in between, and the rows it has.
  private var imagesBetween: [(rowBytes: Int, rows: Int)] = []
  private var windows: [Window]
  /// Bytes of the weights of all stages.
  private var weightBytes: Int
  private var outputRows: Int
  private var outputWidth: Int
  /// Whether a stage makes several rows in one call.
  private var takesBlocks: Bool
  private var target: Target

  /// - Parameter stages: products, each reading the one before.
  init(_ stages: [Fuse], target: Target) {
    self.target = target
    let shapes = stages.map(\.resultShape)
    imagesBetween = shapes.dropLast().map { shape in
      (shape[3] * roundUp(shape[1], toMultipleOf: target.lanes) * 4, shape[2])
    }
    windows = stages.map(\.rowWindow)
    weightBytes = stages.reduce(0) { $0 + $1.weightBytes }
    outputRows = shapes.last?[2] ?? 1
    outputWidth = shapes.last?[3] ?? 1
    takesBlocks = stages.contains { $0.kernel == ProductKind.pointwise.rawValue }
  }

  struct Choice {
    var rows: Int
    var ringBytes: Int
    var reason: String
  }

  /// What an image may take of L2, and rings.
  private var budget: Int { target.cache.l2 / 2 }

  /// Bytes of all rings for `rows` output rows a step.
  private func ringBytes(rows: Int) -> Int {
    zip(RowRings(windows: windows, rowsPerStep: rows).ringRows, imagesBetween).reduce(0) { $0 + $1.0 * $1.1.rowBytes }
  }

  /// Images larger than this return from memory, where weights and smaller images come from the last cache; and how much
  /// dearer a byte is then (60 and 21, or 36 and 18 GB/s on Zen 3, by `Benchmarks/compare`).
  private static let farImage = 8 << 20
  private static let farPrice = 3

  /// Bytes that pass the edge of L2 when each stage makes its whole image: those too large to stay, written and read
  /// again.
  private var apartBytes: Int {
    imagesBetween.map { $0.rows * $0.rowBytes }.filter { $0 > budget }
      .reduce(0) { $0 + 2 * $1 * ($1 > Self.farImage ? Self.farPrice : 1) }
  }

  /// Bytes of weights that pass it in a chain.
  private func chainedBytes(rows: Int) -> Int {
    let stays = weightBytes + ringBytes(rows: rows) <= target.cache.l2
    return stays ? 0 : weightBytes * ceilDivide(outputRows, rows)
  }

  var choice: Choice? {
    guard apartBytes > 0 else { return nil }
    // More than a few hundred pixels a call gain nothing: the weights are read once a call.
    let useful = takesBlocks ? max(1, ceilDivide(224, outputWidth)) : 1
    let fitting = (1...min(outputRows, useful)).filter { ringBytes(rows: $0) <= budget }
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
  /// Whether a chain can hold the product: its one image is the first operand, which only a dense convolution may scale and
  /// shift in front, and it reduces over all channels, or over one each.
  fileprivate var readsOneImage: Bool {
    guard let (node, op) = convolution, interleavedImages == nil, !body.nodes.contains(where: { $0.op is Concat })
    else { return false }
    switch ProductKind(rawValue: kernel) {
    case .pointwise: return op.groups == 1 && body.inputs.first == node.operands[0]
    case .depthwise: return body.inputs.first == node.operands[0]
    case .convolution: return op.groups == 1 && (readsFirstOperand)
    case nil: return false
    }
  }

  /// Whether the convolution reads the first operand, as it is or made into something else inside.
  private var readsFirstOperand: Bool {
    guard var value = convolution?.node.operands[0] else { return false }
    while let producer = body.nodes.first(where: { $0.results.contains(value) }) { value = producer.operands[0] }
    return value == body.inputs.first
  }

  fileprivate var resultShape: [Int] { body.outputs.first.map { body.tensorType(of: $0).shape } ?? [] }

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
