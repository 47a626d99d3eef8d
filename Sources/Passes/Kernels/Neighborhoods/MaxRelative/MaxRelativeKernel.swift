import IR

/// Max-relative aggregation over fixed offsets, together with the construction of the graph: no roll is ever written.
struct MaxRelativeKernel: Kernel {
  static let name: KernelName = "max_relative"
  static let summary = "max-relative over fixed offsets, no roll written; tasks are vectors of channels"
  static let phase = KernelPhase.operations

  let site: FuseSite
  let choice: LoweringChoice?
  private let lowering: MaxRelativeFunction.Lowering
  private let aggregation: OffsetAggregation
  private let offsets: [Offset]

  init(_ site: FuseSite) throws {
    self.site = site
    aggregation = try OffsetAggregation(site)
    guard case .offsets(let offsets) = aggregation.type.form, !aggregation.showsLinks else {
      throw site.diagnostic("runs over fixed offsets")
    }
    self.offsets = offsets
    let schedule: LoweringSchedule<MaxRelativeFunction.Lowering> = try site.schedule()
    (lowering, choice) = (schedule.lowering, schedule.choice)
    let candidates = OffsetsCost(aggregation, offsets).candidates
    guard candidates.contains(where: { $0.name == lowering.rawValue }) else {
      throw site.diagnostic(
        "cannot run these offsets as \(lowering.rawValue)",
        notes: ["what applies: \(candidates.map(\.name).joined(separator: ", "))"])
    }
  }

  static func match(_ node: Node, in rewriter: GraphRewriter) -> KernelMatch? {
    OffsetAggregation.match(node, in: rewriter) { type, aggregate, _, _ in
      guard case .offsets(let offsets) = type.form else { return nil }
      return OffsetsCost(
        offsets: offsets, height: type.height, width: type.width, startsAtZero: aggregate.start == 0
      ).candidates
    }
  }

  func lower(_ node: Node, into lowering: inout GraphLowering) throws {
    let shape = aggregation.shape
    let lanes = lowering.lanes
    let stride = lowering.padded(shape[1])
    let vectors = stride / lanes
    // Equal shares only: a remainder would cost a second function for very little work.
    let tasks = (1...max(1, min(lowering.workers, vectors))).last { vectors % $0 == 0 } ?? 1
    let function = MaxRelativeFunction(
      height: shape[2], width: shape[3], pixelStride: stride, vectors: vectors / tasks, offsets: offsets,
      selfMinusNeighbor: aggregation.aggregate.direction == .selfMinusNeighbor, start: aggregation.aggregate.start,
      lowering: self.lowering, lanes: lanes)
    function.add(to: &lowering.program)
    let input = lowering.image(aggregation.features)
    let output = lowering.image(node.results[0])
    let count = function.scratchCount
    let scratch = count > 0 ? lowering.program.buffer("max_relative_scratch", .scratch, count: count) : nil
    let step = vectors / tasks * lanes
    lowering.write { entry, program in
      entry.loop("image", 0, .constant(shape[0])) { builder, image in
        func call(_ builder: inout LoopBuilder, _ task: LoopIndex) {
          builder.append(
            function.call(
              input: .view(buffer: input.buffer, image * input.imageElements + task * step),
              output: .view(buffer: output.buffer, image * output.imageElements + task * step),
              scratch: scratch.map { .view(buffer: $0, 0) }, in: &program))
        }
        if tasks == 1 {
          call(&builder, 0)
        } else {
          builder.loop("share", 0, .constant(tasks), order: .parallel) { builder, task in call(&builder, task) }
        }
      }
    }
  }
}

extension OffsetsCost {
  fileprivate init(_ aggregation: OffsetAggregation, _ offsets: [Offset]) {
    self.init(
      offsets: offsets, height: aggregation.type.height, width: aggregation.type.width,
      startsAtZero: aggregation.aggregate.start == 0)
  }
}
