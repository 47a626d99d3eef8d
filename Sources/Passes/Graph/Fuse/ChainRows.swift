import IR

/// Runs products one after the other band by band: a chain whose rows in between live in rings. The rings fit in L2
/// when the whole images would not.
///
///     %e = fuse "pointwise" (%x, ...)          %y = fuse "row_chain" (%x, ...) {rows = 2} {
///     %d = fuse "depthwise" (%e, ...)    =>      the three
///     %y = fuse "pointwise" (%d, ..., %x)      }
///
/// Which products follow each other is `RowChainKernel.patterns`. They are chained only when fewer bytes then pass the
/// edge of L2 (`RowChainCost`): images in between that are too large for L2 are written and read again, and so are
/// weights, in every step, that do not fit beside the rings.
public struct ChainRows: Pass {
  public static let name = "chain-rows"
  public static let summary = "runs products through rings of rows where the images between them leave L2"

  public var target: Target

  public init(target: Target) { self.target = target }

  public func run(_ graph: Graph) throws -> Graph {
    // Patterns are tried one after the other, so that a pair does not take the head of a longer chain.
    try RowChainKernel.patterns.reduce(graph) { graph, pattern in
      try GraphRewriter.rewrite(graph) { rewriter, node in
        guard let parts = try chain(pattern, endingIn: node, rewriter),
          let schedule = RowChainCost(parts.map(\.kernel), target: target).schedule
        else { return nil }
        var body = FuseBody(name: RowChainKernel.name)
        for part in parts { try body.add(part.node, in: rewriter.graph) }
        return try rewriter.add(
          body.fuse(kernel: RowChainKernel.name, schedule: schedule.attributes), body.operands,
          name: rewriter.name(of: node), like: node)
      }
    }
  }

  /// The products of these kernels that end in a node; each is read by the next one only.
  private func chain(
    _ pattern: [KernelName], endingIn node: Node, _ rewriter: GraphRewriter
  ) throws -> [(kernel: any ProductKernel, node: Node)]? {
    var parts: [(kernel: any ProductKernel, node: Node)] = []
    var current = node
    for name in pattern.reversed() {
      if let next = parts.first {
        guard let (_, producer) = rewriter.single(Fuse.self, next.node.operands[0]) else { return nil }
        current = producer
      }
      guard let site = rewriter.site(current), site.fuse.kernel == name,
        let kernel = try Kernels.read(site) as? any ProductKernel, kernel.canBeChained
      else { return nil }
      parts.insert((kernel, current), at: 0)
    }
    // An image that a later product adds must be in memory whole.
    let made = Set(parts.dropLast().flatMap(\.node.results))
    return parts.allSatisfy { made.isDisjoint(with: $0.kernel.product.residuals) } ? parts : nil
  }
}
