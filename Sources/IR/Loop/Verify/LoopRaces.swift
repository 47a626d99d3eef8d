// Looks for rounds of a parallel loop that touch what another round writes.
//
// All accesses in the body are collected as affine addresses into the buffers that views are of. Calls are followed
// with their arguments in place of the parameters, so nothing is lost at a call. Then every write is compared with
// every access of the same buffer, itself included: `AddressSeparation` shows that for two different rounds they cannot
// meet. If the ranges of two accesses over the whole loop do not meet, nothing more is needed. Scratch is not
// collected.

/// One access in the body, in terms of atoms.
struct LoopAccess: Hashable {
  var root: String
  var address: AffineIndex
  /// Elements from the address on.
  var width: Int
  var isWrite: Bool
  /// As the program spells it, for messages.
  var spelling: String
}

struct LoopRaces {
  private let functions: [String: LoopFunction]
  private let target: Target
  private var accesses: [(access: LoopAccess, analysis: IndexAnalysis)] = []
  /// Places in `accesses`. One access under different guards counts as several: rounds that pass one guard may not pass
  /// another.
  private var places: [LoopAccess: [Int]] = [:]

  /// Messages about pairs of accesses that two rounds may get to at once; empty if the loop is proved free of races.
  static func search(
    _ body: [LoopStatement], in place: LoopPlace, round: Int, functions: [String: LoopFunction], target: Target
  ) -> [String] {
    var races = LoopRaces(functions: functions, target: target)
    races.collect(body, place)
    return races.conflicts(round)
  }

  private init(functions: [String: LoopFunction], target: Target) {
    self.functions = functions
    self.target = target
  }

  private func conflicts(_ round: Int) -> [String] {
    var messages: [String] = []
    for root in Set(accesses.filter(\.access.isWrite).map(\.access.root)).sorted() {
      let group = accesses.filter { $0.access.root == root }
      // Usually all accesses can be told apart at once; pairs are looked at only if that fails.
      if AddressSeparation(group, round: round).isProved { continue }
      if let message = firstConflict(group, round) { messages.append(message) }
    }
    return messages
  }

  private func firstConflict(_ group: [(access: LoopAccess, analysis: IndexAnalysis)], _ round: Int) -> String? {
    for (index, a) in group.enumerated() {
      for (place, b) in group[...index].enumerated() where a.access.isWrite || b.access.isWrite {
        let pair = place == index ? [a] : [b, a]
        if AddressSeparation(pair, round: round).isProved { continue }
        if pair.count == 2, Self.areApart(a, b) { continue }
        let (first, second) = a.access.isWrite ? (a.access, b.access) : (b.access, a.access)
        return first == second
          ? "two rounds of the parallel loop may both write \(first.spelling)"
          : "one round of the parallel loop may write \(first.spelling) "
            + "where another \(second.isWrite ? "writes" : "reads") \(second.spelling)"
      }
    }
    return nil
  }

  private static func areApart(
    _ a: (access: LoopAccess, analysis: IndexAnalysis), _ b: (access: LoopAccess, analysis: IndexAnalysis)
  ) -> Bool {
    let x = a.analysis.range(of: a.access.address)
    let y = b.analysis.range(of: b.access.address)
    return x.high + a.access.width <= y.low || y.high + b.access.width <= x.low
  }

  // MARK: collecting

  private mutating func touch(
    _ buffer: String, _ index: AffineIndex?, width: Int, isWrite: Bool, _ spelling: String, _ place: LoopPlace
  ) {
    guard let view = place.views[buffer], !view.isScratch, let index, !place.analysis.isUnreachable else { return }
    let access = LoopAccess(
      root: view.root, address: view.offset + index, width: width, isWrite: isWrite, spelling: spelling)
    let known = places[access] ?? []
    if known.contains(where: { accesses[$0].analysis.knowsTheSame(as: place.analysis) }) { return }
    places[access, default: []].append(accesses.count)
    accesses.append((access, place.analysis))
  }

  private mutating func collect(_ value: LoopValue?, _ place: LoopPlace) {
    guard let value else { return }
    for operand in value.operands { collect(operand, place) }
    if case .load(let buffer, let index, let type, let mask) = value {
      touch(
        buffer, place.form(of: index), width: width(type.lanes, mask, place), isWrite: false, "\(buffer)[\(index)]",
        place)
    } else if case .gather(let buffer, _, _, mask: _) = value, let view = place.views[buffer] {
      touch(buffer, AffineIndex(0), width: view.count, isWrite: false, "\(buffer) by gathering", place)
    }
  }

  private func width(_ lanes: Int, _ mask: LoopValue?, _ place: LoopPlace) -> Int {
    guard let touched = place.touchedLanes(mask) else { return lanes }
    return max(1, min(lanes, place.analysis.range(of: touched).high))
  }

  private mutating func collect(_ block: [LoopStatement], _ outer: LoopPlace) {
    var place = outer
    for statement in block { collect(statement, &place) }
  }

  private mutating func collect(_ statement: LoopStatement, _ place: inout LoopPlace) {
    switch statement {
    case .forLoop(let name, let from, let to, let step, order: _, let body):
      guard let low = place.form(of: from), let high = place.form(of: to) else { return }
      collect(body, place.inside(loop: name, from: low, to: high, step: max(step, 1)).place)
    case .forWhile(let name, let maximum, let condition, let body):
      let inner = place.inside(loop: name, from: AffineIndex(0), to: AffineIndex(maximum), step: 1).place
      collect(condition, inner)
      collect(body, inner)
    case .ifIndex(let comparisons, let then, let otherwise):
      let branches = place.branches(comparisons)
      collect(then, branches.then)
      collect(otherwise, branches.else)
    case .ifValue(let condition, let then, let otherwise):
      collect(condition, place)
      collect(then, place)
      collect(otherwise, place)
    case .letValue(_, _, let value), .letIndex(_, range: _, let value),
      .register(_, _, count: _, range: _, let value):
      collect(value, place)
      place.bind(statement)
    case .assign(_, element: _, let value): collect(value, place)
    case .store(let buffer, let index, let value, let mask):
      collect(value, place)
      collect(mask, place)
      let lanes = (try? place.scope.type(of: value).lanes) ?? 1
      touch(
        buffer, place.form(of: index), width: width(lanes, mask, place), isWrite: true, "\(buffer)[\(index)]", place)
    case .prefetch: break
    case .call(let name, let arguments): follow(name, arguments, place)
    case .layer(_, let body): collect(body, place)
    }
  }

  /// The callee's accesses, with the arguments in place of its parameters.
  private mutating func follow(_ name: String, _ arguments: [LoopArgument], _ caller: LoopPlace) {
    guard let function = functions[name] else { return }
    var place = LoopPlace(
      bodyOf: function, target: target, valueFunctions: caller.scope.valueFunctions, atoms: caller.analysis.atoms)
    place.analysis = caller.analysis
    for (parameter, argument) in zip(function.parameters, arguments) {
      switch argument {
      case .index(let index): place.indices[parameter.name] = caller.form(of: index)
      case .view(let buffer, let index):
        guard let view = caller.views[buffer], let offset = caller.form(of: index) else { continue }
        place.views[parameter.name]?.root = view.root
        place.views[parameter.name]?.offset = view.offset + offset
        place.views[parameter.name]?.isScratch = view.isScratch
      }
    }
    collect(function.body, place)
  }
}
