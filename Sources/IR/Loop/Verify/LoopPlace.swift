// Everything known at one place of a program: names and types, what indices can be, what buffers hold. The verifier and
// its search for races walk statements with one of these, copying it where a block begins.

/// A buffer, or a function's view of one, as a place sees it.
struct LoopView {
  /// The buffer that it views, for telling whether two views can meet.
  var root: String
  /// The offset of the view's first element in the root.
  var offset = AffineIndex(0)
  var element: ElementType
  var count: Int
  /// What integer elements can be; nil for floats.
  var range: IndexRange?
  var isReadable: Bool
  var isWritable: Bool
  /// One copy a worker.
  var isScratch = false
}

struct LoopPlace {
  var scope: LoopScope
  var analysis: IndexAnalysis
  /// Normal forms of the indices in scope.
  var indices: [String: AffineIndex] = [:]
  var views: [String: LoopView] = [:]
  /// What integer `let`s and registers can be, all lanes together.
  var valueRanges: [String: IndexRange] = [:]
  /// What float `let`s can be, where anything is known.
  var realRanges: [String: RealRange] = [:]
  /// `let` masks whose first so many lanes are on.
  var firstLanes: [String: AffineIndex] = [:]

  /// The start of the entry.
  init(entryOf program: LoopProgram, target: Target, atoms: IndexAtoms) {
    scope = LoopScope(entryOf: program, target: target)
    analysis = IndexAnalysis(atoms: atoms)
    for buffer in program.buffers {
      let isConstant = buffer.storage == .input || buffer.storage == .weights
      views[buffer.name] = LoopView(
        root: buffer.name, element: buffer.element, count: buffer.count,
        range: Self.range(buffer.element, buffer.range), isReadable: true, isWritable: !isConstant,
        isScratch: buffer.storage == .scratch)
    }
  }

  /// The start of a function's body, for any call its declaration allows.
  init(
    bodyOf function: LoopFunction, target: Target, valueFunctions: [String: LoopValueFunction], atoms: IndexAtoms
  ) {
    scope = LoopScope(bodyOf: function, target: target, valueFunctions: valueFunctions)
    analysis = IndexAnalysis(atoms: atoms)
    for parameter in function.parameters {
      switch parameter.kind {
      case .view(let access, let element, let count, let range):
        views[parameter.name] = LoopView(
          root: parameter.name, element: element, count: count, range: Self.range(element, range),
          isReadable: access != .write, isWritable: access != .read)
      case .index(let values): indices[parameter.name] = analysis.variable(in: IndexRange(values))
      }
    }
  }

  /// The start of a value function's body, for any operands.
  init(
    bodyOf function: LoopValueFunction, target: Target, valueFunctions: [String: LoopValueFunction],
    atoms: IndexAtoms
  ) {
    scope = LoopScope(bodyOf: function, target: target, valueFunctions: valueFunctions)
    analysis = IndexAnalysis(atoms: atoms)
  }

  /// What elements can be: the declared range, or all the type holds; nil for floats.
  static func range(_ element: ElementType, _ declared: ClosedRange<Int>?) -> IndexRange? {
    element.integerRange.map { IndexRange(declared ?? $0) }
  }

  func form(of index: LoopIndex) -> AffineIndex? { analysis.form(of: index, indices) }

  /// The largest number that an index can be on a 32-bit machine.
  static let mostIndex = Int(Int32.max)

  /// A bound for every sum that C may compute on the way to an index, in whatever order it adds the terms; nil if there
  /// is no bound.
  func magnitude(of index: LoopIndex) -> Int? {
    func larger(_ a: Int?, _ b: Int?) -> Int? {
      guard let a, let b else { return nil }
      return max(a, b)
    }
    switch index {
    case .constant(let value): return value == .min ? nil : abs(value)
    case .variable(let name):
      guard let form = indices[name] else { return nil }
      let range = analysis.range(of: form)
      return range.isFinite ? max(abs(range.low), abs(range.high)) : range.isEmpty ? 0 : nil
    case .add(let a, let b), .subtract(let a, let b):
      guard let a = magnitude(of: a), let b = magnitude(of: b) else { return nil }
      let (sum, overflow) = a.addingReportingOverflow(b)
      return overflow ? nil : sum
    case .multiply(let a, let factor):
      guard factor != .min, let a = magnitude(of: a) else { return nil }
      let (product, overflow) = a.multipliedReportingOverflow(by: abs(factor))
      return overflow ? nil : max(product, abs(factor))
    case .divide(let a, let n), .modulo(let a, let n): return larger(magnitude(of: a), n)
    case .minimum(let a, let b), .maximum(let a, let b): return larger(magnitude(of: a), magnitude(of: b))
    }
  }

  // MARK: learning, statement by statement

  mutating func bind(_ statement: LoopStatement) {
    scope.declare(statement)
    switch statement {
    case .letValue(let name, let type, let value):
      valueRanges[name] = type.isMask ? nil : range(of: value)
      realRanges[name] = type.element?.isFloat == true ? realRange(of: value) : nil
      firstLanes[name] = nil
      if case .firstLanes(let index, lanes: _) = value { firstLanes[name] = form(of: index) }
    case .letIndex(let name, let values, let value):
      indices[name] = analysis.variable(in: IndexRange(values))
      if let exact = exactIndex(of: value) { indices[name] = exact }
    case .register(let name, let type, count: _, let values, _):
      valueRanges[name] = type.element.flatMap { Self.range($0, values) }
      firstLanes[name] = nil
    case .forLoop, .forWhile, .ifIndex, .ifValue, .assign, .store, .prefetch, .call, .layer: break
    }
  }

  /// The place inside a loop, and the atom that counts its rounds.
  func inside(loop name: String, from: AffineIndex, to: AffineIndex, step: Int) -> (place: LoopPlace, round: Int) {
    var inner = self
    inner.scope.names[name] = .index
    let (value, round) = inner.analysis.loopVariable(from: from, to: to, step: step)
    inner.indices[name] = value
    return (inner, round)
  }

  /// The places inside the branches of an `if` on indices.
  func branches(_ comparisons: [LoopComparison]) -> (then: LoopPlace, else: LoopPlace) {
    var then = self
    var otherwise = self
    for comparison in comparisons {
      guard let left = form(of: comparison.left), let right = form(of: comparison.right) else { continue }
      then.analysis.assume(comparison.relation, left, right)
      if comparisons.count == 1 { otherwise.analysis.assumeNot(comparison.relation, left, right) }
    }
    return (then, otherwise)
  }

  /// The index that an integer `value` is, if it is one that fits the type.
  func exactIndex(of value: LoopValue) -> AffineIndex? {
    guard case .index(let index, let type, step: _) = value, let form = form(of: index),
      let all = type.element?.integerRange, IndexRange(all).contains(analysis.range(of: form))
    else { return nil }
    return form
  }

  // MARK: masks

  /// How many lanes from the first on a masked access can touch; nil if any lane may be on.
  func touchedLanes(_ mask: LoopValue?) -> AffineIndex? {
    guard let mask else { return nil }
    if case .firstLanes(let index, lanes: _) = mask { return form(of: index) }
    if case .variable(let name) = mask { return firstLanes[name] }
    if case .binary(.and, let a, let b) = mask { return touchedLanes(a) ?? touchedLanes(b) }
    return nil
  }
}
