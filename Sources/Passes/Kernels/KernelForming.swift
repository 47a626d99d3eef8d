import IR

/// Makes fuses of a phase's kernels while a pass walks a graph: a node joins the fuse that makes one of its operands if
/// that fuse's kernel takes it in; otherwise it becomes a fuse of the first kernel that matches it.
struct KernelForming {
  let phase: KernelPhase
  private var chooser: LoweringChooser
  /// Results of nodes that an earlier fuse took in, and the fuse's results in their place.
  private var exposed: [ValueID: ValueID] = [:]

  init(_ phase: KernelPhase, requests: LoweringRequests = LoweringRequests()) {
    self.phase = phase
    chooser = LoweringChooser(requests)
  }

  /// The graph with the phase's kernels.
  /// - Throws: A `Diagnostic` if a lowering that was asked for does not exist or does not apply.
  mutating func run(_ graph: Graph) throws -> Graph {
    var forming = self
    let result = try GraphRewriter.rewrite(graph) { rewriter, node in try forming.formed(node, &rewriter) }
    try forming.chooser.requireAllMet()
    self = forming
    return result
  }

  private mutating func formed(_ node: Node, _ rewriter: inout GraphRewriter) throws -> [ValueID]? {
    if let known = node.results.first.flatMap({ exposed[$0] }) { return [known] }
    if node.op is Fuse || node.op is Constant { return nil }
    return try joined(node, &rewriter) ?? started(node, &rewriter)
  }

  /// If several operands are made by fuses, the last fuse takes the node in; the results of earlier ones wait in
  /// memory, as a residual does.
  private func joined(_ node: Node, _ rewriter: inout GraphRewriter) throws -> [ValueID]? {
    for operand in Set(node.operands).sorted().reversed() {
      guard let (fuse, producer) = rewriter.single(Fuse.self, operand) else { continue }
      let type = try Kernels.named(fuse.kernel)
      guard type.phase == phase, let site = rewriter.site(producer),
        let nodes = try type.init(site).absorbing(node, in: rewriter)
      else { continue }
      var body = FuseBody(extending: fuse, operands: producer.operands, results: producer.results)
      for inner in nodes { try body.add(inner, in: rewriter.graph) }
      let extended = body.fuse(kernel: fuse.kernel, schedule: fuse.schedule)
      return try rewriter.add(extended, body.operands, name: rewriter.name(of: node), like: node)
    }
    return nil
  }

  private mutating func started(_ node: Node, _ rewriter: inout GraphRewriter) throws -> [ValueID]? {
    for type in Kernels.all where type.phase == phase {
      guard let match = type.match(node, in: rewriter) else { continue }
      var body = FuseBody(name: type.name)
      for inner in match.nodes { try body.add(inner, in: rewriter.graph) }
      for inner in match.exposed { body.expose(inner.results) }
      var schedule: [Attribute] = []
      if !match.candidates.isEmpty {
        let subject = match.subject ?? node
        schedule = try chooser.choose(match.candidates, node: subject, value: rewriter.name(of: subject)).attributes
      }
      let fuse = body.fuse(kernel: type.name, schedule: schedule)
      let results = try rewriter.add(fuse, body.operands, name: rewriter.name(of: node), like: node)
      for (value, result) in zip(match.exposed.flatMap(\.results), results.dropFirst()) { exposed[value] = result }
      return [results[0]]
    }
    return nil
  }
}
