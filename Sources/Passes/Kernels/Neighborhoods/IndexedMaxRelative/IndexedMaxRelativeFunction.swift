import IR

/// Max-relative aggregation over neighbours by index: the extreme of the neighbours' features, some vectors of channels at
/// a time in registers, then one difference with the pixel's own.
///
/// Rounding is monotone, so the greatest difference is that of the extreme, bit for bit on finite inputs.
struct IndexedMaxRelativeFunction {
  var neighbors: Int
  var candidates: Int
  /// Elements from one pixel to the next: the channels, padded to vectors with zeros.
  var pixelStride: Int
  /// x_i - x_j rather than x_j - x_i.
  var selfMinusNeighbor: Bool
  /// At most 0, so that padding stays zero.
  var start: Double?
  var lanes: Int

  private var type: LoopType { LoopType(.f32, lanes: lanes) }

  /// The call for some pixels; candidates are those of the whole image.
  func call(
    pixels: Int, input: LoopArgument, neighbors: LoopArgument, candidates: LoopArgument, output: LoopArgument,
    in program: inout ProgramBuilder
  ) -> LoopStatement {
    .call(function(pixels: pixels, in: &program), [input, neighbors, candidates, output])
  }

  private func function(pixels: Int, in program: inout ProgramBuilder) -> String {
    let count = pixels * pixelStride
    let parameters: [LoopParameter] = [
      .input("input", count: count),
      LoopParameter(
        "neighbors", .view(.read, .i32, count: pixels * neighbors, range: 0...(candidates - 1))),
      .input("candidates", count: candidates * pixelStride), .output("output", count: count),
    ]
    let name = "indexed_max_relative_p\(pixels)_k\(neighbors)_c\(pixelStride)"
    return program.function(name, parameters) { builder in
      builder.loop("pixel", 0, .constant(pixels)) { builder, pixel in
        let vectors = pixelStride / lanes
        // Enough chains of comparisons to hide their latency.
        let together = min(6, vectors)
        builder.loop("group", 0, .constant(vectors / together)) { builder, group in
          writeVectors(&builder, pixel, first: group * (together * lanes), count: together)
        }
        if vectors % together > 0 {
          let done = vectors / together * together
          writeVectors(&builder, pixel, first: .constant(done * lanes), count: vectors - done)
        }
      }
    }
  }

  private func writeVectors(_ builder: inout LoopBuilder, _ pixel: LoopIndex, first: LoopIndex, count: Int) {
    func load(_ builder: inout LoopBuilder, _ slot: LoopIndex) -> [LoopValue] {
      let neighbor = builder.letIndex(
        "neighbor", range: 0...(candidates - 1), .load("neighbors", pixel * neighbors + slot, .i32))
      return (0..<count).map { vector in
        .load("candidates", neighbor * pixelStride + first + .constant(vector * lanes), type)
      }
    }
    let extremes = load(&builder, 0).enumerated().map { builder.register("extreme_\($0)", type, $1) }
    builder.loop("slot", 1, .constant(neighbors)) { builder, slot in
      for (extreme, value) in zip(extremes, load(&builder, slot)) {
        let known = LoopValue.variable(extreme)
        builder.assign(extreme, selfMinusNeighbor ? .minimum(value, known) : .maximum(value, known))
      }
    }
    for (vector, extreme) in extremes.enumerated() {
      let place = pixel * pixelStride + first + .constant(vector * lanes)
      let own = LoopValue.load("input", place, type)
      let difference = selfMinusNeighbor ? own - .variable(extreme) : .variable(extreme) - own
      builder.store("output", place, start.map { .maximum(difference, .f32($0, lanes: lanes)) } ?? difference)
    }
  }
}
