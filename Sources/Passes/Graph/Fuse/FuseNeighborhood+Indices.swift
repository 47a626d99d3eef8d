import IR

extension FuseNeighborhood {
  /// A graph of indices whose measure kernels know, as a kernel of its own.
  func nearest(
    _ rewriter: inout GraphRewriter, _ build: BuildNeighborhood, _ node: Node, _ chooser: inout LoweringChooser
  ) throws -> [ValueID]? {
    guard case .indices(_, let candidates)? = rewriter.graph.type(of: node.results[0]).neighborhood?.form,
      build.construction.selection != nil, isFloat32(node, rewriter)
    else { return nil }
    let shape = rewriter.graph.tensorType(of: node.operands[0]).shape
    let cost = IndicesCost(pixels: shape[2] * shape[3], candidates: candidates, channels: shape[1])
    var body = FuseBody(name: "nearest")
    try body.add(node, in: rewriter.graph)
    let schedule = try chooser.schedule(cost.lowerings, node: node, value: rewriter.name(of: node))
    return try rewriter.add(
      body.fuse(kernel: "nearest", schedule: schedule), body.operands, name: rewriter.name(of: node), like: node)
  }

  /// An aggregation over a graph of indices, wherever that comes from.
  func indexed(_ rewriter: inout GraphRewriter, _ aggregate: Aggregate, _ node: Node) throws -> [ValueID]? {
    guard aggregate.kind == .maxRelative,
      case .indices? = rewriter.graph.type(of: node.operands[1]).neighborhood?.form,
      // Padded channels are zeros: a start above that would show in them.
      aggregate.mapsZeroToZero, isFloat32(node, rewriter)
    else { return nil }
    var body = FuseBody(name: "indexed_max_relative")
    try body.add(node, in: rewriter.graph)
    return try rewriter.add(
      body.fuse(kernel: "indexed_max_relative"), body.operands, name: rewriter.name(of: node), like: node)
  }

  private func isFloat32(_ node: Node, _ rewriter: GraphRewriter) -> Bool {
    node.operands.allSatisfy { rewriter.graph.type(of: $0).tensor.map { $0.element == .f32 } ?? true }
  }
}
