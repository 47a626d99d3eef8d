import IR

/// Max-relative aggregation over fixed offsets that a distance admits pixel by pixel (DAGC), with no rolled copy ever in
/// memory.
///
/// A layer has functions for the sampled distances of a row, for the limit they set for the whole image, and for the
/// output of a row, or of a residue class of each axis. Another one measures a row's distances if they are shared.
/// Distances are sums over channel vectors, two at a time, then over lanes, in an order that does not depend on the
/// pixel. Gates depend on their last bits, so the limit's sums are compensated.
struct GatedMaxRelativeFunctions {
  enum Lowering: String, KernelLowering {
    /// Every pixel measures every neighbour: its distance and the difference to it come from the same loads.
    case direct
    /// A roll and its opposite share their distances, d(i, i + r) = d(i + r, i): one image of distances for both, bit for
    /// bit what `direct` measures, since both sum the channels in the same order.
    case symmetric
    /// The rolls join all pixels of a residue class of an axis with each other: a class is copied together, and each of
    /// its pairs measured once for both (`ResidueClasses`). The gates must not be read elsewhere.
    case classPairs = "class_pairs"

    static let usual = Self.direct
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
  /// Elements from the gates of one offset to those of the next, if the gates are wanted as 0 and 1.
  var gateStep: Int?

  var type: LoopType { LoopType(.f32, lanes: lanes) }
  var vectors: Int { pixelStride / lanes }
  var rowStep: Int { width * pixelStride }
  var pixels: Int { height * width }
  var shape: String { "\(height)x\(width)_c\(pixelStride)" }
  var limitParameter: LoopParameter { .input("limit", count: 1) }

  private var row: LoopParameter { LoopParameter("y", .index(0...(height - 1))) }

  /// Adds the function that measures a row's distances to what lies at `sample`; returns its call.
  func sample(
    in program: inout ProgramBuilder
  ) -> (_ image: LoopArgument, _ distances: LoopArgument, _ y: LoopIndex) -> LoopStatement {
    let name = program.function(
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
    return { .call(name, [$0, $1, .index($2)]) }
  }

  /// Adds the function that makes a limit of the sampled distances of an image; returns its call.
  func limit(
    in program: inout ProgramBuilder
  ) -> (_ distances: LoopArgument, _ limit: LoopArgument) -> LoopStatement {
    let name = program.function(
      "gated_limit_\(pixels)", [.input("distances", count: pixels), .output("limit", count: 1)]
    ) { builder in
      let sum = total(&builder) { _, value, _ in value }
      let mean = builder.let("mean", .f32, sum / .f32(Double(pixels)))
      let squares = total(&builder) { builder, value, lanes in
        let center = lanes == 1 ? mean : .splat(mean, lanes: lanes)
        let deviation = builder.let("deviation", LoopType(.f32, lanes: lanes), value - center)
        return deviation * deviation
      }
      // A single pixel has no deviation, and no neighbours that need it.
      let variance = squares / .f32(Double(max(1, pixels - 1)))
      builder.store("limit", 0, mean - .unary(.squareRoot, variance))
    }
    return { .call(name, [$0, $1]) }
  }

  /// The sum of a term of each distance: first whole vectors, then the rest.
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

  /// Images of distances that `symmetric` keeps.
  var sharedImages: Int { SharedDistances(offsets, height: height, width: width).measured.count }

  private var sharedCount: Int { (sharedImages - 1) * pixels + width }

  /// Adds the function that measures a row's distances to all rolls but the opposite ones; returns its call.
  func distances(
    in program: inout ProgramBuilder
  ) -> (_ image: LoopArgument, _ rowInFirstDistances: LoopArgument, _ y: LoopIndex) -> LoopStatement {
    let measured = SharedDistances(offsets, height: height, width: width).measured
    let name = program.function(
      "gated_distances_\(shape)",
      [.input("input", count: height * rowStep), .output("distances", count: sharedCount), row]
    ) { builder in
      let y = LoopIndex.variable("y")
      builder.loop("x", 0, .constant(width)) { builder, x in
        for run in runs(measured.enumerated().map { Roll(offset: $1, place: $0, image: $0, isOpposite: false) }) {
          builder.loop("roll", 0, .constant(run.count)) { builder, roll in
            let distance = distance(&builder, pixel(y, x), neighbor(run, roll, y, x).address)
            builder.store("distances", run.image(roll) * pixels + x, distance)
          }
        }
      }
    }
    return { .call(name, [$0, $1, .index($2)]) }
  }

  /// The call of a function that writes a row of output: the image, the limit, all distances if they are shared, the
  /// row, its place among the gates if they are wanted, and its number.
  typealias RowCall = (
    _ image: LoopArgument, _ limit: LoopArgument, _ distances: LoopArgument?, _ output: LoopArgument,
    _ gates: LoopArgument?, _ y: LoopIndex
  ) -> LoopStatement

  /// Adds the function that writes a row of output; returns its call.
  func row(isShared: Bool, in program: inout ProgramBuilder) -> RowCall {
    let rolls = SharedDistances(offsets, height: height, width: width).rolls
    var parameters: [LoopParameter] = [.input("input", count: height * rowStep), limitParameter]
    if isShared { parameters.append(.input("distances", count: sharedImages * pixels)) }
    parameters.append(LoopParameter("output", .view(.readWrite, .f32, count: rowStep, range: nil)))
    if let gateStep { parameters.append(.output("gates", count: (offsets.count - 1) * gateStep + width)) }
    let name = program.function("gated_max_relative_\(shape)", parameters + [row]) { builder in
      let y = LoopIndex.variable("y")
      let limit = builder.let("limit_value", .f32, .load("limit", 0, .f32))
      builder.loop("x", 0, .constant(width)) { builder, x in
        let result = x * pixelStride
        builder.loop("vector", 0, .constant(vectors)) { builder, vector in
          builder.store("output", result + vector * lanes, .f32(start ?? -.infinity, lanes: lanes))
        }
        for run in runs(isShared ? rolls : rolls.map(\.alone)) {
          builder.loop("roll", 0, .constant(run.count)) { builder, roll in
            let other = neighbor(run, roll, y, x)
            let distance: LoopValue
            if isShared {
              let measurer = run.isOpposite ? other.number : y * width + x
              distance = .load("distances", run.image(roll) * pixels + measurer, .f32)
            } else {
              distance = self.distance(&builder, pixel(y, x), other.address)
            }
            let isNear = builder.let("is_near", .mask(lanes: 1), .compare(.less, distance, limit))
            if let gateStep {
              let place = (.constant(run.place) + roll) * gateStep + x
              builder.store("gates", place, .select(isNear, .f32(1), .f32(0)))
            }
            take(&builder, isNear, own: pixel(y, x), other: other.address, result: result)
          }
        }
      }
    }
    return { image, limit, distances, output, gates, y in
      let optional = [distances, output, gates].compactMap { $0 }
      return .call(name, [image, limit] + optional + [.index(y)])
    }
  }

  /// Where the neighbour of (y, x) is: its address in the image, and its number among the pixels.
  private func neighbor(
    _ run: Run, _ roll: LoopIndex, _ y: LoopIndex, _ x: LoopIndex
  ) -> (address: LoopIndex, number: LoopIndex) {
    // A roll by d reads (i - d) mod N; a run stays below N, so adding N keeps the dividend non-negative.
    let row = (y + .constant(height - run.first.dy) - roll * run.step.dy) % height
    let column = (x + .constant(width - run.first.dx) - roll * run.step.dx) % width
    return (pixel(row, column), row * width + column)
  }

  private func take(
    _ builder: inout LoopBuilder, _ isNear: LoopValue, own: LoopIndex, other: LoopIndex, result: LoopIndex
  ) {
    func raise(_ builder: inout LoopBuilder, _ value: (LoopIndex) -> LoopValue) {
      builder.loop("vector", 0, .constant(vectors)) { builder, vector in
        let place = result + vector * lanes
        builder.store("output", place, .maximum(value(vector), .load("output", place, type)))
      }
    }
    func difference(_ vector: LoopIndex) -> LoopValue {
      let here = load(own, vector)
      let there = load(other, vector)
      return selfMinusNeighbor ? here - there : there - here
    }
    // A neighbour that is not admitted contributes 0, which does not change a maximum that starts at 0.
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
    distances(&builder, "input", [own], [other])[0][0]
  }

  /// The sums over channels of |x_i - x_j| for several pairs at once, which hide each other's latency.
  func distances(
    _ builder: inout LoopBuilder, _ features: String, _ own: [LoopIndex], _ others: [LoopIndex]
  ) -> [[LoopValue]] {
    let width = min(2, vectors)
    let sums = own.map { _ in
      others.map { _ in (0..<width).map { _ in builder.register("sum", type, .f32(0, lanes: lanes)) } }
    }
    func add(_ builder: inout LoopBuilder, _ place: Int, _ vector: LoopIndex) {
      let here = own.map { builder.let("here", type, .load(features, $0 + vector * lanes, type)) }
      for (column, other) in others.enumerated() {
        let there = builder.let("there", type, .load(features, other + vector * lanes, type))
        for (here, sums) in zip(here, sums) {
          let sum = sums[column][place]
          builder.assign(sum, .variable(sum) + .unary(.absolute, here - there))
        }
      }
    }
    builder.loop("group", 0, .constant(vectors / width)) { builder, group in
      for place in 0..<width { add(&builder, place, group * width + .constant(place)) }
    }
    for rest in 0..<(vectors % width) { add(&builder, rest, .constant(vectors / width * width + rest)) }
    return sums.map { sums in
      sums.map { sums in
        let sum = sums.dropFirst().reduce(LoopValue.variable(sums[0])) { $0 + .variable($1) }
        return builder.let("distance", .f32, lanes == 1 ? sum : .reduce(.add, sum))
      }
    }
  }

  private func pixel(_ y: LoopIndex, _ x: LoopIndex) -> LoopIndex { y * rowStep + x * pixelStride }

  private func load(_ pixel: LoopIndex, _ vector: LoopIndex) -> LoopValue {
    .load("input", pixel + vector * lanes, type)
  }

  func runs(_ rolls: [Roll]) -> [Run] {
    var runs: [Run] = []
    for roll in rolls where runs.isEmpty || !runs[runs.count - 1].extend(by: roll) { runs.append(Run(roll)) }
    return runs
  }
}

/// One offset, within 0 ..< height and 0 ..< width, and where its distances are kept.
struct Roll: Hashable {
  var offset: Offset
  /// Its place among the offsets.
  var place: Int
  /// It measures its own distances, into this image of distances.
  var image: Int
  /// Its distances are those that were measured for the opposite roll.
  var isOpposite: Bool

  /// The roll as one that keeps its distances to itself.
  var alone: Roll { Roll(offset: offset, place: place, image: 0, isOpposite: false) }
}

/// Consecutive offsets in equal steps, which one loop runs over.
struct Run {
  let first: Offset
  /// The place of the first among the offsets.
  let place: Int
  let isOpposite: Bool
  private(set) var step = Offset(dy: 0, dx: 0)
  private(set) var count = 1
  private let firstImage: Int
  private var imageStep = 0

  init(_ roll: Roll) {
    (first, place, firstImage, isOpposite) = (roll.offset, roll.place, roll.image, roll.isOpposite)
  }

  func image(_ roll: LoopIndex) -> LoopIndex { .constant(firstImage) + roll * imageStep }

  /// Takes in the next offset, if it goes on in the same steps.
  mutating func extend(by roll: Roll) -> Bool {
    let next = Offset(
      dy: roll.offset.dy - first.dy - step.dy * (count - 1), dx: roll.offset.dx - first.dx - step.dx * (count - 1))
    let nextImage = roll.image - firstImage - imageStep * (count - 1)
    guard next.dy >= 0, next.dx >= 0, roll.isOpposite == isOpposite,
      count == 1 || (next == step && nextImage == imageStep)
    else { return false }
    (step, imageStep, count) = (next, nextImage, count + 1)
    return true
  }
}

/// Which offsets measure distances, and which use those of the opposite one.
struct SharedDistances {
  /// The offsets that measure, an image of distances each.
  private(set) var measured: [Offset] = []
  private(set) var rolls: [Roll] = []

  init(_ offsets: [Offset], height: Int, width: Int) {
    for (place, offset) in offsets.enumerated() {
      let own = offset.wrapped(height: height, width: width)
      let opposite = Offset(dy: -offset.dy, dx: -offset.dx).wrapped(height: height, width: width)
      if let image = measured.firstIndex(of: own) {
        rolls.append(Roll(offset: own, place: place, image: image, isOpposite: false))
      } else if let image = measured.firstIndex(of: opposite) {
        rolls.append(Roll(offset: own, place: place, image: image, isOpposite: true))
      } else {
        rolls.append(Roll(offset: own, place: place, image: measured.count, isOpposite: false))
        measured.append(own)
      }
    }
  }
}
