import IR

/// Chooses neighbours from one pixel's distances: those at the ranks 0, `step`, 2 * `step`, ... of the candidates in
/// ascending order, the lower index first if distances are equal.
///
/// Sorting all candidates would be wasteful. Those at or below a threshold are collected in the order of their indices,
/// and the rank of each is the number of those that come before it. The threshold only decides how many are ranked. As
/// long as these are enough, the result does not depend on it.
///
/// Every lane keeps a few of the least distances it has met. Of all these, the one at the last rank wanted is the
/// threshold: hardly more candidates than needed lie at or below it, wherever they are. For many ranks, or if too many
/// candidates lie there, a threshold is searched by counting, vector by vector, how many lie at or below it.
struct TopKSelection {
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
  private var numbers: StreamCompaction { StreamCompaction(count: candidates, lanes: lanes) }
  private var places: ClosedRange<Int> { numbers.numbers }
  /// Elements of a pixel's distances: the candidates in whole vectors, infinite after the last.
  private var distanceCount: Int { roundUp(candidates, toMultipleOf: lanes) }
  private var vectors: Int { distanceCount / lanes }

  /// How many candidates are ranked at most. Allowing half a vector more than needed ends the search earlier; whole
  /// vectors then cost the same.
  private var most: Int { roundUp(selection.ranks + lanes / 2, toMultipleOf: lanes) }

  /// How many of the least distances each lane keeps for the threshold: all lanes together keep half as many again as
  /// ranks are wanted. Nil if the search is as quick: each one that is kept costs two operations a vector.
  private var kept: Int? {
    let count = ceilDivide(selection.ranks * 3, 2 * lanes)
    return lanes > 1 && count <= min(4, vectors) ? count : nil
  }

  /// What a call needs, in the order of its parameters.
  var scratch: [Scratch] {
    // Whole vectors are written after the last one collected: one vector while collecting, and at least `most` elements
    // at the end.
    let collected = candidates + most
    return [
      Scratch(parameter: "nearby", element: .f32, count: collected),
      Scratch(parameter: "who", element: .i32, count: collected, range: places),
      Scratch(parameter: "ranks", element: .i32, count: most, range: 0...(most - 1)),
      Scratch(parameter: "ranked", element: .i32, count: most, range: places),
    ]
  }

  /// Adds the function; returns its call.
  /// - Parameter scratch: working memory as `scratch` says, in that order.
  func selection(
    in program: inout ProgramBuilder
  ) -> (_ distances: LoopArgument, _ scratch: [LoopArgument], _ neighbors: LoopArgument) -> LoopStatement {
    let name = function(in: &program)
    return { .call(name, [$0] + $1 + [$2]) }
  }

  /// Adds the function and returns its name.
  func function(in program: inout ProgramBuilder) -> String {
    let parameters =
      [LoopParameter.input("distances", count: distanceCount)]
      + scratch.map {
        LoopParameter($0.parameter, .view(.readWrite, $0.element, count: $0.count, range: $0.range))
      } + [LoopParameter("neighbors", .view(.write, .i32, count: selection.count, range: places))]
    let name = "nearest_select_\(selection.count)x\(selection.step)_of_\(candidates)"
    let ranks = rankFunction(in: &program)
    return program.function(name, parameters) { builder in
      let taken = numbers.counter(&builder)
      if candidates <= most {
        collect(&builder, taken) { .compare(.less, $0, .f32(.infinity, lanes: lanes)) }
      } else if let kept {
        let bounds = keptBounds(&builder, kept)
        collect(&builder, taken) { .compare(.lessOrEqual, $0, .splat(bounds.high, lanes: lanes)) }
        let isCrowded = LoopValue.compare(.greater, .variable(taken), .constant(Double(most), LoopType(.u32)))
        builder.ifValue(isCrowded) { builder in
          builder.assign(taken, .constant(0, LoopType(.u32)))
          collect(&builder, search(&builder, bounds), taken)
        }
      } else {
        collect(&builder, search(&builder, groupBounds(&builder)), taken)
      }
      pad(&builder, taken)
      builder.call(ranks, [.view(buffer: "nearby", 0), .view(buffer: "ranks", 0)])
      emit(&builder)
    }
  }

  // MARK: The threshold

  /// Where the search ended.
  private struct Threshold {
    /// The key of a number at or below which all wanted distances lie.
    var key: LoopValue
    /// Whether more than `most` candidates lie there. Then the number is exactly the last wanted distance, which many
    /// candidates share.
    var isCrowded: LoopValue
  }

  /// Numbers between which the last wanted distance lies, if enough distances are finite. The high number is finite
  /// then.
  private typealias Bounds = (low: LoopValue, high: LoopValue)

  private func search(_ builder: inout LoopBuilder, _ bounds: Bounds) -> Threshold {
    let low = builder.register("low", .i32, key(&builder, bounds.low))
    let high = builder.register("high", .i32, key(&builder, bounds.high))
    let count = builder.register("count", .i32, .constant(Double(candidates), .i32))
    let isCrowded = LoopValue.compare(.greater, .variable(count), .constant(Double(most), .i32))
    let isOpen = LoopValue.binary(.and, isCrowded, .compare(.less, .variable(low), .variable(high)))
    // Halving the distance is quick if distances spread; halving the number of floats in between always ends.
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

  /// The high number is the last wanted one among the `count` least distances of each lane.
  private func keptBounds(_ builder: inout LoopBuilder, _ count: Int) -> Bounds {
    let least = (0..<count).map { builder.register("least_\($0)", floats, .f32(.infinity, lanes: lanes)) }
    builder.loop("vector", 0, .constant(vectors)) { builder, vector in
      var distance = builder.let("distance", floats, .load("distances", vector * lanes, floats))
      for (number, place) in least.enumerated() {
        // The greater of two moves on to the next place.
        let rest =
          number == count - 1
          ? nil : builder.let("rest", floats, .maximum(distance, .variable(place)))
        builder.assign(place, .minimum(distance, .variable(place)))
        if let rest { distance = rest }
      }
    }
    for (number, place) in least.enumerated() {
      builder.store("nearby", .constant(number * lanes), .variable(place))
    }
    // How many of them are less than each.
    let before = least.map { _ in builder.register("before", integers, .constant(0, integers)) }
    builder.loop("other", 0, .constant(count * lanes)) { builder, other in
      let distance = builder.let("other_distance", floats, .splat(.load("nearby", other, .f32), lanes: lanes))
      for (place, before) in zip(least, before) {
        builder.assign(before, .variable(before) + one(.compare(.less, distance, .variable(place)), integers))
      }
    }
    let wanted = zip(least, before).map { place, before -> LoopValue in
      let isWanted = LoopValue.compare(.less, .variable(before), .constant(Double(selection.ranks), integers))
      return builder.let("wanted", floats, .select(isWanted, .variable(place), .f32(-.infinity, lanes: lanes)))
    }
    let last = wanted.dropFirst().reduce(wanted[0]) { .maximum($0, $1) }
    return bounds(&builder, low: .variable(least[0]), high: last)
  }

  /// The high number is the greatest among the least distances of groups: of as many groups as ranks are wanted, or of
  /// all.
  private func groupBounds(_ builder: inout LoopBuilder) -> Bounds {
    let infinity = LoopValue.f32(.infinity, lanes: lanes)
    // The least distances of this many groups of candidates: the greatest of them is at least the last wanted distance.
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
    return bounds(&builder, low: least, high: bound)
  }

  /// The bounds of all lanes, from those of each.
  private func bounds(_ builder: inout LoopBuilder, low: LoopValue, high: LoopValue) -> Bounds {
    let largest = LoopValue.f32(Double(Float.greatestFiniteMagnitude))
    let highest = builder.let("highest", .f32, .minimum(reduced(.maximum, high), largest))
    return (builder.let("lowest", .f32, .minimum(reduced(.minimum, low), highest)), highest)
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

  /// Reverses the order of the negative ones; it is its own inverse.
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

  /// Collects what lies at or below a threshold. If too many lie there, what lies below comes first, so that of those
  /// at the threshold the ones with the highest indices are left out.
  private func collect(_ builder: inout LoopBuilder, _ threshold: Threshold, _ taken: String) {
    let last = value(&builder, threshold.key)
    // The next key below; -0 has no key of its own, so it is skipped.
    let below = threshold.key - .constant(1, .i32)
    let isZero = LoopValue.compare(.equal, threshold.key, .constant(0, .i32))
    let previous = value(&builder, builder.let("below", .i32, .select(isZero, .constant(-2, .i32), below)))
    // NaN until something was collected: nothing compares at or below it.
    let above = builder.register("above", .f32, .f32(.nan))
    let upTo = builder.register("up_to", .f32, .select(threshold.isCrowded, previous, last))
    let isOpen = LoopValue.unary(.not, .compare(.lessOrEqual, last, .variable(above)))
    builder.loop("turn", atMost: 2, while: isOpen) { builder, _ in
      let (from, to) = (LoopValue.splat(.variable(above), lanes: lanes), LoopValue.splat(.variable(upTo), lanes: lanes))
      collect(&builder, taken) { distances in
        .binary(
          .and, .unary(.not, .compare(.lessOrEqual, distances, from)), .compare(.lessOrEqual, distances, to))
      }
      builder.assign(above, .variable(upTo))
      builder.assign(upTo, last)
    }
  }

  /// Adds the candidates whose distances are wanted after the `taken` ones, in the order of their indices.
  private func collect(
    _ builder: inout LoopBuilder, _ taken: String, where areWanted: (LoopValue) -> LoopValue
  ) {
    numbers.collect(&builder, behind: taken) { builder, vector, numbers in
      let distances = builder.let("distances_here", floats, .load("distances", vector * lanes, floats))
      return StreamCompaction.Wanted(mask: areWanted(distances), kept: [("nearby", distances), ("who", numbers)])
    }
  }

  /// Fills the collected ones up to `most` with candidate 0 at an infinite distance.
  private func pad(_ builder: inout LoopBuilder, _ taken: String) {
    let end = numbers.end(&builder, taken)
    builder.loop("vector", 0, .constant(most / lanes)) { builder, vector in
      builder.store("nearby", end + vector * lanes, .f32(.infinity, lanes: lanes))
      builder.store("who", end + vector * lanes, .constant(0, integers))
    }
  }

  /// The ranks of the first `most` collected: how many are less, or equal and collected before.
  /// Arguments: distances, ranks.
  private func rankFunction(in program: inout ProgramBuilder) -> String {
    let parameters: [LoopParameter] = [
      .input("nearby", count: most), LoopParameter("ranks", .view(.write, .i32, count: most, range: 0...(most - 1))),
    ]
    return program.function("nearest_rank_\(most)", parameters) { builder in
      let blocks = most / lanes
      // If there are few, each is read once and compared with all; if there are many, one vector is ranked after the
      // other.
      if blocks <= 4 {
        let ranked = (0..<blocks).map { vectorToRank(&builder, first: .constant($0 * lanes)) }
        for block in 0..<blocks {
          let from = LoopIndex.constant(block * lanes)
          count(
            &builder, from, from + .constant(lanes),
            before: ranked.indices.map { (ranked[$0], $0 == block ? .among : $0 < block ? .behind : .ahead) })
        }
        for vector in ranked { store(&builder, vector) }
      } else {
        builder.loop("block", 0, .constant(blocks)) { builder, block in
          let (first, next) = (block * lanes, block * lanes + .constant(lanes))
          let vector = vectorToRank(&builder, first: first)
          count(&builder, 0, first, before: [(vector, .ahead)])
          count(&builder, first, next, before: [(vector, .among)])
          count(&builder, next, .constant(most), before: [(vector, .behind)])
          store(&builder, vector)
        }
      }
    }
  }

  /// Some collected ones that are ranked together.
  private struct VectorToRank {
    var first: LoopIndex
    var distances: LoopValue
    /// Which lane each is in.
    var numbers: LoopValue
    var ranks: String
  }

  /// Where other collected ones lie, seen from a vector of them.
  private enum Others {
    case ahead, among, behind
  }

  private func vectorToRank(_ builder: inout LoopBuilder, first: LoopIndex) -> VectorToRank {
    VectorToRank(
      first: first, distances: builder.let("own", floats, .load("nearby", first, floats)),
      numbers: builder.let("numbers", integers, .index(0, integers, step: 1)),
      ranks: builder.register("rank", integers, .constant(0, integers)))
  }

  /// Counts which of the collected ones in a range come before each of some vectors.
  private func count(
    _ builder: inout LoopBuilder, _ from: LoopIndex, _ to: LoopIndex, before vectors: [(VectorToRank, Others)]
  ) {
    builder.loop("other", from, to) { builder, other in
      let distance = builder.let("distance", floats, .splat(.load("nearby", other, .f32), lanes: lanes))
      for (vector, place) in vectors {
        let isLess = LoopValue.compare(.less, distance, vector.distances)
        let isBefore: LoopValue
        switch place {
        case .ahead: isBefore = .compare(.lessOrEqual, distance, vector.distances)
        case .behind: isBefore = isLess
        case .among:
          let number = LoopValue.splat(.index(other - from, .i32, step: 0), lanes: lanes)
          let isEarlier = builder.let("is_earlier", .mask(lanes: lanes), .compare(.less, number, vector.numbers))
          let isEqual = LoopValue.compare(.equal, distance, vector.distances)
          isBefore = .binary(.or, isLess, .binary(.and, isEqual, isEarlier))
        }
        builder.assign(vector.ranks, .variable(vector.ranks) + one(isBefore, integers))
      }
    }
  }

  private func store(_ builder: inout LoopBuilder, _ vector: VectorToRank) {
    // The clamp changes nothing: it proves the range of a rank.
    let last = LoopValue.constant(Double(most - 1), integers)
    builder.store("ranks", vector.first, .minimum(.maximum(.variable(vector.ranks), .constant(0, integers)), last))
  }

  /// Puts the collected candidates in order and writes those at the wanted ranks; ranks that no candidate has are taken
  /// by candidate 0.
  private func emit(_ builder: inout LoopBuilder) {
    builder.loop("number", 0, .constant(most)) { builder, number in
      let rank = builder.letIndex("rank", range: 0...(most - 1), .load("ranks", number, .i32))
      builder.store("ranked", rank, .load("who", number, .i32))
    }
    builder.loop("slot", 0, .constant(selection.count)) { builder, slot in
      builder.store("neighbors", slot, .load("ranked", slot * selection.step, .i32))
    }
  }
}
