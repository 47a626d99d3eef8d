extension KNN {
  /// One pixel after the other, all candidates through a row of registers that holds the nearest so far, in order.
  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], result: LoopTensor) throws {
    let x = operands[0]
    let candidates = operands.count > 1 ? operands[1] : x
    let positions = operands.count > 2 ? operands[2] : nil
    for operand in operands where operand.type.element != .f32 {
      throw Diagnostic("knn has no loops for \(operand.type.element.rawValue), only for f32")
    }
    guard let type = result.neighborhood, let storage = type.storage else {
      preconditionFailure("a neighbourhood by index has storage")
    }
    let width = x.shape[3]
    let otherWidth = candidates.shape[3]
    let others = candidates.shape[2] * otherWidth
    let places = 0...(others - 1)
    let count = k * dilation

    builder.loops(over: [x.shape[0], x.shape[2], width]) { builder, pixel in
      let node = pixel[1] * width + pixel[2]
      let norm = self.norm(&builder, of: x, at: pixel)
      let ownSquare = builder.register("own_square", .f32, .f32(0))
      builder.loop("c", 0, .constant(x.shape[1])) { builder, c in
        let own = builder.let("own", .f32, x.load([pixel[0], c, pixel[1], pixel[2]]) / norm)
        builder.assign(ownSquare, .variable(ownSquare) + own * own)
      }
      let best = builder.fresh("best")
      let who = builder.fresh("who")
      builder.append(.register(best, .f32, count: count, range: nil, .f32(.infinity)))
      builder.append(.register(who, .i32, count: count, range: places, .constant(0, .i32)))
      builder.loop("other", 0, .constant(others)) { builder, other in
        let place = [pixel[0], other / otherWidth, other % otherWidth]
        let otherNorm = self.norm(&builder, of: candidates, at: place)
        let product = builder.register("product", .f32, .f32(0))
        let otherSquare = builder.register("other_square", .f32, .f32(0))
        builder.loop("c", 0, .constant(x.shape[1])) { builder, c in
          let own = builder.let("own", .f32, x.load([pixel[0], c, pixel[1], pixel[2]]) / norm)
          let value = builder.let("value", .f32, candidates.load([place[0], c, place[1], place[2]]) / otherNorm)
          builder.assign(product, .variable(product) + own * value)
          builder.assign(otherSquare, .variable(otherSquare) + value * value)
        }
        var sum: LoopValue = .variable(ownSquare) - .f32(2) * .variable(product) + .variable(otherSquare)
        if let positions { sum = sum + positions.load([0, node, other]) }
        let distance = builder.register("distance", .f32, sum)
        insert(&builder, distance, other, best: best, who: who, places: places)
      }
      for slot in 0..<k {
        let index = result.base + (pixel[0] * storage.shape[1] + node) * k + .constant(slot)
        builder.store(result.buffer, index, .element(who, .constant(slot * dilation)))
      }
    }
  }

  private func norm(_ builder: inout LoopBuilder, of x: LoopTensor, at pixel: [LoopIndex]) -> LoopValue {
    let square = builder.register("square", .f32, .f32(0))
    builder.loop("c", 0, .constant(x.shape[1])) { builder, c in
      let value = builder.let("value", .f32, x.load([pixel[0], c, pixel[1], pixel[2]]))
      builder.assign(square, .variable(square) + value * value)
    }
    let norm = LoopValue.unary(.squareRoot, .variable(square))
    return builder.let("norm", .f32, .maximum(norm, .f32(Self.leastNorm)))
  }

  /// Puts a candidate after all that are not farther; the ones after it move back by one.
  private func insert(
    _ builder: inout LoopBuilder, _ distance: String, _ index: LoopIndex, best: String, who: String,
    places: ClosedRange<Int>
  ) {
    let here = builder.register("here", .i32, range: places, .index(index, .i32, step: 0))
    let found = builder.register("found", .mask(lanes: 1), .firstLanes(0, lanes: 1))
    builder.loop("s", 0, .constant(k * dilation), order: .unrolled) { builder, slot in
      let nearer = LoopValue.compare(.less, .variable(distance), .element(best, slot))
      builder.assign(found, .binary(.or, .variable(found), nearer))
      let worse = builder.let("worse", .f32, .element(best, slot))
      let loser = builder.let("loser", .i32, .element(who, slot))
      builder.append(.assign(best, element: slot, .select(.variable(found), .variable(distance), worse)))
      builder.append(.assign(who, element: slot, .select(.variable(found), .variable(here), loser)))
      builder.assign(distance, .select(.variable(found), worse, .variable(distance)))
      let next = LoopValue.select(.variable(found), loser, .variable(here))
      let low = LoopValue.constant(Double(places.lowerBound), .i32)
      let high = LoopValue.constant(Double(places.upperBound), .i32)
      // The clamp changes nothing: it proves that the index stays among the candidates.
      builder.assign(here, .minimum(.maximum(next, low), high))
    }
  }
}
