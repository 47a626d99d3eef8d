import IR

extension GraphLowering {
  /// Where a gated max-relative reads and writes.
  private struct GatedImages {
    var input: RowImage
    var output: RowImage
    var gates: String?
    var limit: String
    var order: LoopStatement.Order
  }

  /// Max-relative over offsets that a distance admits: sampled distances, the limit they set, the output.
  mutating func lowerGatedMaxRelative(_ fuse: Fuse, _ node: Node) throws {
    let shape = graph.tensorType(of: node.operands[0]).shape
    let pixels = shape[2] * shape[3]
    let kernel = try gatedKernel(fuse, node, shape: shape)
    let images = GatedImages(
      input: image(node.operands[0]), output: image(node.results[0]),
      gates: kernel.gateStep == nil ? nil : buffer(for: node.results[1]),
      limit: program.buffer("gate_limit", .arena, count: 1), order: program.workers > 1 ? .parallel : .serial)
    let sampled = program.buffer("gate_distances", .arena, count: pixels)
    let sampling = kernel.sampleFunction(in: &program)
    let limiting = kernel.limitFunction(in: &program)
    let output = try output(of: kernel, images, fuse, node)
    var entry = program.entry
    entry.loop("image", 0, .constant(shape[0])) { builder, image in
      let source = LoopArgument.view(buffer: images.input.buffer, image * images.input.imageElements)
      builder.loop("y", 0, .constant(shape[2]), order: images.order) { builder, y in
        builder.call(sampling, [source, .view(buffer: sampled, y * shape[3]), .index(y)])
        output.measure?(&builder, source, y)
      }
      builder.call(limiting, [.view(buffer: sampled, 0), .view(buffer: images.limit, 0)])
      output.write(&builder, image)
    }
    program.entry = entry
  }

  private func gatedKernel(_ fuse: Fuse, _ node: Node, shape: [Int]) throws -> GatedMaxRelativeKernel {
    var aggregate: Aggregate?
    var offsets: [Offset] = []
    var gate: OffsetGate?
    for inner in fuse.body.nodes {
      if let op = inner.op as? Aggregate { aggregate = op }
      if let op = inner.op as? BuildNeighborhood { gate = op.construction.gate(height: shape[2], width: shape[3]) }
      if let type = fuse.body.type(of: inner.results[0]).neighborhood, case .gatedOffsets(let list) = type.form {
        offsets = list
      }
    }
    guard let aggregate, case .nearInL1(let sample) = gate else {
      throw Diagnostic("a gated_max_relative fuse holds an aggregation over gates that its kernel knows")
    }
    return GatedMaxRelativeKernel(
      height: shape[2], width: shape[3], pixelStride: roundUp(shape[1], toMultipleOf: lanes), offsets: offsets,
      sample: sample, selfMinusNeighbor: aggregate.direction == .selfMinusNeighbor, start: aggregate.start,
      lanes: lanes, gateStep: node.results.count > 1 && !offsets.isEmpty ? shape[0] * shape[2] * shape[3] : nil)
  }

  /// The calls of a lowering, for an image of the batch.
  private struct GatedOutput {
    /// What it measures of a row beside the sampled distances: while the row is near.
    var measure: ((_ builder: inout LoopBuilder, _ source: LoopArgument, _ y: LoopIndex) -> Void)?
    /// Writes the output, once the limit is known.
    var write: (_ builder: inout LoopBuilder, _ image: LoopIndex) -> Void
  }

  /// Declares what the lowering needs.
  private mutating func output(
    of kernel: GatedMaxRelativeKernel, _ images: GatedImages, _ fuse: Fuse, _ node: Node
  ) throws -> GatedOutput {
    switch try fuse.lowering(or: GatedMaxRelativeKernel.Lowering.direct) {
    case .direct: return outputByRows(of: kernel, images, isShared: false)
    case .symmetric: return outputByRows(of: kernel, images, isShared: true)
    case .classPairs:
      guard kernel.gateStep == nil,
        let classes = ResidueClasses.of(kernel.offsets, height: kernel.height, width: kernel.width)
      else {
        throw Diagnostic(
          "class_pairs needs rolls that join residue classes of at most \(ResidueClasses.most) pixels, and shows no gates",
          at: node.location)
      }
      return outputByClasses(classes, of: kernel, images)
    }
  }

  /// Tasks are rows.
  private mutating func outputByRows(
    of kernel: GatedMaxRelativeKernel, _ images: GatedImages, isShared: Bool
  ) -> GatedOutput {
    let (pixels, width) = (kernel.pixels, kernel.width)
    let shared =
      isShared ? program.buffer("shared_distances", .arena, count: kernel.sharedImages * pixels) : nil
    let row = kernel.rowFunction(isShared: isShared, in: &program)
    var output = GatedOutput { builder, image in
      let source = LoopArgument.view(buffer: images.input.buffer, image * images.input.imageElements)
      builder.loop("y", 0, .constant(kernel.height), order: images.order) { builder, y in
        var arguments = [source, .view(buffer: images.limit, 0)]
        if let shared { arguments.append(.view(buffer: shared, 0)) }
        arguments.append(images.output.view(image: image, row: y))
        if let gates = images.gates { arguments.append(.view(buffer: gates, image * pixels + y * width)) }
        builder.call(row, arguments + [.index(y)])
      }
    }
    if let shared {
      let measuring = kernel.distancesFunction(in: &program)
      output.measure = { builder, source, y in
        builder.call(measuring, [source, .view(buffer: shared, y * width), .index(y)])
      }
    }
    return output
  }

  /// Tasks are vertical classes, class after class so that each row of one is read along; then rows, their classes in turn.
  private mutating func outputByClasses(
    _ classes: [ResidueClasses], of kernel: GatedMaxRelativeKernel, _ images: GatedImages
  ) -> GatedOutput {
    func scratch(_ name: String, _ count: (ResidueClasses) -> Int) -> String {
      program.buffer(name, .scratch, count: classes.map(count).max() ?? 0)
    }
    let features = scratch("class_features") { kernel.classElements($0) }
    let distances = scratch("class_distances") { kernel.distanceElements($0) }
    let calls = classes.enumerated().map { place, kind in
      (
        kind, program.buffer("class_near", .scratch, .i32, count: kernel.nearElements(kind), range: kind.members),
        kernel.classFunction(kind, isFirst: place == 0, isLast: place == classes.count - 1, in: &program)
      )
    }
    return GatedOutput { builder, image in
      let arguments: [LoopArgument] = [
        .view(buffer: images.input.buffer, image * images.input.imageElements), .view(buffer: images.limit, 0),
        .view(buffer: images.output.buffer, image * images.output.imageElements), .view(buffer: features, 0),
        .view(buffer: distances, 0),
      ]
      for (kind, near, function) in calls {
        func call(_ builder: inout LoopBuilder, _ first: LoopIndex) {
          builder.call(function, arguments + [.view(buffer: near, 0), .index(first)])
        }
        switch kind.axis {
        case .vertical:
          builder.loop("first", 0, .constant(kind.step * kernel.width), order: images.order) { call(&$0, $1) }
        case .horizontal:
          builder.loop("y", 0, .constant(kernel.height), order: images.order) { builder, y in
            builder.loop("class", 0, .constant(kind.step)) { call(&$0, y * kernel.width + $1) }
          }
        }
      }
    }
  }
}
