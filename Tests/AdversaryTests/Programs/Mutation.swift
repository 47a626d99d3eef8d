import IR

/// Changes one thing in a program: a constant, a comparison, a bound, a step, an offset, a mask, a storage class, the
/// elements of a view, a range, or a statement.
struct Mutation {
  private var dice: Dice
  /// Which site is changed.
  private var chosen: Int
  private var sites = 0
  /// Whether numbers and operations of values are sites as well.
  private let changesValues: Bool

  private init(_ dice: Dice, chosen: Int, changesValues: Bool) {
    self.dice = dice
    self.chosen = chosen
    self.changesValues = changesValues
  }

  static func mutate(_ program: LoopProgram, seed: UInt64) -> LoopProgram {
    var dice = Dice(seed)
    let changesValues = dice.oneIn(4)
    var counting = Mutation(dice, chosen: -1, changesValues: changesValues)
    _ = counting.changed(program)
    let chosen = dice.below(counting.sites)
    var changing = Mutation(dice, chosen: chosen, changesValues: changesValues)
    return changing.changed(program)
  }

  private mutating func hits() -> Bool {
    sites += 1
    return sites - 1 == chosen
  }

  // MARK: declarations

  private mutating func changed(_ program: LoopProgram) -> LoopProgram {
    var result = program
    for number in result.buffers.indices {
      // Weights have contents of their size.
      if result.constants[result.buffers[number].name] != nil { continue }
      if hits() { result.buffers[number].count = max(1, near(result.buffers[number].count)) }
      if hits() { result.buffers[number].storage = dice.pick([.arena, .scratch, .output]) }
      result.buffers[number].range = changed(result.buffers[number].range)
    }
    for number in result.functions.indices {
      for place in result.functions[number].parameters.indices {
        let kind = result.functions[number].parameters[place].kind
        result.functions[number].parameters[place].kind = changed(kind)
      }
      result.functions[number].body = changed(result.functions[number].body)
    }
    result.entry = changed(result.entry)
    return result
  }

  private mutating func changed(_ kind: LoopParameter.Kind) -> LoopParameter.Kind {
    switch kind {
    case .index(let range): return .index(changed(range) ?? range)
    case .view(var access, let element, var count, let range):
      if hits() { count = max(1, near(count)) }
      if hits() { access = dice.pick(LoopParameter.Access.allCases) }
      return .view(access, element, count: count, range: changed(range))
    }
  }

  private mutating func changed(_ range: ClosedRange<Int>?) -> ClosedRange<Int>? {
    guard let range else { return nil }
    if hits() {
      switch dice.below(4) {
      case 0: return range.lowerBound...max(range.lowerBound, range.upperBound - 1)
      case 1: return range.lowerBound...(range.upperBound + 1)
      case 2: return min(range.lowerBound + 1, range.upperBound)...range.upperBound
      default: return (range.lowerBound - 1)...range.upperBound
      }
    }
    return range
  }

  /// A number close to another, or one that is often special.
  private mutating func near(_ n: Int) -> Int {
    dice.pick([n + 1, n + 1, n - 1, n - 1, n + 2, n - 2, n * 2, n / 2, 0, 1, n + 8, -n])
  }

  // MARK: statements

  private mutating func changed(_ block: [LoopStatement]) -> [LoopStatement] {
    var result: [LoopStatement] = []
    for statement in block {
      if hits() {
        switch dice.below(4) {
        case 0: result += [statement, statement]
        case 1 where !result.isEmpty: result.insert(statement, at: result.count - 1)
        default: break
        }
        continue
      }
      if let inner = statement.guarded, hits() {
        result += inner
        continue
      }
      result.append(changed(statement))
    }
    return result
  }

  // Long because it is one switch over all statements.
  private mutating func changed(_ statement: LoopStatement) -> LoopStatement {
    switch statement {
    case .forLoop(let name, let from, let to, var step, var order, let body):
      if hits() { step = max(1, near(step)) }
      if hits() { order = order == .parallel ? .serial : .parallel }
      return .forLoop(name, from: changed(from), to: changed(to), step: step, order: order, changed(body))
    case .forWhile(let name, var maximum, let condition, let body):
      if hits() { maximum = near(maximum) }
      return .forWhile(name, maximum: maximum, condition: changed(condition), changed(body))
    case .ifIndex(let comparisons, let then, let otherwise):
      let tests = comparisons.map { comparison in
        var test = LoopComparison(changed(comparison.left), comparison.relation, changed(comparison.right))
        if hits() { test.relation = dice.pick(LoopComparison.Relation.allCases) }
        return test
      }
      if hits() { return .ifIndex(tests, then: otherwise, else: then) }
      return .ifIndex(tests, then: changed(then), else: changed(otherwise))
    case .ifValue(let condition, let then, let otherwise):
      if hits() { return .ifValue(condition, then: otherwise, else: then) }
      return .ifValue(changed(condition), then: changed(then), else: changed(otherwise))
    case .letValue(let name, let type, let value): return .letValue(name, type, changed(value))
    case .letIndex(let name, let range, let value):
      return .letIndex(name, range: changed(range) ?? range, changed(value))
    case .register(let name, let type, var count, let range, let value):
      if let given = count, hits() { count = max(1, near(given)) }
      return .register(name, type, count: count, range: changed(range), changed(value))
    case .assign(let name, let element, let value):
      return .assign(name, element: element.map { changed($0) }, changed(value))
    case .store(let buffer, let index, let value, var mask):
      mask = mask.map { changed($0) }
      if mask != nil, hits() { mask = nil }
      return .store(buffer: buffer, changed(index), changed(value), mask: mask)
    case .prefetch(let buffer, let index): return .prefetch(buffer: buffer, changed(index))
    case .call(let name, let arguments):
      return .call(
        name,
        arguments.map { argument in
          switch argument {
          case .view(let buffer, let index): .view(buffer: buffer, changed(index))
          case .index(let index): .index(changed(index))
          }
        })
    case .layer(let name, let body): return .layer(name, changed(body))
    }
  }

  // MARK: indices and values

  private mutating func changed(_ index: LoopIndex) -> LoopIndex {
    if case .constant = index {
    } else if hits() {
      // An offset where none was.
      return .add(index, .constant(dice.pick([1, -1, 2, -3, 8])))
    }
    switch index {
    case .constant(let n): return .constant(hits() ? near(n) : n)
    case .variable: return index
    case .add(let a, let b): return hits() ? .subtract(a, b) : .add(changed(a), changed(b))
    case .subtract(let a, let b): return hits() ? .add(a, b) : .subtract(changed(a), changed(b))
    case .multiply(let a, let n): return hits() ? .multiply(a, near(n)) : .multiply(changed(a), n)
    case .divide(let a, let n):
      if hits() { return dice.oneIn(3) ? .modulo(a, n) : .divide(a, max(1, near(n))) }
      return .divide(changed(a), n)
    case .modulo(let a, let n):
      if hits() { return dice.oneIn(3) ? .divide(a, n) : .modulo(a, max(1, near(n))) }
      return .modulo(changed(a), n)
    case .minimum(let a, let b): return hits() ? dice.pick([a, .maximum(a, b)]) : .minimum(changed(a), changed(b))
    case .maximum(let a, let b): return hits() ? dice.pick([a, .minimum(a, b)]) : .maximum(changed(a), changed(b))
    }
  }

  // Long because it is one switch over all values.
  private mutating func changed(_ value: LoopValue) -> LoopValue {
    switch value {
    case .constant(let n, let type):
      guard changesValues, hits() else { return value }
      return .constant(Double(near(Int(exactly: n.rounded()) ?? 0)), type)
    case .variable: return value
    case .element(let name, let index): return .element(name, changed(index))
    case .load(let buffer, let index, let type, var mask):
      mask = mask.map { changed($0) }
      if mask != nil, hits() { mask = nil }
      return .load(buffer: buffer, changed(index), type, mask: mask)
    case .splat(let a, let lanes): return .splat(changed(a), lanes: lanes)
    case .index(let index, let type, let step): return .index(changed(index), type, step: step)
    case .firstLanes(let index, let lanes): return .firstLanes(changed(index), lanes: lanes)
    case .unary(let operation, let a): return changesValues && hits() ? a : .unary(operation, changed(a))
    case .binary(var operation, let a, let b):
      if changesValues, hits() { operation = dice.pick([.add, .subtract, .multiply, .minimum, .maximum]) }
      if changesValues, hits() { return dice.pick([a, b]) }
      return .binary(operation, changed(a), changed(b))
    case .fma(let a, let b, let c): return .fma(changed(a), changed(b), changed(c))
    case .compare(var operation, let a, let b):
      if changesValues, hits() { operation = dice.pick(LoopCompare.allCases) }
      return .compare(operation, changed(a), changed(b))
    case .select(let mask, let a, let b): return .select(changed(mask), changed(a), changed(b))
    case .convert(let a, let type, let isSaturating): return .convert(changed(a), type, saturating: isSaturating)
    case .reinterpret(let a, let type): return .reinterpret(changed(a), type)
    case .shuffle(let a, let b, let lanes): return .shuffle(changed(a), b.map { changed($0) }, lanes)
    case .permute(let a, let b): return .permute(changed(a), changed(b))
    case .compress(let mask, let a): return .compress(changed(mask), changed(a))
    case .gather(let buffer, let offsets, let type, var mask):
      mask = mask.map { changed($0) }
      if mask != nil, hits() { mask = nil }
      return .gather(buffer: buffer, changed(offsets), type, mask: mask)
    case .reduce(let operation, let a): return .reduce(operation, changed(a))
    case .instruction(let name, let operands): return .instruction(name, operands.map { changed($0) })
    case .apply(let name, let operands): return .apply(name, operands.map { changed($0) })
    }
  }
}

extension LoopStatement {
  /// What a guard lets through, without the guard.
  fileprivate var guarded: [LoopStatement]? {
    switch self {
    case .ifIndex(_, let then, _), .ifValue(_, let then, _): then
    default: nil
    }
  }
}
