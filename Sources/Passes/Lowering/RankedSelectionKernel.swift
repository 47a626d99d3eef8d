import IR

/// Chooses neighbours from one pixel's distances: of the candidates in ascending order, the lower index first where
/// distances are equal, those at the ranks 0, `step`, 2 * `step`, ...
///
/// Sorting all candidates would be waste. A threshold is searched by counting, vector by vector, how many lie at or below
/// it, until these are hardly more than needed; they are collected in the order of their indices, and the rank of each is
/// the number of those that come before it. Nothing depends on how the search goes: it only decides how many are ranked.
struct RankedSelectionKernel {
  var candidates: Int
  var selection: NearestSelection
  var lanes: Int

  /// Working memory of a call.
  struct Scratch {
    var parameter: String
    var element: ElementType
    var count: Int
    var range: ClosedRange<Int>?
  }

  private var floats: LoopType { LoopType(.f32, lanes: lanes) }
  private var integers: LoopType { LoopType(.i32, lanes: lanes) }
  private var places: ClosedRange<Int> { 0...(candidates - 1) }
  /// Elements of a pixel's distances: the candidates in whole vectors, infinite behind the last.
  private var distanceCount: Int { roundUp(candidates, toMultipleOf: lanes) }
  private var vectors: Int { distanceCount / lanes }

  /// How many candidates are ranked at most. Some more than needed end the search earlier: half a vector, and then whole
  /// vectors, which cost the same.
  private var most: Int { roundUp(selection.ranks + lanes / 2, toMultipleOf: lanes) }

  /// What a call needs, in the order of its parameters.
  var scratch: [Scratch] {
    // Behind the last one collected, a vector's lanes are written whether they are collected or not.
    let collected = max(candidates, most) + lanes
    return [
      Scratch(parameter: "near", element: .f32, count: collected),
      Scratch(parameter: "who", element: .i32, count: collected, range: places),
      Scratch(parameter: "ranks", element: .i32, count: most, range: 0...(most - 1)),
      Scratch(parameter: "ranked", element: .i32, count: most, range: places),
    ]
  }

  /// Adds the function and returns its name. Arguments: the distances, the scratch, the pixel's neighbours.
  func function(in program: inout ProgramBuilder) -> String {
    let parameters =
      [LoopParameter.input("distances", count: distanceCount)]
      + scratch.map {
        LoopParameter($0.parameter, .view(.readWrite, $0.element, count: $0.count, range: $0.range))
      } + [LoopParameter("neighbors", .view(.write, .i32, count: selection.count, range: places))]
    let name = "nearest_select_\(selection.count)x\(selection.step)_of_\(candidates)"
    let ranks = rankFunction(in: &program)
    return program.function(name, parameters) { builder in
      let taken = builder.register("taken", .i32, range: 0...candidates, .constant(0, .i32))
      if candidates <= most {
        collect(&builder, .less, .f32(.infinity), taken)
      } else {
        let (threshold, count) = search(&builder)
        let tooMany = LoopValue.compare(.greater, count, .constant(Double(most), .i32))
        builder.ifValue(tooMany) { builder in
          // As many are equal as lie at the threshold: those below come first, then the first of these.
          collect(&builder, .less, threshold, taken)
          collect(&builder, .equal, threshold, taken)
        } else: { builder in
          collect(&builder, .lessOrEqual, threshold, taken)
        }
      }
      let collected = builder.letIndex(
        "collected", range: 0...most, .minimum(.variable(taken), .constant(Double(most), .i32)))
      builder.call(
        ranks, [.view(buffer: "near", 0), .view(buffer: "ranks", 0), .index(collected)])
      emit(&builder, collected)
    }
  }

  // MARK: The threshold

  /// A number at or below which at least the wanted lie, and how many lie there: at most `most`, or the number is the
  /// distance of the last wanted one, exactly.
  private func search(_ builder: inout LoopBuilder) -> (threshold: LoopValue, count: LoopValue) {
    let bounds = self.bounds(&builder)
    let low = builder.register("low", .i32, key(&builder, bounds.low))
    let high = builder.register("high", .i32, key(&builder, bounds.high))
    let count = builder.register("count", .i32, .constant(Double(candidates), .i32))
    let isOpen = LoopValue.binary(
      .and, .compare(.greater, .variable(count), .constant(Double(most), .i32)),
      .compare(.less, .variable(low), .variable(high)))

    func round(_ builder: inout LoopBuilder, _ middle: LoopValue) {
      let found = self.count(&builder, upTo: value(&builder, middle))
      let isEnough = LoopValue.compare(.greaterOrEqual, found, .constant(Double(selection.ranks), .i32))
      builder.ifValue(isEnough) { builder in
        builder.assign(high, middle)
        builder.assign(count, found)
      } else: { builder in
        builder.assign(low, middle + .constant(1, .i32))
      }
    }
    // Halving the distance is quick where distances spread; halving the number of floats between always ends.
    builder.loop("halving", atMost: 12, while: isOpen) { builder, _ in
      let a = value(&builder, .variable(low))
      let b = value(&builder, .variable(high))
      round(&builder, key(&builder, a * .f32(0.5) + b * .f32(0.5)))
    }
    builder.loop("narrowing", atMost: 33, while: isOpen) { builder, _ in
      let one = LoopValue.constant(1, .i32)
      let halves: LoopValue =
        .binary(.shiftRight, .variable(low), one) + .binary(.shiftRight, .variable(high), one)
      let middle: LoopValue = halves + .binary(.and, .binary(.and, .variable(low), .variable(high)), one)
      round(&builder, builder.let("middle", .i32, middle))
    }
    return (value(&builder, .variable(high)), .variable(count))
  }

  /// Finite numbers between which the last wanted distance lies, if there are enough finite ones at all.
  private func bounds(_ builder: inout LoopBuilder) -> (low: LoopValue, high: LoopValue) {
    let infinity = LoopValue.f32(.infinity, lanes: lanes)
    // The least distances of so many groups of candidates: the greatest of these is no less than the last wanted one.
    let registers = ceilDivide(selection.ranks, lanes)
    let areGroups = registers <= min(8, candidates / lanes)
    let groups = (0..<(areGroups ? registers : 1)).map { builder.register("least_\($0)", floats, infinity) }
    let greatest = areGroups ? nil : builder.register("greatest", floats, .f32(-.infinity, lanes: lanes))
    func take(_ builder: inout LoopBuilder, _ group: Int, _ vector: LoopIndex) {
      let distance = builder.let("distance", floats, .load("distances", vector * lanes, floats))
      builder.assign(groups[group], .minimum(distance, .variable(groups[group])))
      if let greatest {
        let finite = LoopValue.select(.compare(.less, distance, infinity), distance, .variable(greatest))
        builder.assign(greatest, .maximum(finite, .variable(greatest)))
      }
    }
    builder.loop("round", 0, .constant(vectors / groups.count)) { builder, round in
      for group in groups.indices { take(&builder, group, round * groups.count + .constant(group)) }
    }
    for rest in 0..<(vectors % groups.count) {
      take(&builder, rest, .constant(vectors / groups.count * groups.count + rest))
    }
    let least = groups.dropFirst().reduce(LoopValue.variable(groups[0])) { .minimum($0, .variable($1)) }
    let bound =
      greatest.map { LoopValue.variable($0) }
      ?? groups.dropFirst().reduce(LoopValue.variable(groups[0])) { .maximum($0, .variable($1)) }
    let largest = LoopValue.f32(Double(Float.greatestFiniteMagnitude))
    let high = builder.let("highest", .f32, .minimum(reduced(.maximum, bound), largest))
    return (builder.let("lowest", .f32, .minimum(reduced(.minimum, least), high)), high)
  }

  private func reduced(_ reduction: LoopReduction, _ value: LoopValue) -> LoopValue {
    lanes == 1 ? value : .reduce(reduction, value)
  }

  /// An integer that orders like the float; both zeros are that of +0.
  private func key(_ builder: inout LoopBuilder, _ value: LoopValue) -> LoopValue {
    let bits = builder.let("pattern", .i32, .reinterpret(value + .f32(0), .i32))
    return builder.let("key", .i32, flipped(bits))
  }

  /// The float of a key.
  private func value(_ builder: inout LoopBuilder, _ key: LoopValue) -> LoopValue {
    let bits = builder.let("pattern", .i32, flipped(key))
    return builder.let("value", .f32, .reinterpret(bits, .f32))
  }

  /// Turns the order of the negative ones round; its own inverse.
  private func flipped(_ bits: LoopValue) -> LoopValue {
    let sign = LoopValue.binary(.shiftRight, bits, .constant(31, .i32))
    return .binary(.xor, bits, .binary(.and, sign, .constant(Double(Int32.max), .i32)))
  }

  /// How many distances are at most `threshold`.
  private func count(_ builder: inout LoopBuilder, upTo threshold: LoopValue) -> LoopValue {
    let bound = builder.let("bound", floats, .splat(threshold, lanes: lanes))
    let counts = builder.register("counts", integers, .constant(0, integers))
    func add(_ builder: inout LoopBuilder, _ vector: LoopIndex) {
      let isNear = LoopValue.compare(.lessOrEqual, .load("distances", vector * lanes, floats), bound)
      builder.assign(counts, .variable(counts) + one(isNear, integers))
    }
    let together = 4
    builder.loop("group", 0, .constant(vectors / together)) { builder, group in
      for place in 0..<together { add(&builder, group * together + .constant(place)) }
    }
    for rest in 0..<(vectors % together) { add(&builder, .constant(vectors / together * together + rest)) }
    return builder.let("found", .i32, reduced(.add, .variable(counts)))
  }

  private func one(_ mask: LoopValue, _ type: LoopType) -> LoopValue {
    .select(mask, .constant(1, type), .constant(0, type))
  }

  // MARK: Collecting and ranking

  /// Adds the candidates whose distance compares so with the threshold, in the order of their indices, behind the `taken`
  /// ones.
  private func collect(
    _ builder: inout LoopBuilder, _ relation: LoopCompare, _ threshold: LoopValue, _ taken: String
  ) {
    let bound = builder.let("bound", floats, .splat(threshold, lanes: lanes))
    builder.loop("vector", 0, .constant(candidates / lanes)) { builder, vector in
      let distances = LoopValue.load("distances", vector * lanes, floats)
      let isNear = LoopValue.compare(relation, distances, bound)
      builder.ifValue(lanes == 1 ? isNear : .reduce(.any, isNear)) { builder in
        collect(&builder, relation, threshold, taken, first: vector * lanes, count: lanes)
      }
    }
    let whole = candidates / lanes * lanes
    if whole < candidates {
      collect(&builder, relation, threshold, taken, first: .constant(whole), count: candidates - whole)
    }
  }

  /// Each of `count` candidates is written behind those collected before it; only where it is one of them is it not
  /// overwritten by the next.
  private func collect(
    _ builder: inout LoopBuilder, _ relation: LoopCompare, _ threshold: LoopValue, _ taken: String, first: LoopIndex,
    count: Int
  ) {
    let start = builder.letIndex("start", range: 0...candidates, .variable(taken))
    var before = LoopValue.constant(0, .i32)
    for lane in 0..<count {
      let place =
        lane == 0 ? start : start + builder.letIndex("place", range: 0...lane, before)
      let distance = builder.let("distance", .f32, .load("distances", first + .constant(lane), .f32))
      builder.store("near", place, distance)
      builder.store("who", place, .index(first + .constant(lane), .i32, step: 0))
      before = builder.let("before", .i32, before + one(.compare(relation, distance, threshold), .i32))
    }
    builder.assign(taken, .minimum(.variable(taken) + before, .constant(Double(candidates), .i32)))
  }

  /// The rank of each collected distance: how many are less, or equal and collected before.
  /// Arguments: distances, ranks, how many there are.
  private func rankFunction(in program: inout ProgramBuilder) -> String {
    let parameters: [LoopParameter] = [
      .input("near", count: most), LoopParameter("ranks", .view(.write, .i32, count: most, range: 0...(most - 1))),
      LoopParameter("collected", .index(0...most)),
    ]
    return program.function("nearest_rank_\(most)", parameters) { builder in
      let collected = LoopIndex.variable("collected")
      builder.loop("block", 0, (collected + .constant(lanes - 1)) / lanes) { builder, block in
        let first = block * lanes
        let own = builder.let("own", floats, .load("near", first, floats))
        let numbers = builder.let("numbers", integers, .index(first, integers, step: 1))
        let rank = builder.register("rank", integers, .constant(0, integers))
        let end = LoopIndex.minimum(first + .constant(lanes), collected)
        func count(
          _ builder: inout LoopBuilder, _ from: LoopIndex, _ to: LoopIndex,
          _ isBefore: (LoopValue, LoopIndex) -> LoopValue
        ) {
          builder.loop("other", from, to) { builder, other in
            let distance = builder.let("distance", floats, .splat(.load("near", other, .f32), lanes: lanes))
            builder.assign(rank, .variable(rank) + one(isBefore(distance, other), integers))
          }
        }
        count(&builder, 0, first) { other, _ in .compare(.lessOrEqual, other, own) }
        count(&builder, first, end) { other, number in
          let isEarlier = LoopValue.compare(
            .less, .splat(.index(number, .i32, step: 0), lanes: lanes), numbers)
          return .binary(
            .or, .compare(.less, other, own), .binary(.and, .compare(.equal, other, own), isEarlier))
        }
        count(&builder, end, collected) { other, _ in .compare(.less, other, own) }
        // The clamp changes nothing: it is what proves that a rank is one.
        let most = LoopValue.constant(Double(most - 1), integers)
        builder.store("ranks", first, .minimum(.maximum(.variable(rank), .constant(0, integers)), most))
      }
    }
  }

  /// Puts the collected candidates in order and writes those at the wanted ranks; ranks that nobody has are candidate 0's.
  private func emit(_ builder: inout LoopBuilder, _ collected: LoopIndex) {
    builder.ifIndex([LoopComparison(collected, .less, .constant(selection.ranks))]) { builder in
      builder.loop("rank", 0, .constant(selection.ranks)) { builder, rank in
        builder.store("ranked", rank, .constant(0, .i32))
      }
    }
    builder.loop("near_one", 0, collected) { builder, number in
      let rank = builder.letIndex("rank", range: 0...(most - 1), .load("ranks", number, .i32))
      builder.store("ranked", rank, .load("who", number, .i32))
    }
    builder.loop("slot", 0, .constant(selection.count)) { builder, slot in
      builder.store("neighbors", slot, .load("ranked", slot * selection.step, .i32))
    }
  }
}
