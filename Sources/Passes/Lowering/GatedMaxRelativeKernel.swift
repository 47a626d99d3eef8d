import IR

/// Max-relative aggregation over fixed offsets that a distance admits pixel by pixel (DAGC): the distance to a
/// neighbour and the difference to it come from the same loads, and no rolled copy is ever in memory.
///
/// Three functions a layer: the sampled distances of a row, the limit they set for the whole image, and a row of
/// output. Distances are sums over channel vectors, four at a time, then over lanes, in an order that does not depend
/// on the pixel; gates hang on their last bits, so the limit's sums are compensated.
struct GatedMaxRelativeKernel {
  enum Lowering: String, CaseIterable {
    /// Every pixel measures every neighbour.
    case direct
  }

  var height: Int
  var width: Int
  /// Elements from one pixel to the next: the channels, padded to vectors with zeros, which add no distance.
  var pixelStride: Int
  var offsets: [Offset]
  var sample: Offset
  /// x_i - x_j rather than x_j - x_i.
  var selfMinusNeighbor: Bool
  var start: Double?
  var lanes: Int

  private var type: LoopType { LoopType(.f32, lanes: lanes) }
  private var vectors: Int { pixelStride / lanes }
  private var rowStep: Int { width * pixelStride }
  private var pixels: Int { height * width }
  private var shape: String { "\(height)x\(width)_c\(pixelStride)" }

  private var row: LoopParameter { LoopParameter("y", .index(0...(height - 1))) }

  /// Arguments: the image, a row of distances, y.
  func sampleFunction(in program: inout ProgramBuilder) -> String {
    program.function(
      "gated_sample_\(shape)",
      [.input("input", count: height * rowStep), .output("distances", count: width), row]
    ) { builder in
      let y = LoopIndex.variable("y")
      builder.loop("x", 0, .constant(width)) { builder, x in
        let row = (y + .constant(height - sample.dy)) % height
        let column = (x + .constant(width - sample.dx)) % width
        let distance = distance(&builder, pixel(y, x), pixel(row, column))
        builder.store("distances", x, distance)
      }
    }
  }

  /// Arguments: the image's distances, the limit.
  func limitFunction(in program: inout ProgramBuilder) -> String {
    program.function(
      "gated_limit_\(pixels)", [.input("distances", count: pixels), .output("limit", count: 1)]
    ) { builder in
      let sum = total(&builder) { _, value, _ in value }
      let mean = builder.let("mean", .f32, sum / .f32(Double(pixels)))
      let squares = total(&builder) { builder, value, lanes in
        let center = lanes == 1 ? mean : .splat(mean, lanes: lanes)
        let deviation = builder.let("deviation", LoopType(.f32, lanes: lanes), value - center)
        return deviation * deviation
      }
      // One pixel has no deviation, and no neighbours that would ask for it.
      let variance = squares / .f32(Double(max(1, pixels - 1)))
      builder.store("limit", 0, mean - .unary(.squareRoot, variance))
    }
  }

  /// The sum over all distances of a term of each, in whole vectors and then the rest.
  private func total(
    _ builder: inout LoopBuilder, _ term: (inout LoopBuilder, LoopValue, Int) -> LoopValue
  ) -> LoopValue {
    let whole = lanes == 1 ? 0 : pixels / lanes
    let sum = CompensatedSum(&builder, .f32)
    if whole > 0 {
      let wide = CompensatedSum(&builder, type)
      builder.loop("vector", 0, .constant(whole)) { builder, vector in
        let value = builder.let("distance", type, .load("distances", vector * lanes, type))
        wide.add(&builder, term(&builder, value, lanes))
      }
      sum.add(&builder, .reduce(.add, wide.value))
    }
    builder.loop("pixel", .constant(whole * lanes), .constant(pixels)) { builder, pixel in
      let value = builder.let("distance", .f32, .load("distances", pixel, .f32))
      sum.add(&builder, term(&builder, value, 1))
    }
    return sum.value
  }

  /// Arguments: the image, the limit, a row of output, y.
  func rowFunction(in program: inout ProgramBuilder) -> String {
    program.function(
      "gated_max_relative_\(shape)",
      [
        .input("input", count: height * rowStep), .input("limit", count: 1),
        LoopParameter("output", .view(.readWrite, .f32, count: rowStep, range: nil)), row,
      ]
    ) { builder in
      let y = LoopIndex.variable("y")
      let limit = builder.let("limit_value", .f32, .load("limit", 0, .f32))
      builder.loop("x", 0, .constant(width)) { builder, x in
        let result = x * pixelStride
        builder.loop("vector", 0, .constant(vectors)) { builder, vector in
          builder.store("output", result + vector * lanes, .f32(start ?? -.infinity, lanes: lanes))
        }
        for run in Self.runs(offsets, height: height, width: width) {
          builder.loop("roll", 0, .constant(run.count)) { builder, roll in
            // roll by d reads (i - d) mod N; a run stays below N, so adding N keeps the dividend non-negative
            let row = (y + .constant(height - run.first.dy) - roll * run.step.dy) % height
            let column = (x + .constant(width - run.first.dx) - roll * run.step.dx) % width
            take(&builder, own: pixel(y, x), other: pixel(row, column), limit: limit, result: result)
          }
        }
      }
    }
  }

  private func take(
    _ builder: inout LoopBuilder, own: LoopIndex, other: LoopIndex, limit: LoopValue, result: LoopIndex
  ) {
    let distance = distance(&builder, own, other)
    func raise(_ builder: inout LoopBuilder, _ value: (LoopIndex) -> LoopValue) {
      builder.loop("vector", 0, .constant(vectors)) { builder, vector in
        let place = result + vector * lanes
        builder.store("output", place, .maximum(value(vector), .load("output", place, type)))
      }
    }
    let isNear = LoopValue.compare(.less, distance, limit)
    func difference(_ vector: LoopIndex) -> LoopValue {
      let here = load(own, vector)
      let there = load(other, vector)
      return selfMinusNeighbor ? here - there : there - here
    }
    // A neighbour that is not admitted contributes 0, which a maximum that starts at 0 has seen.
    if start == 0 {
      builder.ifValue(isNear) { builder in raise(&builder, difference) }
    } else {
      builder.ifValue(isNear) { builder in
        raise(&builder, difference)
      } else: { builder in
        raise(&builder) { _ in .f32(0, lanes: lanes) }
      }
    }
  }

  /// The sum over channels of |x_i - x_j|.
  private func distance(_ builder: inout LoopBuilder, _ own: LoopIndex, _ other: LoopIndex) -> LoopValue {
    let width = min(4, vectors)
    let sums = (0..<width).map { builder.register("sum_\($0)", type, .f32(0, lanes: lanes)) }
    func add(_ builder: inout LoopBuilder, _ place: Int, _ vector: LoopIndex) {
      let apart = LoopValue.unary(.absolute, load(own, vector) - load(other, vector))
      builder.assign(sums[place], .variable(sums[place]) + apart)
    }
    builder.loop("group", 0, .constant(vectors / width)) { builder, group in
      for place in 0..<width { add(&builder, place, group * width + .constant(place)) }
    }
    for rest in 0..<(vectors % width) { add(&builder, rest, .constant(vectors / width * width + rest)) }
    var terms = sums.map { LoopValue.variable($0) }
    while terms.count > 1 {
      terms = stride(from: 0, to: terms.count, by: 2).map { first in
        first + 1 < terms.count ? terms[first] + terms[first + 1] : terms[first]
      }
    }
    let sum = lanes == 1 ? terms[0] : .reduce(.add, terms[0])
    return builder.let("distance", .f32, sum)
  }

  private func pixel(_ y: LoopIndex, _ x: LoopIndex) -> LoopIndex { y * rowStep + x * pixelStride }

  private func load(_ pixel: LoopIndex, _ vector: LoopIndex) -> LoopValue {
    .load("input", pixel + vector * lanes, type)
  }

  /// Offsets in turn as runs of equal steps, each run within 0 ..< height and 0 ..< width.
  struct Run: Hashable {
    var first: Offset
    var step: Offset
    var count: Int
  }

  static func runs(_ offsets: [Offset], height: Int, width: Int) -> [Run] {
    func wrapped(_ value: Int, _ length: Int) -> Int { value - floorDivide(value, length) * length }
    var runs: [Run] = []
    for offset in offsets.map({ Offset(dy: wrapped($0.dy, height), dx: wrapped($0.dx, width)) }) {
      guard var run = runs.last else {
        runs.append(Run(first: offset, step: Offset(dy: 0, dx: 0), count: 1))
        continue
      }
      let step = Offset(
        dy: offset.dy - run.first.dy - run.step.dy * (run.count - 1),
        dx: offset.dx - run.first.dx - run.step.dx * (run.count - 1))
      if step.dy >= 0, step.dx >= 0, run.count == 1 || step == run.step {
        run.step = step
        run.count += 1
        runs[runs.count - 1] = run
      } else {
        runs.append(Run(first: offset, step: Offset(dy: 0, dx: 0), count: 1))
      }
    }
    return runs
  }
}
