import IR

/// Collects the numbers below `count` that meet a condition, in ascending order and a vector at a time. Those of a
/// vector are moved together, and written as a whole vector after the ones before, without a branch for each number.
struct StreamCompaction {
  var count: Int
  var lanes: Int

  private var integers: LoopType { LoopType(.i32, lanes: lanes) }
  var numbers: ClosedRange<Int> { 0...(count - 1) }
  /// Vectors of numbers.
  private var vectors: Int { ceilDivide(count, lanes) }
  /// Elements of a list: after the last one collected a whole vector is written.
  var room: Int { count + lanes }

  /// A register that counts what is collected: nothing yet.
  func counter(_ builder: inout LoopBuilder) -> String {
    builder.register("taken", LoopType(.u32), .constant(0, LoopType(.u32)))
  }

  /// What of a vector of numbers is collected.
  struct Wanted {
    /// The mask of the wanted lanes; no wanted lane is after the last number.
    var mask: LoopValue
    /// What is kept of each, and in which buffers.
    var kept: [(buffer: String, values: LoopValue)]
  }

  /// Collects after the `taken` ones.
  /// - Parameter choose: says what is wanted of the vector that is `vector` vectors after the first one, with these numbers.
  func collect(
    _ builder: inout LoopBuilder, behind taken: String,
    _ choose: (inout LoopBuilder, _ vector: LoopIndex, _ numbers: LoopValue) -> Wanted
  ) {
    // The clamp proves the range: after the last number none is wanted.
    func clamped(_ numbers: LoopValue) -> LoopValue { .minimum(numbers, .constant(Double(count - 1), integers)) }
    let here = builder.register("numbers", integers, range: numbers, clamped(.index(0, integers, step: 1)))
    builder.loop("vector", 0, .constant(vectors)) { builder, vector in
      let wanted = choose(&builder, vector, .variable(here))
      let mask = builder.let("wanted", .mask(lanes: lanes), wanted.mask)
      let place = end(&builder, taken)
      for (buffer, values) in wanted.kept { builder.store(buffer, place, .compress(mask, values)) }
      let more = LoopValue.convert(.reduce(.count, mask), LoopType(.u32), saturating: false)
      builder.assign(taken, .variable(taken) + more)
      builder.assign(here, clamped(.variable(here) + .constant(Double(lanes), integers)))
    }
  }

  /// Where the next one goes: how many are collected.
  func end(_ builder: inout LoopBuilder, _ taken: String) -> LoopIndex {
    builder.letIndex("end", range: 0...count, .minimum(.variable(taken), .constant(Double(count), LoopType(.u32))))
  }
}

extension ProgramBuilder {
  /// Adds a function that fills a list with zeros; its call. How much of a list is collected is known only when the
  /// program runs. So only this proves that what is read of it was written.
  mutating func clearing(
    _ element: ElementType, count: Int, range: ClosedRange<Int>? = nil
  ) -> (_ list: LoopArgument) -> LoopStatement {
    let lanes = self.lanes
    let type = LoopType(element, lanes: lanes)
    let (vectors, rest) = count.quotientAndRemainder(dividingBy: lanes)
    let parameter = LoopParameter("list", .view(.write, element, count: count, range: range))
    let name = function("clear_\(element.rawValue)_\(count)", [parameter]) { builder in
      builder.loop("vector", 0, .constant(vectors)) { builder, vector in
        builder.store("list", vector * lanes, .constant(0, type))
      }
      if rest > 0 {
        builder.store(
          "list", .constant(vectors * lanes), .constant(0, type), mask: .firstLanes(.constant(rest), lanes: lanes))
      }
    }
    return { .call(name, [$0]) }
  }
}
