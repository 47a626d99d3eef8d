import IR

/// Nearest neighbours: first scaled features and panels of candidates, then blocks of pixels, from whose distances
/// neighbours are selected.
struct NearestKernel: Kernel {
  static let name: KernelName = "nearest"
  static let summary = "distances as a product and a choice of the nearest; tasks are blocks of pixels"
  static let phase = KernelPhase.operations

  let site: FuseSite
  let choice: LoweringChoice?
  private let lowering: NearestLowering
  private let selection: NearestSelection
  private let candidates: Int
  /// What it reads outside: the features, the candidates' features if they are others, and positions if there are some.
  private let features: ValueID
  private let others: ValueID?
  private let positions: ValueID?

  init(_ site: FuseSite) throws {
    self.site = site
    let (build, node) = try site.onlyNode(BuildNeighborhood.self)
    guard let selection = build.construction.selection,
      case .indices(_, let candidates)? = site.body.type(of: node.results[0]).neighborhood?.form,
      node.operands.allSatisfy({ site.tensor($0)?.element == .f32 })
    else { throw site.diagnostic("chooses neighbours by a measure that it knows") }
    (self.selection, self.candidates) = (selection, candidates)
    features = try site.outerOperand(0, of: node)
    others = node.operands.count > 1 ? try site.outerOperand(1, of: node) : nil
    positions = node.operands.count > 2 ? try site.outerOperand(2, of: node) : nil
    let schedule: LoweringSchedule<NearestLowering> = try site.schedule()
    (lowering, choice) = (schedule.lowering, schedule.choice)
  }

  static func match(_ node: Node, in rewriter: GraphRewriter) -> KernelMatch? {
    guard let build = node.op as? BuildNeighborhood, build.construction.selection != nil,
      case .indices(_, let candidates)? = rewriter.graph.type(of: node.results[0]).neighborhood?.form,
      node.operands.allSatisfy({ rewriter.graph.type(of: $0).tensor?.element == .f32 })
    else { return nil }
    let shape = rewriter.graph.tensorType(of: node.operands[0]).shape
    let cost = IndicesCost(pixels: shape[2] * shape[3], candidates: candidates, channels: shape[1])
    return KernelMatch(nodes: [node], candidates: cost.lowerings)
  }

  /// Features divided by their norms, and their squared norms after that.
  private struct ScaledFeatures {
    var image: RowImage
    var count: Int
    var scaled: String
    var squares: String
    /// Elements of the squares after the last pixel's, up to a whole vector.
    var padding: Range<Int>

    /// - Parameter count: how many pixels.
    init(_ value: ValueID, count: Int, _ functions: NearestFunctions, in lowering: inout GraphLowering) {
      image = lowering.image(value)
      self.count = count
      scaled = lowering.program.buffer("nearest_scaled", .arena, count: count * functions.pixelStride)
      // The squares are read in whole vectors.
      let whole = roundUp(count, toMultipleOf: lowering.lanes)
      squares = lowering.program.buffer("nearest_squares", .arena, count: whole)
      padding = count..<whole
    }
  }

  /// Where the distances are measured: functions, operands and working memory of one lowering.
  private struct Measuring {
    let functions: NearestFunctions
    let panels: ProductPanels
    let own: ScaledFeatures
    /// The features of the candidates, if they are not the pixels.
    let others: ScaledFeatures?
    /// Candidates, panel after panel.
    let packed: String
    let distances: String
    let positions: String?
    let pixels: Int
    let target: Target

    var candidates: ScaledFeatures { others ?? own }

    func scale(
      _ features: ScaledFeatures, image: LoopIndex, from first: LoopIndex, _ count: Int,
      in program: inout ProgramBuilder
    ) -> LoopStatement {
      let place = first * functions.pixelStride
      return functions.scale(
        pixels: count, input: .view(buffer: features.image.buffer, image * features.image.imageElements + place),
        scaled: .view(buffer: features.scaled, place), squares: .view(buffer: features.squares, first), in: &program)
    }

    func pack(_ builder: inout LoopBuilder, order: LoopStatement.Order, in program: inout ProgramBuilder) {
      panels.loop(&builder, careful: true, order: order) { builder, group, first, live in
        let width = group.vectors * functions.lanes
        builder.append(
          functions.pack(
            width: width, live: live ?? width, scaled: .view(buffer: candidates.scaled, first * functions.pixelStride),
            panel: .view(buffer: packed, first * functions.channels), in: &program))
      }
    }

    /// Distances of `count` pixels from `pixel` on, to rows of the buffer from its first on.
    func measure(
      _ builder: inout LoopBuilder, from pixel: LoopIndex, _ count: Int, order: LoopStatement.Order,
      in program: inout ProgramBuilder
    ) {
      panels.retiled(target, depth: functions.channels, pixels: count).loop(&builder, careful: true, order: order) {
        builder, group, first, live in
        let width = group.vectors * functions.lanes
        let place =
          functions.positions == .rows ? pixel * functions.candidates + first : first * pixels + pixel * width
        builder.append(
          functions.distances(
            pixels: count, panel: group, live: live ?? width,
            NearestFunctions.DistanceArguments(
              own: .view(buffer: own.scaled, pixel * functions.pixelStride),
              ownSquares: .view(buffer: own.squares, pixel), panel: .view(buffer: packed, first * functions.channels),
              squares: .view(buffer: candidates.squares, first),
              positions: positions.map { .view(buffer: $0, place) }, distances: .view(buffer: distances, first)),
            in: &program))
      }
    }
  }

  /// Declares what measuring needs.
  /// - Parameter rows: pixels whose distances are in memory at once.
  private func measuring(shape: [Int], rows: Int, in lowering: inout GraphLowering) -> Measuring {
    let pixels = shape[2] * shape[3]
    let lanes = lowering.lanes
    let functions = NearestFunctions(
      channels: shape[1], pixelStride: lowering.padded(shape[1]), candidates: candidates,
      leastNorm: selection.leastNorm,
      positions: positions.map { lowering.constant($0) == nil ? .rows : .panels }, lanes: lanes)
    let own = ScaledFeatures(features, count: pixels, functions, in: &lowering)
    let others = self.others.flatMap {
      $0 == features ? nil : ScaledFeatures($0, count: candidates, functions, in: &lowering)
    }
    let panels = ProductPanels(
      schedule: lowering.program.schedule(
        depth: shape[1], pixels: rows, channels: roundUp(candidates, toMultipleOf: lanes)),
      lanes: lanes, channels: candidates)
    let packed = lowering.program.buffer("nearest_panels", .arena, count: shape[1] * functions.distanceStride)
    let distances = lowering.program.buffer(
      "nearest_distances", self.lowering == .streamed ? .scratch : .arena, count: rows * functions.distanceStride)
    let positionBuffer = positions.map { positions in
      lowering.packedBuffer(for: positions, depth: pixels, panels) ?? lowering.buffer(for: positions)
    }
    return Measuring(
      functions: functions, panels: panels, own: own, others: others, packed: packed, distances: distances,
      positions: positionBuffer, pixels: pixels, target: lowering.target)
  }

  func lower(_ node: Node, into lowering: inout GraphLowering) throws {
    let isStreamed = self.lowering == .streamed
    let shape = lowering.graph.tensorType(of: features).shape
    let pixels = shape[2] * shape[3]
    let block = lowering.neighborBlock(pixels, candidates: candidates)
    let measuring = measuring(shape: shape, rows: isStreamed ? block : pixels, in: &lowering)
    let select = selecting(
      from: measuring.distances, stride: measuring.functions.distanceStride, to: lowering.buffer(for: node.results[0]),
      in: &lowering)
    let scaled = [measuring.own, measuring.others].compactMap { $0 }.map {
      (features: $0, block: lowering.neighborBlock($0.count, candidates: candidates))
    }
    let order = lowering.order
    lowering.write { entry, program in
      entry.loop("image", 0, .constant(shape[0])) { builder, image in
        for (features, block) in scaled {
          for place in features.padding { builder.store(features.squares, .constant(place), .f32(0)) }
          builder.blocks(features.count, of: block, order: order) { builder, first, count in
            builder.append(measuring.scale(features, image: image, from: first, count, in: &program))
          }
        }
        measuring.pack(&builder, order: order, in: &program)
        if !isStreamed { measuring.measure(&builder, from: 0, pixels, order: order, in: &program) }
        builder.blocks(pixels, of: block, order: order) { builder, first, count in
          if isStreamed { measuring.measure(&builder, from: first, count, order: .serial, in: &program) }
          for clear in select.clears { builder.append(clear) }
          builder.loop("pixel", 0, .constant(count)) { builder, pixel in
            builder.append(select.call(isStreamed ? pixel : first + pixel, image * pixels + first + pixel))
          }
        }
      }
    }
  }

  /// Declares what a selection needs; the call for a row of the distances and a pixel of the batch, and what clears its lists.
  private func selecting(
    from distances: String, stride: Int, to neighbors: String, in lowering: inout GraphLowering
  ) -> (clears: [LoopStatement], call: (_ row: LoopIndex, _ pixel: LoopIndex) -> LoopStatement) {
    let function = TopKSelection(candidates: candidates, selection: selection, lanes: lowering.lanes)
    let call = function.selection(in: &lowering.program)
    let scratch = function.scratch.map { part in
      LoopArgument.view(
        buffer: lowering.program.buffer(
          "nearest_\(part.parameter)", .scratch, part.element, count: part.count, range: part.range), 0)
    }
    let clears = zip(function.scratch, scratch).map { part, list in
      lowering.program.clearing(part.element, count: part.count, range: part.range)(list)
    }
    let count = selection.count
    return (
      clears,
      { row, pixel in
        call(.view(buffer: distances, row * stride), scratch, .view(buffer: neighbors, pixel * count))
      }
    )
  }
}
