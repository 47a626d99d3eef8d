import IR

/// Hypergraphs: their construction is a kernel, and so is the averaging through them.
///
///     %h = neighborhood(%x, %m) {kind = "hypergraph", ...}   =>   %h = fuse "fuzzy_c_means" (%x, %m) { ... }
///     %a = incidence_mean(%e, %h) {to = "nodes"}
///     %s = multiply(%x, %scale)
///     %y = add(%s, %a)                                       =>   %y = fuse "incidence_mean" (%e, %h, %x, %scale) { ... }
extension FuseNeighborhood {
  /// A hypergraph whose clustering a kernel knows.
  func clustered(
    _ rewriter: inout GraphRewriter, _ build: BuildNeighborhood, _ node: Node, _ chooser: inout LoweringChooser
  ) throws -> [ValueID]? {
    guard let clustering = build.construction.clustering, rewriter.isImage(node.operands[0]) else { return nil }
    let candidate = LoweringCandidate(
      FuzzyCMeansKernel.Lowering.products.rawValue,
      cost: Double(2 * clustering.mostRounds * clustering.hyperedges),
      reason: "at most \(clustering.mostRounds) rounds of two products with \(clustering.hyperedges) centres")
    var body = FuseBody(name: "fuzzy_c_means")
    try body.add(node, in: rewriter.graph)
    let schedule = try chooser.schedule([candidate], node: node, value: rewriter.name(of: node))
    return try rewriter.add(
      body.fuse(kernel: "fuzzy_c_means", schedule: schedule), body.operands, name: rewriter.name(of: node), like: node)
  }

  func averaged(_ rewriter: inout GraphRewriter, _ node: Node) throws -> [ValueID]? {
    guard rewriter.isImage(node.operands[0]) else { return nil }
    var body = FuseBody(name: "incidence_mean")
    try body.add(node, in: rewriter.graph)
    return try rewriter.add(
      body.fuse(kernel: "incidence_mean"), body.operands, name: rewriter.name(of: node), like: node)
  }

  /// A mean over hyperedges takes in the image that it is added to, and that image's factor.
  func addedToMean(_ rewriter: inout GraphRewriter, _ node: Node) throws -> [ValueID]? {
    guard node.operands.count == 2 else { return nil }
    for (mean, other) in [(node.operands[0], node.operands[1]), (node.operands[1], node.operands[0])] {
      guard let (fuse, producer) = rewriter.single(Fuse.self, mean), fuse.kernel == "incidence_mean",
        fuse.body.nodes.count == 1, mean != other, rewriter.graph.type(of: mean) == rewriter.graph.type(of: other)
      else { continue }
      var body = FuseBody(extending: fuse, node: producer)
      if let (_, scaling) = rewriter.single(Multiply.self, other),
        scaling.operands.contains(where: { rewriter.constant($0)?.count == 1 }),
        scaling.operands.contains(where: { rewriter.graph.type(of: $0) == rewriter.graph.type(of: mean) })
      {
        try body.add(scaling, in: rewriter.graph)
      }
      try body.add(node, in: rewriter.graph)
      return try rewriter.add(
        body.fuse(kernel: fuse.kernel), body.operands, name: rewriter.name(of: node), like: node)
    }
    return nil
  }
}

extension GraphRewriter {
  /// Whether a value is a batch of float32 images, as kernels read them.
  fileprivate func isImage(_ value: ValueID) -> Bool {
    graph.type(of: value).tensor.map { $0.element == .f32 && $0.rank == 4 } ?? false
  }
}
