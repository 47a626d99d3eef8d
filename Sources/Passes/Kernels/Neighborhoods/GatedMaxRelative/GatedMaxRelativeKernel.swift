import IR

/// Max-relative aggregation over offsets that a distance admits: sampled distances, the limit they set, the output.
struct GatedMaxRelativeKernel: Kernel {
  static let name: KernelName = "gated_max_relative"
  static let summary = "max-relative over offsets that a distance admits; tasks are rows, or residue classes"
  static let phase = KernelPhase.operations

  let site: FuseSite
  let choice: LoweringChoice?
  private let lowering: GatedMaxRelativeFunctions.Lowering
  private let aggregation: OffsetAggregation
  private let offsets: [Offset]
  /// The offset whose distances set the limit.
  private let sample: Offset

  init(_ site: FuseSite) throws {
    self.site = site
    aggregation = try OffsetAggregation(site)
    guard case .gatedOffsets(let offsets) = aggregation.type.form, aggregation.isOfItsFeatures,
      case .nearInL1(let sample)? = aggregation.build.construction.gate(
        height: aggregation.shape[2], width: aggregation.shape[3])
    else { throw site.diagnostic("runs over offsets admitted by distances in the image that it aggregates") }
    (self.offsets, self.sample) = (offsets, sample)
    let schedule: LoweringSchedule<GatedMaxRelativeFunctions.Lowering> = try site.schedule()
    (lowering, choice) = (schedule.lowering, schedule.choice)
    guard lowering != .classPairs || !aggregation.showsLinks && classes != nil else {
      throw site.diagnostic(
        "as class_pairs needs rolls that join residue classes of at most \(ResidueClasses.most) pixels, and shows no gates"
      )
    }
  }

  private var classes: [ResidueClasses]? {
    ResidueClasses.of(offsets, height: aggregation.shape[2], width: aggregation.shape[3])
  }

  static func match(_ node: Node, in rewriter: GraphRewriter) -> KernelMatch? {
    OffsetAggregation.match(node, in: rewriter) { type, _, builder, showsLinks in
      // Distances are measured in the image that is aggregated, and the kernel knows the test.
      guard case .gatedOffsets(let offsets) = type.form, builder.operands == [node.operands[0]],
        let build = builder.op as? BuildNeighborhood,
        build.construction.gate(height: type.height, width: type.width) != nil
      else { return nil }
      return GatedOffsetsCost(
        offsets: offsets, height: type.height, width: type.width, showsGates: showsLinks
      ).candidates
    }
  }

  /// Where the functions read and write.
  private struct Images {
    var input: RowImage
    var output: RowImage
    var gates: String?
    var limit: String
    var order: LoopStatement.Order

    func source(_ image: LoopIndex) -> LoopArgument { .view(buffer: input.buffer, image * input.imageElements) }
  }

  /// The calls of a lowering.
  private struct Output {
    /// What it measures of a row besides the sampled distances, while the row is in the cache.
    var measure: ((_ builder: inout LoopBuilder, _ source: LoopArgument, _ y: LoopIndex) -> Void)?
    /// Writes the output of an image of the batch, once the limit is known.
    var write: (_ builder: inout LoopBuilder, _ image: LoopIndex) -> Void
  }

  func lower(_ node: Node, into lowering: inout GraphLowering) throws {
    let shape = aggregation.shape
    let functions = GatedMaxRelativeFunctions(
      height: shape[2], width: shape[3], pixelStride: lowering.padded(shape[1]), offsets: offsets, sample: self.sample,
      selfMinusNeighbor: aggregation.aggregate.direction == .selfMinusNeighbor, start: aggregation.aggregate.start,
      lanes: lowering.lanes,
      gateStep: aggregation.showsLinks && !offsets.isEmpty ? shape[0] * shape[2] * shape[3] : nil)
    let images = Images(
      input: lowering.image(aggregation.features), output: lowering.image(node.results[0]),
      gates: functions.gateStep == nil ? nil : lowering.buffer(for: node.results[1]),
      limit: lowering.program.buffer("gate_limit", .arena, count: 1), order: lowering.order)
    let sampled = lowering.program.buffer("gate_distances", .arena, count: functions.pixels)
    let sample = functions.sample(in: &lowering.program)
    let limit = functions.limit(in: &lowering.program)
    let output = output(of: functions, images, in: &lowering.program)
    lowering.write { entry, _ in
      entry.loop("image", 0, .constant(shape[0])) { builder, image in
        let source = images.source(image)
        builder.loop("y", 0, .constant(shape[2]), order: images.order) { builder, y in
          builder.append(sample(source, .view(buffer: sampled, y * shape[3]), y))
          output.measure?(&builder, source, y)
        }
        builder.append(limit(.view(buffer: sampled, 0), .view(buffer: images.limit, 0)))
        output.write(&builder, image)
      }
    }
  }

  private func output(
    of functions: GatedMaxRelativeFunctions, _ images: Images, in program: inout ProgramBuilder
  ) -> Output {
    switch lowering {
    case .direct: return outputByRows(of: functions, images, isShared: false, in: &program)
    case .symmetric: return outputByRows(of: functions, images, isShared: true, in: &program)
    case .classPairs: return outputByClasses(classes ?? [], of: functions, images, in: &program)
    }
  }

  /// Tasks are rows.
  private func outputByRows(
    of functions: GatedMaxRelativeFunctions, _ images: Images, isShared: Bool, in program: inout ProgramBuilder
  ) -> Output {
    let (pixels, width) = (functions.pixels, functions.width)
    let shared =
      isShared ? program.buffer("shared_distances", .arena, count: functions.sharedImages * pixels) : nil
    let row = functions.row(isShared: isShared, in: &program)
    var output = Output { builder, image in
      let source = images.source(image)
      builder.loop("y", 0, .constant(functions.height), order: images.order) { builder, y in
        builder.append(
          row(
            source, .view(buffer: images.limit, 0), shared.map { .view(buffer: $0, 0) },
            images.output.view(image: image, row: y),
            images.gates.map { .view(buffer: $0, image * pixels + y * width) }, y))
      }
    }
    if let shared {
      let measure = functions.distances(in: &program)
      output.measure = { builder, source, y in
        builder.append(measure(source, .view(buffer: shared, y * width), y))
      }
    }
    return output
  }

  /// Tasks are first the vertical classes, ordered so that each row of a class is read along; then rows, with one class
  /// after the other.
  private func outputByClasses(
    _ classes: [ResidueClasses], of functions: GatedMaxRelativeFunctions, _ images: Images,
    in program: inout ProgramBuilder
  ) -> Output {
    func scratch(_ name: String, _ count: (ResidueClasses) -> Int) -> LoopArgument {
      .view(buffer: program.buffer(name, .scratch, count: classes.map(count).max() ?? 0), 0)
    }
    let features = scratch("class_features") { functions.classElements($0) }
    let distances = scratch("class_distances") { functions.distanceElements($0) }
    let calls = classes.enumerated().map { place, kind in
      let count = functions.nearElements(kind)
      return (
        kind, program.buffer("class_near", .scratch, .i32, count: count, range: kind.members),
        program.clearing(.i32, count: count, range: kind.members),
        functions.classCall(kind, isFirst: place == 0, isLast: place == classes.count - 1, in: &program)
      )
    }
    return Output { builder, image in
      for (kind, near, clear, call) in calls {
        func append(_ builder: inout LoopBuilder, _ first: LoopIndex) {
          builder.append(
            call(
              GatedMaxRelativeFunctions.ClassArguments(
                image: images.source(image), limit: .view(buffer: images.limit, 0),
                output: .view(buffer: images.output.buffer, image * images.output.imageElements), features: features,
                distances: distances, near: .view(buffer: near, 0), first: first)))
        }
        switch kind.axis {
        case .vertical:
          builder.loop("first", 0, .constant(kind.step * functions.width), order: images.order) { builder, first in
            builder.append(clear(.view(buffer: near, 0)))
            append(&builder, first)
          }
        case .horizontal:
          builder.loop("y", 0, .constant(functions.height), order: images.order) { builder, y in
            builder.append(clear(.view(buffer: near, 0)))
            builder.loop("class", 0, .constant(kind.step)) { append(&$0, y * functions.width + $1) }
          }
        }
      }
    }
  }
}
