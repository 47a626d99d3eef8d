import IR

/// A max-relative aggregation together with the construction of the graph it runs over, whose neighbours are offsets: what
/// the kernels of fixed and of gated offsets take.
struct OffsetAggregation {
  let aggregate: Aggregate
  let build: BuildNeighborhood
  let type: NeighborhoodType
  /// Whether the body also gives the links of the graph.
  let showsLinks: Bool
  /// The features that are aggregated, outside.
  let features: ValueID
  /// Whether the graph is of these features, rather than of another image.
  let isOfItsFeatures: Bool
  /// Their shape.
  let shape: [Int]

  /// Reads the body of a fuse.
  init(_ site: FuseSite) throws {
    let nodes = site.body.nodes
    let problem = site.diagnostic("runs a max-relative aggregation over a graph that its body builds")
    guard let node = nodes.first(where: { $0.op is Aggregate }), let joint = node.op as? Aggregate,
      joint.kind == .maxRelative, let builder = site.producer(node.operands[1]),
      let build = builder.op as? BuildNeighborhood,
      let type = site.body.type(of: builder.results[0]).neighborhood,
      let image = site.tensor(node.operands[0]), image.rank == 4, image.element == .f32
    else { throw problem }
    let links = nodes.first { $0.op is Links && $0.operands == builder.results }
    guard nodes.count == (links == nil ? 2 : 3), site.body.outputs == node.results + (links?.results ?? []) else {
      throw problem
    }
    aggregate = joint
    self.build = build
    self.type = type
    showsLinks = links != nil
    features = try site.outerOperand(0, of: node)
    isOfItsFeatures = builder.operands == [node.operands[0]]
    shape = image.shape
  }

  /// The nodes of a new fuse that ends in an aggregation; nil if its graph is shared or the features are not float32
  /// images.
  /// - Parameter candidates: the lowerings that apply; nil if the graph is not one of the kernel's.
  static func match(
    _ node: Node, in rewriter: GraphRewriter,
    _ candidates: (NeighborhoodType, Aggregate, _ builder: Node, _ showsLinks: Bool) -> [LoweringCandidate]?
  ) -> KernelMatch? {
    guard let aggregate = node.op as? Aggregate, aggregate.kind == .maxRelative, rewriter.isImage(node.operands[0]),
      let builder = rewriter.definition(of: node.operands[1]), builder.op is BuildNeighborhood,
      case .neighborhood(let type) = rewriter.graph.type(of: node.operands[1])
    else { return nil }
    let links = rewriter.source.nodes.first { $0.op is Links && $0.operands == [node.operands[1]] }
    guard rewriter.useCount(node.operands[1]) == (links == nil ? 1 : 2),
      let candidates = candidates(type, aggregate, builder, links != nil)
    else { return nil }
    return KernelMatch(
      nodes: [builder] + (links.map { [$0] } ?? []) + [node], exposed: links.map { [$0] } ?? [],
      candidates: candidates, subject: builder)
  }
}
