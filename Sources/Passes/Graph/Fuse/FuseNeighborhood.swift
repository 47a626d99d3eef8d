import IR

/// Joins the construction of a graph with the aggregation over it where one kernel does both, and chooses how each
/// construction is lowered.
///
///     %n = neighborhood(%x) {kind = "svga", step = 2}
///     %a = aggregate(%x, %n) {kind = "max_relative"}        =>
///
///     %a = fuse "max_relative" (%x) {lowering = "windowed", ...} { the two }
///
/// A graph of indices stays a value, made by a kernel of its own and read by another:
///
///     %n = fuse "nearest" (%x) {lowering = "streamed_top_k", ...} { %n = neighborhood(%x) {kind = "knn", k = 9} }
///     %a = fuse "indexed_max_relative" (%x, %n) { %a = aggregate(%x, %n) {kind = "max_relative"} }
///
/// The choice: the cheapest of the lowerings that apply, by the estimate of its form (`OffsetsCost`,
/// `GatedOffsetsCost`, `IndicesCost`), unless the user asked for another. What was chosen, why, and what it was chosen over is in the
/// schedule.
public struct FuseNeighborhood: Pass {
  public static let name = "fuse-neighborhood"
  public static let summary = "joins graph construction with aggregation and chooses their lowering by cost"

  public var requests: LoweringRequests

  public init(requests: LoweringRequests = LoweringRequests()) { self.requests = requests }

  public func run(_ graph: Graph) throws -> Graph {
    var chooser = LoweringChooser(requests)
    var exposed: [ValueID: ValueID] = [:]
    let result = try GraphRewriter.rewrite(graph) { rewriter, node in
      if let build = node.op as? BuildNeighborhood {
        return try clustered(&rewriter, build, node, &chooser) ?? nearest(&rewriter, build, node, &chooser)
      }
      if node.op is IncidenceMean { return try averaged(&rewriter, node) }
      if node.op is Add { return try addedToMean(&rewriter, node) }
      if node.op is Links, let known = exposed[node.operands[0]] { return [known] }
      guard let aggregate = node.op as? Aggregate else { return nil }
      if let results = try indexed(&rewriter, aggregate, node) { return results }
      let links = graph.nodes.first { $0.op is Links && $0.operands == [node.operands[1]] }
      guard let results = try joined(&rewriter, aggregate, node, links: links, &chooser) else { return nil }
      if results.count > 1 { exposed[node.operands[1]] = results[1] }
      return [results[0]]
    }
    try chooser.requireAllMet()
    return result
  }

  /// An aggregation over fixed or gated offsets, with the construction of its graph, and with the node that brings the
  /// graph's links out where there is one.
  private func joined(
    _ rewriter: inout GraphRewriter, _ aggregate: Aggregate, _ node: Node, links: Node?,
    _ chooser: inout LoweringChooser
  ) throws -> [ValueID]? {
    guard aggregate.kind == .maxRelative,
      let builder = rewriter.definition(of: node.operands[1]), let build = builder.op as? BuildNeighborhood,
      rewriter.useCount(node.operands[1]) == (links == nil ? 1 : 2),
      case .neighborhood(let type) = rewriter.graph.type(of: node.operands[1])
    else { return nil }
    let kernel: String
    let candidates: [LoweringCandidate]
    switch type.form {
    case .offsets(let offsets):
      kernel = "max_relative"
      candidates =
        OffsetsCost(
          offsets: offsets, height: type.height, width: type.width, startsAtZero: aggregate.start == 0
        ).candidates
    case .gatedOffsets(let offsets):
      // The kernel measures distances in the image it aggregates, by a test it knows.
      guard builder.operands == [node.operands[0]],
        build.construction.gate(height: type.height, width: type.width) != nil
      else { return nil }
      kernel = "gated_max_relative"
      candidates =
        GatedOffsetsCost(offsets: offsets, height: type.height, width: type.width, showsGates: links != nil).candidates
    case .indices, .incidence:
      return nil
    }
    var body = FuseBody(name: kernel)
    try body.add(builder, in: rewriter.graph)
    if let links { try body.add(links, in: rewriter.graph) }
    try body.add(node, in: rewriter.graph)
    if let links { body.expose(links.results) }
    let schedule = try chooser.schedule(
      candidates, node: builder, value: rewriter.name(of: builder))
    return try rewriter.add(
      body.fuse(kernel: kernel, schedule: schedule), body.operands, name: rewriter.name(of: node), like: node)
  }
}
