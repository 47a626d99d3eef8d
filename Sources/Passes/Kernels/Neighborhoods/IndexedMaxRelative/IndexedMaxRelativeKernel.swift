import IR

/// Max-relative over neighbours by index, from any graph.
struct IndexedMaxRelativeKernel: Kernel {
  static let name: KernelName = "indexed_max_relative"
  static let summary = "max-relative over neighbours by index; tasks are blocks of pixels"
  static let phase = KernelPhase.operations

  let site: FuseSite
  private let aggregate: Aggregate
  private let neighbors: Int
  private let candidates: Int
  /// What it reads outside: the features, the graph, and the candidates' features if they are others.
  private let operands: (features: ValueID, graph: ValueID, others: ValueID?)

  init(_ site: FuseSite) throws {
    self.site = site
    _ = try site.schedule(NoSchedule.self)
    let (aggregate, node) = try site.onlyNode(Aggregate.self)
    guard Self.runs(aggregate),
      case .indices(let count, let candidates)? = site.body.type(of: node.operands[1]).neighborhood?.form,
      node.operands.allSatisfy({ site.tensor($0).map { $0.element == .f32 } ?? true })
    else { throw site.diagnostic("runs a max-relative aggregation over indices that keeps zeros") }
    self.aggregate = aggregate
    (neighbors, self.candidates) = (count, candidates)
    operands = (
      try site.outerOperand(0, of: node), try site.outerOperand(1, of: node),
      node.operands.count > 2 ? try site.outerOperand(2, of: node) : nil
    )
  }

  /// Padded channels are zeros: a start above that would show in them.
  private static func runs(_ aggregate: Aggregate) -> Bool {
    aggregate.kind == .maxRelative && aggregate.mapsZeroToZero
  }

  static func match(_ node: Node, in rewriter: GraphRewriter) -> KernelMatch? {
    guard let aggregate = node.op as? Aggregate, runs(aggregate),
      case .indices? = rewriter.graph.type(of: node.operands[1]).neighborhood?.form,
      node.operands.allSatisfy({ rewriter.graph.type(of: $0).tensor.map { $0.element == .f32 } ?? true })
    else { return nil }
    return KernelMatch(nodes: [node])
  }

  func lower(_ node: Node, into lowering: inout GraphLowering) throws {
    let shape = lowering.graph.tensorType(of: operands.features).shape
    let pixels = shape[2] * shape[3]
    let function = IndexedMaxRelativeFunction(
      neighbors: neighbors, candidates: candidates, pixelStride: lowering.padded(shape[1]),
      selfMinusNeighbor: aggregate.direction == .selfMinusNeighbor, start: aggregate.start, lanes: lowering.lanes)
    let input = lowering.image(operands.features)
    let others = operands.others.map { lowering.image($0) } ?? input
    let graph = lowering.buffer(for: operands.graph)
    let output = lowering.image(node.results[0])
    let block = lowering.neighborBlock(pixels, candidates: candidates)
    let order = lowering.order
    lowering.write { entry, program in
      entry.loop("image", 0, .constant(shape[0])) { builder, image in
        builder.blocks(pixels, of: block, order: order) { builder, first, length in
          let place = first * function.pixelStride
          builder.append(
            function.call(
              pixels: length, input: .view(buffer: input.buffer, image * input.imageElements + place),
              neighbors: .view(buffer: graph, (image * pixels + first) * neighbors),
              candidates: .view(buffer: others.buffer, image * others.imageElements),
              output: .view(buffer: output.buffer, image * output.imageElements + place), in: &program))
        }
      }
    }
  }
}
