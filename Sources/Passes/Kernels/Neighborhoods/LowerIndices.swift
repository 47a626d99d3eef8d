import IR

extension GraphLowering {
  /// Features divided by their norms, and the squares of what they are then.
  private struct ScaledFeatures {
    var image: RowImage
    var count: Int
    var scaled: String
    var squares: String
  }

  /// Nearest neighbours: scaled features, panels of candidates, then blocks of pixels, whose distances are selected from.
  mutating func lowerNearest(_ fuse: Fuse, _ node: Node) throws {
    let (op, operands) = try fuse.onlyNode(node)
    guard let build = op as? BuildNeighborhood, let selection = build.construction.selection,
      case .indices(_, let candidates)? = graph.type(of: node.results[0]).neighborhood?.form
    else {
      throw Diagnostic("a nearest fuse holds a graph of indices whose measure its kernel knows", at: node.location)
    }
    let lowering = try fuse.lowering(or: NearestLowering.streamed)
    let shape = graph.tensorType(of: operands[0]).shape
    let pixels = shape[2] * shape[3]
    let positions = operands.count > 2 ? operands[2] : nil
    let kernel = NearestKernel(
      channels: shape[1], pixelStride: roundUp(shape[1], toMultipleOf: lanes), candidates: candidates,
      leastNorm: selection.leastNorm,
      positions: positions.map { constant($0) == nil ? .rows : .panels }, lanes: lanes)
    let own = scaledFeatures(operands[0], count: pixels, kernel)
    let isOwn = operands.count == 1 || operands[1] == operands[0]
    let others = isOwn ? own : scaledFeatures(operands[1], count: candidates, kernel)
    let block = blockPixels(pixels, candidates: candidates)
    let rows = lowering == .fullMatrix ? pixels : block
    let panels = ProductPanels(
      schedule: program.schedule(depth: shape[1], pixels: rows, channels: roundUp(candidates, toMultipleOf: lanes)),
      lanes: lanes, channels: candidates)
    let packed = program.buffer("nearest_panels", .arena, count: shape[1] * kernel.distanceStride)
    let distances = program.buffer(
      "nearest_distances", lowering == .fullMatrix ? .arena : .scratch, count: rows * kernel.distanceStride)
    let positionBuffer = positions.map { packedBuffer(for: $0, depth: pixels, panels) ?? buffer(for: $0) }
    let select = selecting(
      RankedSelectionKernel(candidates: candidates, selection: selection, lanes: lanes), from: distances,
      stride: kernel.distanceStride, to: buffer(for: node.results[0]))

    var entry = program.entry
    entry.loop("image", 0, .constant(shape[0])) { builder, image in
      for features in isOwn ? [own] : [own, others] { scale(&builder, features, image, kernel) }
      panels.loop(&builder, careful: true, order: order) { builder, group, first, live in
        let width = group.vectors * lanes
        let pack = kernel.packFunction(width: width, live: live ?? width, in: &program)
        builder.call(
          pack,
          [
            .view(buffer: others.scaled, first * kernel.pixelStride), .view(buffer: packed, first * kernel.channels),
          ])
      }
      /// Distances of `rows` pixels from `pixel` on, to rows of the buffer from its first on.
      func measure(_ builder: inout LoopBuilder, from pixel: LoopIndex, _ count: Int, order: LoopStatement.Order) {
        panels.retiled(target, depth: shape[1], pixels: count).loop(&builder, careful: true, order: order) {
          builder, group, first, live in
          let function = kernel.distancesFunction(
            pixels: count, panel: group, live: live ?? group.vectors * lanes, in: &program)
          var arguments: [LoopArgument] = [
            .view(buffer: own.scaled, pixel * kernel.pixelStride), .view(buffer: own.squares, pixel),
            .view(buffer: packed, first * kernel.channels), .view(buffer: others.squares, first),
          ]
          if let positionBuffer {
            let place =
              kernel.positions == .rows
              ? pixel * candidates + first : first * pixels + pixel * (group.vectors * lanes)
            arguments.append(.view(buffer: positionBuffer, place))
          }
          builder.call(function, arguments + [.view(buffer: distances, first)])
        }
      }
      if lowering == .fullMatrix { measure(&builder, from: 0, pixels, order: order) }
      builder.blocks(pixels, of: block, order: order) { builder, first, count in
        if lowering == .streamed { measure(&builder, from: first, count, order: .serial) }
        builder.loop("pixel", 0, .constant(count)) { builder, pixel in
          select(&builder, lowering == .streamed ? pixel : first + pixel, image * pixels + first + pixel)
        }
      }
    }
    program.entry = entry
  }

  /// Max-relative over neighbours by index; tasks are blocks of pixels.
  mutating func lowerIndexedMaxRelative(_ fuse: Fuse, _ node: Node) throws {
    let (op, operands) = try fuse.onlyNode(node)
    guard let aggregate = op as? Aggregate,
      case .indices(let count, let candidates)? = graph.type(of: operands[1]).neighborhood?.form
    else { throw Diagnostic("an indexed_max_relative fuse holds an aggregation over indices", at: node.location) }
    let shape = graph.tensorType(of: operands[0]).shape
    let pixels = shape[2] * shape[3]
    let kernel = IndexedMaxRelativeKernel(
      neighbors: count, candidates: candidates, pixelStride: roundUp(shape[1], toMultipleOf: lanes),
      selfMinusNeighbor: aggregate.direction == .selfMinusNeighbor, start: aggregate.start, lanes: lanes)
    let input = image(operands[0])
    let others = operands.count > 2 ? image(operands[2]) : input
    let neighbors = buffer(for: operands[1])
    let output = image(node.results[0])
    let block = blockPixels(pixels, candidates: candidates)
    var entry = program.entry
    entry.loop("image", 0, .constant(shape[0])) { builder, image in
      builder.blocks(pixels, of: block, order: order) { builder, first, length in
        let function = kernel.function(pixels: length, in: &program)
        let place = first * kernel.pixelStride
        builder.call(
          function,
          [
            .view(buffer: input.buffer, image * input.imageElements + place),
            .view(buffer: neighbors, (image * pixels + first) * count),
            .view(buffer: others.buffer, image * others.imageElements),
            .view(buffer: output.buffer, image * output.imageElements + place),
          ])
      }
    }
    program.entry = entry
  }

  private var order: LoopStatement.Order { program.workers > 1 ? .parallel : .serial }

  /// Pixels of one task: a block as the kernel likes it, shorter where there would not be one for each worker.
  private func blockPixels(_ pixels: Int, candidates: Int) -> Int {
    min(NearestKernel.blockPixels(pixels: pixels, candidates: candidates), ceilDivide(pixels, program.workers))
  }

  private mutating func scaledFeatures(_ value: ValueID, count: Int, _ kernel: NearestKernel) -> ScaledFeatures {
    ScaledFeatures(
      image: image(value), count: count,
      scaled: program.buffer("nearest_scaled", .arena, count: count * kernel.pixelStride),
      // Whole vectors of them are read.
      squares: program.buffer("nearest_squares", .arena, count: roundUp(count, toMultipleOf: lanes)))
  }

  private mutating func scale(
    _ builder: inout LoopBuilder, _ features: ScaledFeatures, _ image: LoopIndex, _ kernel: NearestKernel
  ) {
    let block = blockPixels(features.count, candidates: kernel.candidates)
    builder.blocks(features.count, of: block, order: order) {
      builder, first, count in
      let function = kernel.scaleFunction(pixels: count, in: &program)
      builder.call(
        function,
        [
          .view(buffer: features.image.buffer, image * features.image.imageElements + first * kernel.pixelStride),
          .view(buffer: features.scaled, first * kernel.pixelStride), .view(buffer: features.squares, first),
        ])
    }
  }

  /// Declares what a selection needs; the call for a row of the distances and a pixel of the batch.
  private mutating func selecting(
    _ kernel: RankedSelectionKernel, from distances: String, stride: Int, to neighbors: String
  ) -> (_ builder: inout LoopBuilder, _ row: LoopIndex, _ pixel: LoopIndex) -> Void {
    let function = kernel.function(in: &program)
    let scratch = kernel.scratch.map { part in
      program.buffer("nearest_\(part.parameter)", .scratch, part.element, count: part.count, range: part.range)
    }
    let count = kernel.selection.count
    return { builder, row, pixel in
      builder.call(
        function,
        [.view(buffer: distances, row * stride)] + scratch.map { .view(buffer: $0, 0) }
          + [.view(buffer: neighbors, pixel * count)])
    }
  }
}

extension LoopBuilder {
  /// Cuts `count` items into blocks of `size`, the last one shorter where it must be: a loop over them.
  fileprivate mutating func blocks(
    _ count: Int, of size: Int, order: LoopStatement.Order,
    _ write: (_ builder: inout LoopBuilder, _ first: LoopIndex, _ count: Int) -> Void
  ) {
    let (full, rest) = count.quotientAndRemainder(dividingBy: size)
    let tasks = full + (rest > 0 ? 1 : 0)
    loop("block", 0, .constant(tasks), order: tasks > 1 ? order : .serial) { builder, block in
      if rest == 0 { return write(&builder, block * size, size) }
      builder.ifIndex([LoopComparison(block, .less, .constant(full))]) { builder in
        write(&builder, block * size, size)
      } else: { builder in
        write(&builder, .constant(full * size), rest)
      }
    }
  }
}

extension Fuse {
  /// The one node of the body, and the values outside that it reads: a value read twice is one operand of the fuse.
  func onlyNode(_ node: Node) throws -> (op: any Op, operands: [ValueID]) {
    let outer = Dictionary(uniqueKeysWithValues: zip(body.inputs, node.operands))
    guard body.nodes.count == 1, let inner = body.nodes.first else {
      throw Diagnostic("a fuse of kernel '\(kernel)' holds one node", at: node.location)
    }
    return (inner.op, inner.operands.compactMap { outer[$0] })
  }

  /// The lowering its schedule names, or `fallback` where it names none.
  func lowering<Lowering: RawRepresentable & CaseIterable>(
    or fallback: Lowering
  ) throws -> Lowering where Lowering.RawValue == String {
    guard case .string(let name)? = schedule.first(where: { $0.name == "lowering" })?.value else { return fallback }
    guard let known = Lowering(rawValue: name) else {
      let names = Lowering.allCases.map(\.rawValue).joined(separator: ", ")
      throw Diagnostic("\(kernel) has no lowering '\(name)'", notes: ["lowerings: \(names)"])
    }
    return known
  }
}
