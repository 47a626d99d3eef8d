import IR

/// Chains row stages through rings of rows (`RowRings`): the one place where layers are fused over space.
///
/// Rows are split into bands, each one task of a parallel region. A band begins with a prologue that makes the rows its
/// first block needs from above, so bands share nothing and every split gives the same bytes.
struct RowComposer {
  private struct Plan {
    var stage: any RowStage
    var rows: RowRings.Stage
    /// Rows of this stage for one row of the chain's output.
    var scale: Int
  }

  let input: [RowImage]
  let output: RowImage
  let batch: Int
  /// Output rows of a band, and of one block of it.
  private let bandRows: Int
  private let rowsPerStep: Int
  private let plans: [Plan]

  /// A run of the chain's output rows that one task makes.
  private struct Band {
    var image: LoopIndex
    /// Its first row.
    var first: LoopIndex
  }

  /// - Parameters:
  ///   - input: the images the first stage reads; several only for a first stage of one row a tap and segment.
  ///   - rowsPerStep: output rows of one block at most.
  ///   - workers: how many bands there are at most.
  init(
    stages: [any RowStage], input: [RowImage], output: RowImage, batch: Int, rowsPerStep most: Int, workers: Int
  ) {
    self.input = input
    self.output = output
    self.batch = batch
    let height = stages.last?.outputHeight ?? 1
    bandRows = ceilDivide(height, min(workers, height))
    // As many blocks as necessary, of sizes as equal as possible.
    rowsPerStep = ceilDivide(bandRows, ceilDivide(bandRows, most))
    let rowsPerStep = rowsPerStep
    let rings = RowRings(windows: stages.map(\.rows), rowsPerStep: rowsPerStep)
    plans = zip(stages, rings.stages).map { Plan(stage: $0, rows: $1, scale: $1.blockRows / rowsPerStep) }
  }

  private var outputHeight: Int { plans.last?.stage.outputHeight ?? 0 }

  /// Writes the chain into the program's entry, split over its workers.
  func emit(into program: inout ProgramBuilder, layer: String) {
    let rings = plans.dropLast().enumerated().map { index, plan in
      program.buffer(
        "\(layer)_ring_\(index)", .scratch,
        count: plan.rows.slots * plan.rows.blockRows * plan.stage.outputRowElements)
    }
    let bands = ceilDivide(outputHeight, bandRows)
    program.write { entry, program in
      entry.loop("image", 0, .constant(batch)) { builder, image in
        if bands == 1 {
          emitBand(&builder, &program, rings, Band(image: image, first: 0))
        } else {
          builder.loop("band", 0, .constant(bands), order: .parallel) { builder, task in
            let band = Band(image: image, first: task * bandRows)
            emitBand(&builder, &program, rings, band)
          }
        }
      }
    }
  }

  private func emitBand(_ builder: inout LoopBuilder, _ program: inout ProgramBuilder, _ rings: [String], _ band: Band)
  {
    for (index, plan) in plans.enumerated() {
      for relative in plan.rows.first..<plan.rows.lead {
        emitRow(&builder, &program, rings, band, stage: index, block: 0, relative: relative)
      }
    }
    builder.loop("block", 0, .constant(ceilDivide(bandRows, rowsPerStep))) { builder, block in
      for index in plans.indices {
        emitBlock(&builder, &program, rings, band, stage: index, block: block)
      }
    }
  }

  /// One block of a stage: one call if the stage takes blocks and the whole block is inside the image and the band,
  /// otherwise a call for each row.
  private func emitBlock(
    _ builder: inout LoopBuilder, _ program: inout ProgramBuilder, _ rings: [String], _ band: Band,
    stage index: Int, block: LoopIndex
  ) {
    let plan = plans[index]
    let rows = plan.rows
    func rowByRow(_ builder: inout LoopBuilder) {
      for row in 0..<rows.blockRows {
        emitRow(&builder, &program, rings, band, stage: index, block: block, relative: rows.lead + row)
      }
    }
    guard plan.stage.takesBlocks, rows.blockRows > 1 else { return rowByRow(&builder) }
    let end = imageRow(band, plan, block: block, relative: rows.lead + rows.blockRows)
    let whole =
      [LoopComparison(end, .lessOrEqual, .constant(plan.stage.outputHeight))]
      + insideBand(plan, block: block, relative: rows.lead + rows.blockRows - 1)
    let call = makeCall(
      &program, rings, band, stage: index, block: block, relative: rows.lead, count: rows.blockRows, taps: 0..<1)
    builder.guarded(whole) {
      $0.append(call)
    } else: {
      rowByRow(&$0)
    }
  }

  /// One row of a stage at any place. Nothing is made outside the image, or if only the next band needs it. At the
  /// image's borders only the kernel rows that exist are used.
  private func emitRow(
    _ builder: inout LoopBuilder, _ program: inout ProgramBuilder, _ rings: [String], _ band: Band,
    stage index: Int, block: LoopIndex, relative: Int
  ) {
    let plan = plans[index]
    let row = imageRow(band, plan, block: block, relative: relative)
    for segment in plan.stage.reachSegments {
      let inside = [
        LoopComparison(row, .greaterOrEqual, .constant(segment.rows.lowerBound)),
        LoopComparison(row, .less, .constant(segment.rows.upperBound)),
      ]
      let call = makeCall(
        &program, rings, band, stage: index, block: block, relative: relative, count: 1, taps: segment.taps)
      builder.guarded(inside + insideBand(plan, block: block, relative: relative)) { $0.append(call) }
    }
  }

  /// The row of the stage's image, the row given relative to a block of the band.
  private func imageRow(_ band: Band, _ plan: Plan, block: LoopIndex, relative: Int) -> LoopIndex {
    band.first * plan.scale + block * plan.rows.blockRows + .constant(relative)
  }

  /// The condition that the band needs a row: a last block that is cut short has rows it does not need.
  private func insideBand(_ plan: Plan, block: LoopIndex, relative: Int) -> [LoopComparison] {
    guard !bandRows.isMultiple(of: rowsPerStep) else { return [] }
    let end = bandRows * plan.scale + plan.rows.lead
    return [LoopComparison(block * plan.rows.blockRows + .constant(relative), .less, .constant(end))]
  }

  private func makeCall(
    _ program: inout ProgramBuilder, _ rings: [String], _ band: Band, stage index: Int, block: LoopIndex,
    relative: Int, count: Int, taps: Range<Int>
  ) -> LoopStatement {
    let plan = plans[index]
    let window = plan.stage.rows
    var inputs: [LoopArgument] = []
    for tap in taps {
      let inputRow = relative * window.stride - window.padding + tap * window.dilation
      if index == 0 {
        let step = window.stride
        let row = (band.first * plan.scale + block * plan.rows.blockRows) * step + .constant(inputRow)
        inputs += input.map { $0.view(image: band.image, row: row) }
      } else {
        inputs.append(ringView(rings, stage: index - 1, block: block, relative: inputRow))
      }
    }
    let row = imageRow(band, plan, block: block, relative: relative)
    let destination =
      index == plans.count - 1
      ? output.view(image: band.image, row: row) : ringView(rings, stage: index, block: block, relative: relative)
    return plan.stage.call(
      rows: count, taps: taps, inputs: inputs,
      residuals: plan.stage.residuals.map { $0.view(image: band.image, row: row) }, output: destination, in: &program)
  }

  /// The view of a row in a stage's ring, the row given relative to a block of the band.
  private func ringView(_ rings: [String], stage index: Int, block: LoopIndex, relative: Int) -> LoopArgument {
    let plan = plans[index].rows
    let ahead = relative - plan.lead
    let delta = floorDivide(ahead, plan.blockRows)
    let inner = ahead - delta * plan.blockRows
    // A multiple of the slot count keeps the dividend non-negative without changing the slot.
    let lift = roundUp(max(0, -delta), toMultipleOf: plan.slots)
    let slot = (block + .constant(delta + lift)) % plan.slots
    let rowElements = plans[index].stage.outputRowElements
    return .view(
      buffer: rings[index], slot * (plan.blockRows * rowElements) + .constant(inner * rowElements))
  }
}

extension LoopBuilder {
  /// `ifIndex`, with comparisons of constants decided at once.
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
  /// Whether the comparison holds, if both sides are constants.
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
