import IR

extension GraphLowering {
  /// Max-relative over fixed offsets, by the lowering its schedule names; tasks split channel vectors.
  mutating func lowerMaxRelative(_ fuse: Fuse, _ node: Node) throws {
    var aggregate: Aggregate?
    var offsets: [Offset] = []
    for inner in fuse.body.nodes {
      if let op = inner.op as? Aggregate { aggregate = op }
      if let type = fuse.body.type(of: inner.results[0]).neighborhood, case .offsets(let list) = type.form {
        offsets = list
      }
    }
    guard let aggregate else { throw Diagnostic("a max_relative fuse holds no aggregation") }
    let lowering = try fuse.lowering(or: MaxRelativeKernel.Lowering.fusedRolls)
    let shape = graph.tensorType(of: node.operands[0]).shape
    let stride = roundUp(shape[1], toMultipleOf: lanes)
    let vectors = stride / lanes
    // Equal shares only: a remainder would cost a second kernel for very little work.
    let tasks = (1...max(1, min(program.workers, vectors))).last { vectors % $0 == 0 } ?? 1
    let kernel = MaxRelativeKernel(
      height: shape[2], width: shape[3], pixelStride: stride, vectors: vectors / tasks, offsets: offsets,
      selfMinusNeighbor: aggregate.direction == .selfMinusNeighbor, start: aggregate.start, lowering: lowering,
      lanes: lanes)
    let function = kernel.function(in: &program)
    let input = image(node.operands[0])
    let output = image(node.results[0])
    let scratch =
      kernel.scratchCount > 0 ? program.buffer("max_relative_scratch", .scratch, count: kernel.scratchCount) : nil
    let step = vectors / tasks * lanes
    var entry = program.entry
    entry.loop("image", 0, .constant(shape[0])) { builder, image in
      func call(_ builder: inout LoopBuilder, _ task: LoopIndex) {
        var arguments: [LoopArgument] = [
          .view(buffer: input.buffer, image * input.imageElements + task * step),
          .view(buffer: output.buffer, image * output.imageElements + task * step),
        ]
        if let scratch { arguments.append(.view(buffer: scratch, 0)) }
        builder.call(function, arguments)
      }
      if tasks == 1 {
        call(&builder, 0)
      } else {
        builder.loop("share", 0, .constant(tasks), order: .parallel) { builder, task in call(&builder, task) }
      }
    }
    program.entry = entry
  }

  /// Max-relative over offsets that a distance admits: sampled distances, the limit they set, the output; tasks are rows.
  mutating func lowerGatedMaxRelative(_ fuse: Fuse, _ node: Node) throws {
    let shape = graph.tensorType(of: node.operands[0]).shape
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
    let lowering = try fuse.lowering(or: GatedMaxRelativeKernel.Lowering.direct)
    let pixels = shape[2] * shape[3]
    let stride = roundUp(shape[1], toMultipleOf: lanes)
    let kernel = GatedMaxRelativeKernel(
      height: shape[2], width: shape[3], pixelStride: stride, offsets: offsets, sample: sample,
      selfMinusNeighbor: aggregate.direction == .selfMinusNeighbor, start: aggregate.start, lanes: lanes,
      lowering: lowering, gateStep: node.results.count > 1 && !offsets.isEmpty ? shape[0] * pixels : nil)
    let row = kernel.rowFunction(in: &program)
    let input = image(node.operands[0])
    let output = image(node.results[0])
    let gates = kernel.gateStep == nil ? nil : buffer(for: node.results[1])
    let sampled = program.buffer("gate_distances", .arena, count: pixels)
    let limit = program.buffer("gate_limit", .arena, count: 1)
    let sampling = kernel.sampleFunction(in: &program)
    let limiting = kernel.limitFunction(in: &program)
    var shared: (buffer: String, function: String)?
    if lowering == .symmetric {
      shared = (
        program.buffer("shared_distances", .arena, count: kernel.sharedImages * pixels),
        kernel.distancesFunction(in: &program)
      )
    }
    let order: LoopStatement.Order = program.workers > 1 ? .parallel : .serial
    var entry = program.entry
    entry.loop("image", 0, .constant(shape[0])) { builder, image in
      let source = LoopArgument.view(buffer: input.buffer, image * input.imageElements)
      builder.loop("y", 0, .constant(shape[2]), order: order) { builder, y in
        builder.call(sampling, [source, .view(buffer: sampled, y * shape[3]), .index(y)])
        if let shared {
          builder.call(shared.function, [source, .view(buffer: shared.buffer, y * shape[3]), .index(y)])
        }
      }
      builder.call(limiting, [.view(buffer: sampled, 0), .view(buffer: limit, 0)])
      builder.loop("y", 0, .constant(shape[2]), order: order) { builder, y in
        var arguments = [source, .view(buffer: limit, 0)]
        if let shared { arguments.append(.view(buffer: shared.buffer, 0)) }
        arguments.append(.view(buffer: output.buffer, image * output.imageElements + y * output.rowStep))
        if let gates { arguments.append(.view(buffer: gates, image * pixels + y * shape[3])) }
        builder.call(row, arguments + [.index(y)])
      }
    }
    program.entry = entry
  }

  /// Means over windows; tasks are output rows.
  mutating func lowerAveragePool(_ fuse: Fuse, _ node: Node) throws {
    guard let pool = fuse.body.nodes.first?.op as? AveragePool else {
      throw Diagnostic("an average_pool fuse holds an average pool", at: node.location)
    }
    let shape = graph.tensorType(of: node.operands[0]).shape
    let result = graph.tensorType(of: node.results[0]).shape
    let kernel = AveragePoolKernel(
      inputWidth: shape[3], outputWidth: result[3], kernel: pool.kernel, strides: pool.strides,
      paddedChannels: roundUp(shape[1], toMultipleOf: lanes), lanes: lanes)
    let function = kernel.function(in: &program)
    let input = image(node.operands[0])
    let output = image(node.results[0])
    let order: LoopStatement.Order = program.workers > 1 ? .parallel : .serial
    var entry = program.entry
    entry.loop("image", 0, .constant(shape[0])) { builder, image in
      builder.loop("y", 0, .constant(result[2]), order: order) { builder, y in
        builder.call(
          function, [input.view(image: image, row: y * pool.strides[0]), output.view(image: image, row: y)])
      }
    }
    program.entry = entry
  }

  mutating func lowerGlobalPool(_ node: Node) {
    let shape = graph.tensorType(of: node.operands[0]).shape
    let padded = roundUp(shape[1], toMultipleOf: lanes)
    let kernel = GlobalPoolKernel(pixels: shape[2] * shape[3], paddedChannels: padded, lanes: lanes)
    let function = kernel.function(in: &program)
    let input = image(node.operands[0])
    let output = image(node.results[0])
    var entry = program.entry
    entry.loop("image", 0, .constant(shape[0])) { builder, image in
      builder.call(function, [input.view(image: image, row: 0), output.view(image: image, row: 0)])
    }
    program.entry = entry
  }
}
