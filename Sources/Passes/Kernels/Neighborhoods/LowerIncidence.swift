import IR

extension GraphLowering {
  /// Hyperedges by fuzzy c-means over the batch: rounds until the memberships stay, then who is a member of what. Tasks
  /// share the channels of the centres and the pixels of the memberships.
  mutating func lowerFuzzyCMeans(_ fuse: Fuse, _ node: Node) throws {
    let build = fuse.body.nodes.lazy.compactMap { $0.op as? BuildNeighborhood }.first
    guard let clustering = build?.construction.clustering, node.operands.count == 2 else {
      throw Diagnostic("a fuzzy_c_means fuse holds a hypergraph whose clustering its kernel knows", at: node.location)
    }
    for case .string(let name) in fuse.schedule.filter({ $0.name == "lowering" }).map(\.value)
    where FuzzyCMeansKernel.Lowering(rawValue: name) == nil {
      let names = FuzzyCMeansKernel.Lowering.allCases.map(\.rawValue).joined(separator: ", ")
      throw Diagnostic("fuzzy_c_means has no lowering '\(name)'", notes: ["lowerings: \(names)"])
    }
    let shape = graph.tensorType(of: node.operands[0]).shape
    let images = shape[0]
    let kernel = FuzzyCMeansKernel(
      pixels: shape[2] * shape[3], channels: shape[1], pixelStride: roundUp(shape[1], toMultipleOf: lanes),
      clustering: clustering, workers: program.workers, target: target)
    let input = image(node.operands[0])
    let first = buffer(for: node.operands[1])
    let links = buffer(for: node.results[0])
    let memberships = program.buffer("memberships", .arena, count: images * kernel.membershipCount)
    let squares = program.buffer("pixel_squares", .arena, count: images * kernel.pixels)
    let sums = program.buffer("membership_sums", .arena, count: kernel.rowCount)
    let centers = program.buffer("centers", .arena, count: kernel.centerCount)
    let centerSquares = program.buffer("center_squares", .arena, count: kernel.rowCount)
    let changes = program.buffer("changes", .arena, count: images * kernel.pixels)
    let norm = program.buffer("change_norm", .arena, count: 1)
    let weakest = program.buffer("weakest", .arena, count: 1)
    let nearness = program.buffer("nearness", .scratch, count: kernel.scratchCount)

    let start = kernel.startFunction(in: &program)
    let sum = kernel.sumFunction(in: &program)
    let center = kernel.centerFunction(in: &program)
    let centerSquare = kernel.centerSquareFunction(in: &program)
    let update = kernel.membershipFunction(in: &program)
    let measure = kernel.normFunction(images: images, in: &program)
    let weigh = kernel.weakestFunction(images: images, in: &program)
    let link = kernel.linkFunction(in: &program)

    func features(_ image: LoopIndex) -> LoopArgument { .view(buffer: input.buffer, image * input.imageElements) }
    func own(_ buffer: String, _ image: LoopIndex, _ count: Int) -> LoopArgument {
      .view(buffer: buffer, image * count)
    }
    func table(_ image: LoopIndex) -> LoopArgument { own(memberships, image, kernel.membershipCount) }
    var entry = program.entry
    entry.loop("image", 0, .constant(images)) { builder, image in
      builder.call(
        start,
        [
          features(image), own(first, image, kernel.pixels * clustering.hyperedges), table(image),
          own(squares, image, kernel.pixels),
        ])
    }
    entry.store(norm, 0, .f32(.infinity))
    let isSettled = LoopValue.compare(.less, .load(norm, 0, .f32), .f32(clustering.leastChange))
    entry.loop("round", atMost: clustering.mostRounds, while: .unary(.not, isSettled)) { builder, round in
      builder.loop("image", 0, .constant(images)) { builder, image in
        builder.call(sum, [table(image), .view(buffer: sums, 0)])
        Self.shared(&builder, kernel.centerTiles) {
          .call(center, [features(image), table(image), .view(buffer: sums, 0), .view(buffer: centers, 0)] + $0)
        }
        builder.call(centerSquare, [.view(buffer: centers, 0), .view(buffer: centerSquares, 0)])
        Self.shared(&builder, kernel.pixelTiles) {
          .call(
            update,
            [
              features(image), .view(buffer: centers, 0), .view(buffer: centerSquares, 0),
              own(squares, image, kernel.pixels), table(image), own(changes, image, kernel.pixels),
              .view(buffer: nearness, 0),
            ] + $0)
        }
      }
      builder.call(measure, [.view(buffer: changes, 0), .view(buffer: norm, 0), .index(round)])
    }
    entry.call(weigh, [.view(buffer: memberships, 0), .view(buffer: weakest, 0)])
    entry.loop("image", 0, .constant(images)) { builder, image in
      Self.shared(&builder, kernel.pixelTiles) {
        .call(
          link,
          [table(image), .view(buffer: weakest, 0), own(links, image, kernel.pixels * clustering.hyperedges)] + $0)
      }
    }
    program.entry = entry
  }

  /// A call for each share of the tiles: in parallel, each with its number, where there are several.
  private static func shared(
    _ builder: inout LoopBuilder, _ tiles: ClusterTiles, _ call: ([LoopArgument]) -> LoopStatement
  ) {
    if tiles.shares == 1 { return builder.append(call([])) }
    builder.loop("share", 0, .constant(tiles.shares), order: .parallel) { builder, share in
      builder.append(call([.index(share)]))
    }
  }

  /// Means over a hypergraph's lists, the longest of the whole batch first; tasks are hyperedges or rows of pixels.
  mutating func lowerIncidenceMean(_ fuse: Fuse, _ node: Node) throws {
    let outer = Dictionary(uniqueKeysWithValues: zip(fuse.body.inputs, node.operands))
    guard let inner = fuse.body.nodes.first(where: { $0.op is IncidenceMean }), let mean = inner.op as? IncidenceMean,
      let features = outer[inner.operands[0]], let hypergraph = outer[inner.operands[1]],
      case .neighborhood(let type) = graph.type(of: hypergraph), case .incidence(let hyperedges) = type.form
    else { throw Diagnostic("an incidence_mean fuse holds a mean over a hypergraph", at: node.location) }
    let own = try added(to: inner.results[0], in: fuse, outer, node)
    let shape = graph.tensorType(of: features).shape
    let nodes = type.height * type.width
    let isEdges = mean.target == .hyperedges
    let kernel = IncidenceMeanKernel(
      target: mean.target, nodes: nodes, hyperedges: hyperedges, stride: roundUp(shape[1], toMultipleOf: lanes),
      ownFactor: own?.factor, listsPerCall: isEdges ? 1 : type.width, machine: target)
    let input = image(features)
    let output = image(node.results[0])
    let links = buffer(for: hypergraph)
    let ownImage = own.map { image($0.value) }
    let lengths = program.buffer("list_lengths", .arena, count: shape[0] * kernel.lists)
    let longest = program.buffer("longest_list", .arena, count: 1)
    let measure = kernel.lengthFunction(in: &program)
    let average = kernel.function(in: &program)
    let order: LoopStatement.Order = program.workers > 1 ? .parallel : .serial
    var entry = program.entry
    entry.store(longest, 0, .f32(1))
    entry.loop("image", 0, .constant(shape[0])) { builder, image in
      builder.call(
        measure,
        [
          .view(buffer: links, image * (nodes * hyperedges)), .view(buffer: lengths, image * kernel.lists),
          .view(buffer: longest, 0),
        ])
    }
    entry.loop("image", 0, .constant(shape[0])) { builder, image in
      builder.loop("list", 0, .constant(kernel.lists / kernel.listsPerCall), order: order) { builder, task in
        let row = isEdges ? 0 : task * (kernel.listsPerCall * hyperedges)
        let place = task * (kernel.listsPerCall * kernel.stride)
        var arguments: [LoopArgument] = [
          .view(buffer: input.buffer, image * input.imageElements),
          .view(buffer: links, image * (nodes * hyperedges) + row),
          .view(buffer: lengths, image * kernel.lists + task * kernel.listsPerCall), .view(buffer: longest, 0),
        ]
        if let ownImage { arguments.append(.view(buffer: ownImage.buffer, image * ownImage.imageElements + place)) }
        arguments.append(.view(buffer: output.buffer, image * output.imageElements + place))
        if isEdges { arguments.append(.index(task)) }
        builder.call(average, arguments)
      }
    }
    program.entry = entry
  }

  /// The image that a fuse adds to its mean, and its factor; nil where it adds none.
  private func added(
    to mean: ValueID, in fuse: Fuse, _ outer: [ValueID: ValueID], _ node: Node
  ) throws -> (value: ValueID, factor: Double)? {
    guard let add = fuse.body.nodes.first(where: { $0.op is Add }) else { return nil }
    if let other = add.operands.first(where: { $0 != mean }) {
      if let value = outer[other] { return (value, 1) }
      let scaling = fuse.body.nodes.first { $0.results.contains(other) }
      let factors = scaling?.operands.compactMap { outer[$0] } ?? []
      for (factor, value) in [(factors.first, factors.last), (factors.last, factors.first)] {
        if let factor, let value, let numbers = constant(factor), numbers.count == 1 { return (value, numbers[0]) }
      }
    }
    throw Diagnostic("an incidence_mean fuse adds an image, or one times a number", at: node.location)
  }
}
