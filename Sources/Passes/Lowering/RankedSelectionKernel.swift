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
      Scratch(parameter: "nearby", element: .f32, count: collected),
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
        let last = LoopValue.f32(Double(Float.greatestFiniteMagnitude))
        collect(&builder, above: .f32(-.infinity), upTo: last, taken)
      } else {
        collect(&builder, search(&builder), taken)
      }
      let collected = builder.letIndex(
        "collected", range: 0...most, .minimum(.variable(taken), .constant(Double(most), .i32)))
      builder.call(
        ranks, [.view(buffer: "nearby", 0), .view(buffer: "ranks", 0), .index(collected)])
      emit(&builder, collected)
    }
  }

  // MARK: The threshold

  /// Where the search ended.
  private struct Threshold {
    /// The key of a number at or below which the wanted lie.
    var key: LoopValue
    /// Whether more than `most` lie there. Then the number is the distance of the last wanted one, exactly, and as many are
    /// equal.
    var isCrowded: LoopValue
  }

  private func search(_ builder: inout LoopBuilder) -> Threshold {
    let bounds = self.bounds(&builder)
    let low = builder.register("low", .i32, key(&builder, bounds.low))
    let high = builder.register("high", .i32, key(&builder, bounds.high))
    let count = builder.register("count", .i32, .constant(Double(candidates), .i32))
    let isCrowded = LoopValue.compare(.greater, .variable(count), .constant(Double(most), .i32))
    let isOpen = LoopValue.binary(.and, isCrowded, .compare(.less, .variable(low), .variable(high)))
    // Halving the distance is quick where distances spread; halving the number of floats between always ends.
    let quick = 12
    builder.loop("attempt", atMost: quick + 33, while: isOpen) { builder, attempt in
      let half = value(&builder, .variable(low)) * .f32(0.5) + value(&builder, .variable(high)) * .f32(0.5)
      let isQuick = LoopValue.compare(
        .less, .index(attempt, .i32, step: 0), .constant(Double(quick), .i32))
      let between = middle(.variable(low), .variable(high))
      let middle = builder.let("middle", .i32, .select(isQuick, key(&builder, half), between))
      let found = self.count(&builder, upTo: value(&builder, middle))
      let isEnough = LoopValue.compare(.greaterOrEqual, found, .constant(Double(selection.ranks), .i32))
      builder.ifValue(isEnough) { builder in
        builder.assign(high, middle)
        builder.assign(count, found)
      } else: { builder in
        builder.assign(low, middle + .constant(1, .i32))
      }
    }
    return Threshold(key: .variable(high), isCrowded: isCrowded)
  }

  /// The integer in the middle, rounded down.
  private func middle(_ a: LoopValue, _ b: LoopValue) -> LoopValue {
    let one = LoopValue.constant(1, .i32)
    let halves: LoopValue = .binary(.shiftRight, a, one) + .binary(.shiftRight, b, one)
    return halves + .binary(.and, .binary(.and, a, b), one)
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

  /// Collects what lies at or below a threshold; where that is crowded, first what lies below it, so that of those at the
  /// threshold the ones of the highest indices are left out.
  private func collect(_ builder: inout LoopBuilder, _ threshold: Threshold, _ taken: String) {
    let last = value(&builder, threshold.key)
    // The next key below; the one of -0 is 0 by another name.
    let below = threshold.key - .constant(1, .i32)
    let isZero = LoopValue.compare(.equal, threshold.key, .constant(0, .i32))
    let previous = value(&builder, builder.let("below", .i32, .select(isZero, .constant(-2, .i32), below)))
    let above = builder.register("above", .f32, .f32(-.infinity))
    let upTo = builder.register("up_to", .f32, .select(threshold.isCrowded, previous, last))
    builder.loop("turn", atMost: 2, while: .compare(.less, .variable(above), last)) { builder, _ in
      collect(&builder, above: .variable(above), upTo: .variable(upTo), taken)
      builder.assign(above, .variable(upTo))
      builder.assign(upTo, last)
    }
  }

  /// Adds the candidates at these distances behind the `taken` ones, in the order of their indices.
  ///
  /// In a vector with one among them, each candidate is written behind those before it; only where it is one itself is it
  /// not overwritten by the next.
  private func collect(_ builder: inout LoopBuilder, above: LoopValue, upTo: LoopValue, _ taken: String) {
    func isWanted(_ distance: LoopValue, lanes: Int) -> LoopValue {
      .binary(
        .and, .compare(.greater, distance, .splat(above, lanes: lanes)),
        .compare(.lessOrEqual, distance, .splat(upTo, lanes: lanes)))
    }
    builder.loop("vector", 0, .constant(vectors)) { builder, vector in
      let distances = builder.let("distances_here", floats, .load("distances", vector * lanes, floats))
      let areWanted = isWanted(distances, lanes: lanes)
      builder.ifValue(lanes == 1 ? areWanted : .reduce(.any, areWanted)) { builder in
        let start = builder.letIndex("start", range: 0...candidates, .variable(taken))
        var before = LoopValue.constant(0, .i32)
        for lane in 0..<lanes {
          let place = lane == 0 ? start : start + builder.letIndex("place", range: 0...lane, before)
          let number = vector * lanes + .constant(lane)
          let distance = builder.let("distance", .f32, .load("distances", number, .f32))
          builder.store("nearby", place, distance)
          let isCandidate = candidates == distanceCount
          builder.store(
            "who", place, .index(isCandidate ? number : .minimum(number, .constant(candidates - 1)), .i32, step: 0))
          let isOne = builder.let("is_wanted", .mask(lanes: 1), isWanted(distance, lanes: 1))
          before = builder.let("before", .i32, before + one(isOne, .i32))
        }
        builder.assign(taken, .minimum(.variable(taken) + before, .constant(Double(candidates), .i32)))
      }
    }
  }

  /// The rank of each collected distance: how many are less, or equal and collected before.
  /// Arguments: distances, ranks, how many there are.
  private func rankFunction(in program: inout ProgramBuilder) -> String {
    let parameters: [LoopParameter] = [
      .input("nearby", count: most), LoopParameter("ranks", .view(.write, .i32, count: most, range: 0...(most - 1))),
      LoopParameter("collected", .index(0...most)),
    ]
    return program.function("nearest_rank_\(most)", parameters) { builder in
      let collected = LoopIndex.variable("collected")
      builder.loop("block", 0, (collected + .constant(lanes - 1)) / lanes) { builder, block in
        let first = block * lanes
        let own = builder.let("own", floats, .load("nearby", first, floats))
        let numbers = builder.let("numbers", integers, .index(first, integers, step: 1))
        let rank = builder.register("rank", integers, .constant(0, integers))
        let end = LoopIndex.minimum(first + .constant(lanes), collected)
        func count(
          _ builder: inout LoopBuilder, _ from: LoopIndex, _ to: LoopIndex,
          _ isBefore: (LoopValue, LoopIndex) -> LoopValue
        ) {
          builder.loop("other", from, to) { builder, other in
            let distance = builder.let("distance", floats, .splat(.load("nearby", other, .f32), lanes: lanes))
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
    builder.loop("number", 0, collected) { builder, number in
      let rank = builder.letIndex("rank", range: 0...(most - 1), .load("ranks", number, .i32))
      builder.store("ranked", rank, .load("who", number, .i32))
    }
    builder.loop("slot", 0, .constant(selection.count)) { builder, slot in
      builder.store("neighbors", slot, .load("ranked", slot * selection.step, .i32))
    }
  }
}
