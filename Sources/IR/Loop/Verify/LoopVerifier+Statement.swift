// Walks statements in order with what is known at each: scopes, guards, assignments, loops.

/// What surrounds a statement, beyond the names it can see.
struct LoopSurroundings {
  var isInParallelLoop = false
  /// Registers from outside the parallel loop: rounds share them.
  var shared: Set<String> = []
}

extension LoopVerifier {
  mutating func verify(_ block: [LoopStatement], in place: inout LoopPlace, around: LoopSurroundings) {
    for statement in block {
      path.append(statement)
      verify(statement, in: &place, around: around)
      path.removeLast()
    }
  }

  /// A block of its own: what it binds ends with it.
  private mutating func verifyInner(_ block: [LoopStatement], _ place: LoopPlace, _ around: LoopSurroundings) {
    var inner = place
    verify(block, in: &inner, around: around)
  }

  private mutating func verifyFresh(_ name: String, in place: LoopPlace) {
    verify(name: name)
    if place.scope.names[name] != nil || place.scope.buffers[name] != nil {
      report("\(name) is already a name here; \(place.scope.describe(name))")
    }
  }

  private mutating func verify(_ statement: LoopStatement, in place: inout LoopPlace, around: LoopSurroundings) {
    switch statement {
    case .forLoop: verifyLoop(statement, in: place, around: around)
    case .forWhile(let name, let maximum, let condition, let body):
      verifyFresh(name, in: place)
      if maximum < 0 { report("a loop runs at most \(maximum) rounds, which is less than none") }
      let inner = place.inside(loop: name, from: AffineIndex(0), to: AffineIndex(maximum), step: 1).place
      verifyCondition(condition, in: inner)
      verifyInner(body, inner, around)
    case .ifIndex(let comparisons, let then, let otherwise):
      if comparisons.isEmpty { report("an if on indices needs a comparison") }
      for comparison in comparisons { verify(comparison, in: place) }
      let branches = place.branches(comparisons)
      verifyInner(then, branches.then, around)
      verifyInner(otherwise, branches.else, around)
    case .ifValue(let condition, let then, let otherwise):
      verifyCondition(condition, in: place)
      verifyInner(then, place, around)
      verifyInner(otherwise, place, around)
    case .letValue(let name, let type, let value):
      verifyFresh(name, in: place)
      verify(value, is: type, what: name, in: place)
      place.bind(statement)
    case .letIndex(let name, let range, let value):
      verifyFresh(name, in: place)
      verifyIndex(name, range, value, in: place)
      place.bind(statement)
    case .register(let name, let type, let count, let range, let value):
      verifyFresh(name, in: place)
      if let count, count < 1 { report("\(name) is an array of \(count) registers; one is the least") }
      verify(range: range, of: type.element, what: name)
      if verify(value, is: type, what: name, in: place) {
        verify(value, staysIn: range.map(IndexRange.init(_:)), what: name, in: place)
      }
      place.bind(statement)
    case .assign(let name, let element, let value):
      verifyAssignment(name, element, value, in: place, around: around)
    case .store(let buffer, let index, let value, let mask):
      verifyStore(buffer, index, value, mask, in: place)
    case .prefetch(let buffer, let index):
      guard let view = place.views[buffer] else { return report("no buffer is called \(buffer)") }
      verifyAccess(to: view, called: buffer, at: index, lanes: 1, mask: nil, verb: "prefetches", in: place)
    case .call(let name, let arguments): verifyCall(name, arguments, in: place, around: around)
    case .layer(_, let body): verifyInner(body, place, around)
    }
  }

  private mutating func verifyLoop(_ statement: LoopStatement, in place: LoopPlace, around: LoopSurroundings) {
    guard case .forLoop(let name, let from, let to, let step, let order, let body) = statement else { return }
    verifyFresh(name, in: place)
    if step < 1 { return report("a loop steps by \(step); one is the least") }
    guard verify(from, in: place), verify(to, in: place), let low = place.form(of: from), let high = place.form(of: to)
    else { return }
    if !place.analysis.range(of: high - low).isFinite { report("the loop's bounds are not finite") }
    guard verifyLast(to, step: step, in: place) else { return }
    var inside = around
    switch order {
    case .serial: break
    case .unrolled:
      if !(high - low).isConstant {
        report("an unrolled loop has a constant number of rounds; \(to) - (\(from)) is not constant")
      }
    case .parallel:
      if around.isInParallelLoop { report("parallel loops do not nest") }
      inside.isInParallelLoop = true
      inside.shared = Set(
        place.scope.names.compactMap { name, binding in
          if case .register = binding { name } else { nil }
        })
    }
    let inner = place.inside(loop: name, from: low, to: high, step: step)
    let before = diagnostics.count
    verifyInner(body, inner.place, inside)
    // Addresses that are already known to be wrong say nothing useful about races.
    if order == .parallel, diagnostics.count == before {
      for race in LoopRaces.search(body, in: inner.place, round: inner.round, functions: functions, target: target) {
        report(race)
      }
    }
  }

  private mutating func verifyCondition(_ condition: LoopValue, in place: LoopPlace) {
    verify(condition, is: .mask(lanes: 1), what: "the condition", in: place)
  }

  private mutating func verifyIndex(
    _ name: String, _ range: ClosedRange<Int>, _ value: LoopValue, in place: LoopPlace
  ) {
    guard let type = verify(value, in: place) else { return }
    guard type.isInteger, type.lanes == 1 else {
      return report("an index comes out of one integer, found \(type)")
    }
    if let exact = place.exactIndex(of: value), place.analysis.proves(exact, in: range) { return }
    verify(value, staysIn: IndexRange(range), what: name, in: place)
  }

  private mutating func verifyAssignment(
    _ name: String, _ element: LoopIndex?, _ value: LoopValue, in place: LoopPlace, around: LoopSurroundings
  ) {
    guard case .register(let type, let count) = place.scope.names[name] else {
      return report("\(name) is assigned but is no register; \(place.scope.describe(name))")
    }
    if around.shared.contains(name) { report("rounds of a parallel loop share \(name) and cannot assign it") }
    switch (count, element) {
    case (nil, nil): break
    case (let count?, let element?): verifyElement(element, of: name, count: count, in: place)
    case (nil, _?): report("\(name) is one register, not an array")
    case (_?, nil): report("\(name) is an array of registers; assign one element")
    }
    if verify(value, is: type, what: name, in: place) {
      verify(value, staysIn: place.valueRanges[name], what: name, in: place)
    }
  }

  private mutating func verifyStore(
    _ buffer: String, _ index: LoopIndex, _ value: LoopValue, _ mask: LoopValue?, in place: LoopPlace
  ) {
    guard let type = verify(value, in: place) else { return }
    guard let view = place.views[buffer], reporting({ try place.scope.check(buffer: buffer, holds: type) }) else {
      if place.views[buffer] == nil { report("no buffer is called \(buffer)") }
      return
    }
    if !view.isWritable { report("\(buffer) is read only and is stored to") }
    if let mask { verify(mask, is: .mask(lanes: type.lanes), what: "the mask", in: place) }
    verifyAccess(to: view, called: buffer, at: index, lanes: type.lanes, mask: mask, verb: "stores", in: place)
    verify(value, staysIn: view.range, what: buffer, in: place)
  }
}
