extension Aggregate {
  /// One pixel and channel after the other, a maximum over the neighbours in their order.
  func buildMaxRelative(
    _ builder: inout LoopBuilder, operands: [LoopTensor], graph: NeighborhoodType, result: LoopTensor
  ) {
    let x = operands[0]
    let stored = operands[1]
    let candidates = operands.count > 2 ? operands[2] : x
    let height = x.shape[2]
    let width = x.shape[3]
    func difference(_ own: LoopValue, _ other: LoopValue) -> LoopValue {
      switch direction {
      case .selfMinusNeighbor: own - other
      case .neighborMinusSelf: other - own
      }
    }

    builder.loops(over: x.shape) { builder, index in
      let own = builder.let("own", .f32, x.load(index))
      let best = builder.register("best", .f32, .f32(start ?? -.infinity))
      func take(_ builder: inout LoopBuilder, _ value: LoopValue) {
        builder.assign(best, .maximum(value, .variable(best)))
      }
      func rolled(_ offset: Offset) -> LoopValue {
        let dy = modulo(-offset.dy, height)
        let dx = modulo(-offset.dx, width)
        let row = dy == 0 ? index[2] : (index[2] + .constant(dy)) % height
        let column = dx == 0 ? index[3] : (index[3] + .constant(dx)) % width
        return x.load([index[0], index[1], row, column])
      }
      switch graph.form {
      case .offsets(let offsets):
        for offset in offsets { take(&builder, difference(own, rolled(offset))) }
      case .gatedOffsets(let offsets):
        for (place, offset) in offsets.enumerated() {
          let admits = stored.load([.constant(place), index[0], index[2], index[3]])
          let isAdmitted = LoopValue.compare(.notEqual, admits, .constant(0, LoopType(.u8)))
          take(&builder, .select(isAdmitted, difference(own, rolled(offset)), .f32(0)))
        }
      case .indices(let count, let total):
        let pixel = index[2] * width + index[3]
        builder.loop("j", 0, .constant(count)) { builder, slot in
          let element = stored.load([index[0], pixel, slot])
          let neighbor = builder.letIndex("neighbor", range: 0...(total - 1), element)
          let channel = (index[0] * candidates.shape[1] + index[1]) * total
          let other = LoopValue.load(candidates.buffer, candidates.base + channel + neighbor, .f32)
          take(&builder, difference(own, other))
        }
      case .incidence:
        preconditionFailure("typing refuses hyperedges")
      }
      builder.store(result.buffer, result.offset(index), .variable(best))
    }
  }

  /// One pixel and channel after the other, the neighbours' features combined in their order.
  func buildFold(
    _ builder: inout LoopBuilder, operands: [LoopTensor], result: LoopTensor, from start: Double,
    _ combine: (LoopValue, LoopValue) -> LoopValue
  ) {
    let neighbors = NeighborLoops(operands)
    builder.loops(over: operands[0].shape) { builder, index in
      let fold = builder.register("fold", .f32, .f32(start))
      neighbors.forEach(&builder, at: index) { builder, _, value in
        let other = builder.let("other", .f32, value)
        builder.assign(fold, combine(.variable(fold), other))
      }
      builder.store(result.buffer, result.offset(index), .variable(fold))
    }
  }

  private func modulo(_ a: Int, _ n: Int) -> Int {
    let remainder = a % n
    return remainder < 0 ? remainder + n : remainder
  }
}
