import IR

/// Means over a hypergraph's lists, the longest of the whole batch first; a mean over hyperedges takes in the image that it
/// is added to, and that image's factor. Tasks are hyperedges or rows of pixels.
///
///     %a = incidence_mean(%e, %h) {to = "nodes"}
///     %s = multiply(%x, %scale)
///     %y = add(%s, %a)                              =>   %y = fuse "incidence_mean" (%e, %h, %x, %scale) { ... }
struct IncidenceMeanKernel: Kernel {
  static let name: KernelName = "incidence_mean"
  static let summary = "means through hyperedges, padding never gathered; tasks are hyperedges or rows"
  static let phase = KernelPhase.operations

  let site: FuseSite
  private let mean: IncidenceMean
  private let type: NeighborhoodType
  private let hyperedges: Int
  /// What it reads outside.
  private let features: ValueID
  private let hypergraph: ValueID
  /// The image that is added, and the constant of the body that is its factor, if it has one; nil if none is added.
  private let own: (image: ValueID, factor: ValueID?)?

  init(_ site: FuseSite) throws {
    self.site = site
    _ = try site.schedule(NoSchedule.self)
    guard let node = site.body.nodes.first(where: { $0.op is IncidenceMean }), let mean = node.op as? IncidenceMean,
      let type = site.body.type(of: node.operands[1]).neighborhood, case .incidence(let hyperedges) = type.form,
      let image = site.tensor(node.operands[0]), image.element == .f32, image.rank == 4
    else { throw site.diagnostic("holds a mean over a hypergraph") }
    (self.mean, self.type, self.hyperedges) = (mean, type, hyperedges)
    features = try site.outerOperand(0, of: node)
    hypergraph = try site.outerOperand(1, of: node)
    own = try Self.added(to: node, in: site)
  }

  /// What is added is an image, maybe a constant one; its factor is not an image.
  var operandLayouts: [OperandLayout] {
    site.body.inputs.map { input in
      if let own, site.outside(input) == own.image { return .image }
      return site.isConstant(input) ? .asIs : .image
    }
  }

  private static func added(to mean: Node, in site: FuseSite) throws -> (image: ValueID, factor: ValueID?)? {
    let others = site.body.nodes.filter { $0.results != mean.results && !($0.op is Constant) }
    if others.isEmpty {
      guard site.body.outputs == mean.results else { throw site.diagnostic("gives the mean that it computes") }
      return nil
    }
    let problem = site.diagnostic("adds an image of the mean's shape, or one times a number")
    guard let add = others.last, add.op is Add, others.count <= 2, site.body.outputs == add.results,
      let other = add.operands.first(where: { $0 != mean.results[0] }), add.operands.contains(mean.results[0]),
      site.tensor(other) == site.tensor(mean.results[0])
    else { throw problem }
    if let image = site.outside(other) { return others.count == 1 ? (image, nil) : nil }
    guard let scaling = site.producer(other), scaling.op is Multiply,
      let factor = scaling.operands.first(where: { site.isConstant($0) && site.tensor($0)?.count == 1 }),
      let scaled = scaling.operands.first(where: { $0 != factor }), let image = site.outside(scaled),
      site.tensor(scaled) == site.tensor(mean.results[0])
    else { throw problem }
    return (image, factor)
  }

  static func match(_ node: Node, in rewriter: GraphRewriter) -> KernelMatch? {
    node.op is IncidenceMean && rewriter.isImage(node.operands[0]) ? KernelMatch(nodes: [node]) : nil
  }

  func absorbing(_ node: Node, in rewriter: GraphRewriter) -> [Node]? {
    guard node.op is Add, own == nil, let result = site.results.first,
      let other = node.operands.first(where: { $0 != result }),
      rewriter.graph.type(of: result) == rewriter.graph.type(of: other)
    else { return nil }
    guard let (_, scaling) = rewriter.single(Multiply.self, other),
      scaling.operands.contains(where: { rewriter.constant($0)?.count == 1 }),
      scaling.operands.contains(where: { rewriter.graph.type(of: $0) == rewriter.graph.type(of: result) })
    else { return [node] }
    return [scaling, node]
  }

  func lower(_ node: Node, into lowering: inout GraphLowering) throws {
    let shape = lowering.graph.tensorType(of: features).shape
    let nodes = type.height * type.width
    let isEdges = mean.target == .hyperedges
    let factor = try own.map { own in try own.factor.map { try number($0) } ?? 1 }
    let functions = IncidenceMeanFunctions(
      target: mean.target, nodes: nodes, hyperedges: hyperedges, stride: lowering.padded(shape[1]),
      ownFactor: factor, listsPerCall: isEdges ? 1 : type.width, machine: lowering.target)
    let input = lowering.image(features)
    let output = lowering.image(node.results[0])
    let links = lowering.buffer(for: hypergraph)
    let ownImage = own.map { lowering.image($0.image) }
    let lengths = lowering.program.buffer("list_lengths", .arena, count: shape[0] * functions.lists)
    let longest = lowering.program.buffer("longest_list", .arena, count: 1)
    let measure = functions.lengths(in: &lowering.program)
    let average = functions.means(in: &lowering.program)
    let order = lowering.order
    let (perCall, stride) = (functions.listsPerCall, functions.stride)
    lowering.write { entry, _ in
      entry.store(longest, 0, .f32(1))
      entry.loop("image", 0, .constant(shape[0])) { builder, image in
        builder.append(
          measure(
            .view(buffer: links, image * (nodes * hyperedges)), .view(buffer: lengths, image * functions.lists),
            .view(buffer: longest, 0)))
      }
      entry.loop("image", 0, .constant(shape[0])) { builder, image in
        builder.loop("list", 0, .constant(functions.lists / perCall), order: order) { builder, task in
          let row = isEdges ? 0 : task * (perCall * hyperedges)
          let place = task * (perCall * stride)
          builder.append(
            average(
              IncidenceMeanFunctions.MeanArguments(
                image: .view(buffer: input.buffer, image * input.imageElements),
                links: .view(buffer: links, image * (nodes * hyperedges) + row),
                lengths: .view(buffer: lengths, image * functions.lists + task * perCall),
                longest: .view(buffer: longest, 0),
                own: ownImage.map { .view(buffer: $0.buffer, image * $0.imageElements + place) },
                output: .view(buffer: output.buffer, image * output.imageElements + place), first: task)))
        }
      }
    }
  }

  private func number(_ constant: ValueID) throws -> Double {
    guard let number = site.contents(constant)?.first else {
      throw site.diagnostic("has a factor whose contents are not loaded")
    }
    return number
  }
}
