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
