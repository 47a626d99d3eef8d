import IR

/// Chains row stages through rings of rows: the one place where layers are fused over space.
///
/// The last stage makes its output in blocks of `rowsPerStep` rows; every stage before it runs just far enough ahead
/// that its consumer's window is there. Block b of stage s covers rows b * R + lead ..< (b + 1) * R + lead, where R is
/// the block's height and `lead` what the window below the block needs; it lies in slot b mod slots of the stage's
/// ring. A band of blocks (one task of a parallel region) begins with a prologue that makes the rows its first block
/// needs from above, so bands share nothing and every split gives the same bytes.
struct RowComposer {
  private struct Plan {
    var stage: any RowStage
    /// Rows of one block.
    var blockRows: Int
    /// How far the stage runs ahead of its block's first row.
    var lead: Int
    /// The first row a band's prologue makes, relative to its first block's first row; `lead` when there is none.
    var first: Int
    /// Blocks the ring holds; unused for the last stage.
    var slots: Int
  }

  let input: [RowImage]
  let output: RowImage
  let batch: Int
  let blocks: Int
  private let plans: [Plan]

  /// - Parameters:
  ///   - input: the images the first stage reads; several only for a first stage of one row a tap and segment.
  ///   - rowsPerStep: output rows of one block.
  init(stages: [any RowStage], input: [RowImage], output: RowImage, batch: Int, rowsPerStep: Int) {
    self.input = input
    self.output = output
    self.batch = batch
    guard let last = stages.last else { preconditionFailure("a chain has a stage") }
    blocks = ceilDivide(last.outputHeight, rowsPerStep)
    var plans: [Plan] = []
    var consumer: Plan?
    for stage in stages.reversed() {
      guard let next = consumer else {
        consumer = Plan(stage: stage, blockRows: rowsPerStep, lead: 0, first: 0, slots: 1)
        continue
      }
      let window = next.stage.rows
      let rows = next.blockRows * window.stride
      let lead = max(0, (next.lead - 1) * window.stride - window.padding + window.extent)
      let first = min(lead, next.first * window.stride - window.padding)
      let deepest = lead - (next.lead * window.stride - window.padding)
      let slots = max(1 + ceilDivide(max(0, deepest), rows), ceilDivide(lead - first, rows))
      plans.append(next)
      consumer = Plan(stage: stage, blockRows: rows, lead: lead, first: first, slots: slots)
    }
    if let consumer { plans.append(consumer) }
    self.plans = plans.reversed()
  }

  /// Bytes of all rings of one worker.
  var ringBytes: Int {
    plans.dropLast().reduce(0) { $0 + $1.slots * $1.blockRows * $1.stage.outputRowElements * 4 }
  }

  /// Writes the chain into the program's entry, split over its workers.
  func emit(into program: inout ProgramBuilder, layer: String) {
    let rings = plans.dropLast().enumerated().map { index, plan in
      program.buffer(
        "\(layer)_ring_\(index)", .scratch, count: plan.slots * plan.blockRows * plan.stage.outputRowElements)
    }
    let tasks = min(program.workers, blocks)
    let band = ceilDivide(blocks, tasks)
    var entry = program.entry
    entry.loop("image", 0, .constant(batch)) { builder, image in
      if tasks == 1 {
        emitBand(&builder, &program, rings: rings, image: image, firstBlock: 0, blocks: blocks)
      } else {
        builder.loop("band", 0, .constant(ceilDivide(blocks, band)), order: .parallel) { builder, task in
          emitBand(&builder, &program, rings: rings, image: image, firstBlock: task * band, blocks: band)
        }
      }
    }
    program.entry = entry
  }

  private func emitBand(
    _ builder: inout LoopBuilder, _ program: inout ProgramBuilder, rings: [String], image: LoopIndex,
    firstBlock: LoopIndex, blocks: Int
  ) {
    for (index, plan) in plans.enumerated() {
      for relative in plan.first..<plan.lead {
        emitRow(&builder, &program, rings, image, stage: index, block: firstBlock, relative: relative)
      }
    }
    builder.loop("block", 0, .constant(blocks)) { builder, step in
      let block = firstBlock + step
      for index in plans.indices {
        emitBlock(&builder, &program, rings, image, stage: index, block: block)
      }
    }
  }

  /// One block of a stage: one call where the stage takes blocks and the whole block is inside the image, rows otherwise.
  private func emitBlock(
    _ builder: inout LoopBuilder, _ program: inout ProgramBuilder, _ rings: [String], _ image: LoopIndex,
    stage index: Int, block: LoopIndex
  ) {
    let plan = plans[index]
    func rowByRow(_ builder: inout LoopBuilder) {
      for row in 0..<plan.blockRows {
        emitRow(&builder, &program, rings, image, stage: index, block: block, relative: plan.lead + row)
      }
    }
    guard plan.stage.takesBlocks, plan.blockRows > 1 else { return rowByRow(&builder) }
    let end = block * plan.blockRows + .constant(plan.lead + plan.blockRows)
    let whole = [LoopComparison(end, .lessOrEqual, .constant(plan.stage.outputHeight))]
    let call = makeCall(
      &program, rings, image, stage: index, block: block, relative: plan.lead, count: plan.blockRows, taps: 0..<1)
    builder.guarded(whole) {
      $0.append(call)
    } else: {
      rowByRow(&$0)
    }
  }

  /// One row of a stage, wherever it lies: nothing outside the image, the kernel rows that exist at its borders.
  private func emitRow(
    _ builder: inout LoopBuilder, _ program: inout ProgramBuilder, _ rings: [String], _ image: LoopIndex,
    stage index: Int, block: LoopIndex, relative: Int
  ) {
    let plan = plans[index]
    let row = block * plan.blockRows + .constant(relative)
    for segment in plan.stage.reachSegments {
      let inside = [
        LoopComparison(row, .greaterOrEqual, .constant(segment.rows.lowerBound)),
        LoopComparison(row, .less, .constant(segment.rows.upperBound)),
      ]
      let call = makeCall(
        &program, rings, image, stage: index, block: block, relative: relative, count: 1, taps: segment.taps)
      builder.guarded(inside) { $0.append(call) }
    }
  }

  private func makeCall(
    _ program: inout ProgramBuilder, _ rings: [String], _ image: LoopIndex, stage index: Int, block: LoopIndex,
    relative: Int, count: Int, taps: Range<Int>
  ) -> LoopStatement {
    let plan = plans[index]
    let window = plan.stage.rows
    var inputs: [LoopArgument] = []
    for tap in taps {
      let inputRow = relative * window.stride - window.padding + tap * window.dilation
      if index == 0 {
        let row = block * (plan.blockRows * window.stride) + .constant(inputRow)
        inputs += input.map { $0.view(image: image, row: row) }
      } else {
        inputs.append(ringView(rings, stage: index - 1, block: block, relative: inputRow))
      }
    }
    let row = block * plan.blockRows + .constant(relative)
    let target =
      index == plans.count - 1
      ? output.view(image: image, row: row) : ringView(rings, stage: index, block: block, relative: relative)
    return plan.stage.call(
      rows: count, taps: taps, inputs: inputs,
      residuals: plan.stage.residuals.map { $0.view(image: image, row: row) }, output: target, in: &program)
  }

  /// The view of a row in a stage's ring, the row given relative to the block's first.
  private func ringView(_ rings: [String], stage index: Int, block: LoopIndex, relative: Int) -> LoopArgument {
    let plan = plans[index]
    let ahead = relative - plan.lead
    let delta = floorDivide(ahead, plan.blockRows)
    let inner = ahead - delta * plan.blockRows
    // A multiple of the slot count keeps the dividend non-negative without changing the slot.
    let lift = roundUp(max(0, -delta), toMultipleOf: plan.slots)
    let slot = (block + .constant(delta + lift)) % plan.slots
    let rowElements = plan.stage.outputRowElements
    return .view(
      buffer: rings[index], slot * (plan.blockRows * rowElements) + .constant(inner * rowElements))
  }
}

extension LoopBuilder {
  /// `ifIndex` with comparisons of constants decided here and now.
  mutating func guarded(
    _ comparisons: [LoopComparison], _ then: (inout LoopBuilder) -> Void,
    else otherwise: (inout LoopBuilder) -> Void = { _ in }
  ) {
    var open: [LoopComparison] = []
    for comparison in comparisons {
      switch comparison.constantOutcome {
      case true?: continue
      case false?: return otherwise(&self)
      case nil: open.append(comparison)
      }
    }
    if open.isEmpty { then(&self) } else { ifIndex(open, then, else: otherwise) }
  }
}

extension LoopComparison {
  /// Whether the comparison holds, where both sides are constants.
  var constantOutcome: Bool? {
    guard case .constant(let a) = left, case .constant(let b) = right else { return nil }
    switch relation {
    case .less: return a < b
    case .lessOrEqual: return a <= b
    case .equal: return a == b
    case .greaterOrEqual: return a >= b
    case .greater: return a > b
    }
  }
}
