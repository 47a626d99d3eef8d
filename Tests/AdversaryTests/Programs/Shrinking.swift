import IR

/// Makes a program smaller as long as it keeps a property, by taking statements away.
enum Shrinking {
  static func shrink(_ program: LoopProgram, most: Int = 400, _ keeps: (LoopProgram) -> Bool) -> LoopProgram {
    var best = program
    var tries = most
    var isShrinking = true
    while isShrinking, tries > 0 {
      isShrinking = false
      var number = 0
      while number < count(best), tries > 0 {
        let candidates = smaller(best, number)
        if let found = candidates.first(where: { candidate in
          tries -= 1
          return keeps(candidate)
        }) {
          best = found
          isShrinking = true
        } else {
          number += 1
        }
      }
      for candidate in withoutDeclarations(best) where keeps(candidate) {
        best = candidate
        isShrinking = true
        break
      }
    }
    return best
  }

  private static func count(_ program: LoopProgram) -> Int {
    program.functions.reduce(count(program.entry)) { $0 + count($1.body) }
  }

  private static func count(_ block: [LoopStatement]) -> Int {
    block.reduce(0) { sum, statement in sum + 1 + inner(statement).reduce(0) { $0 + count($1) } }
  }

  private static func inner(_ statement: LoopStatement) -> [[LoopStatement]] {
    switch statement {
    case .forLoop(_, from: _, to: _, step: _, order: _, let body): [body]
    case .forWhile(_, maximum: _, condition: _, let body), .layer(_, let body): [body]
    case .ifIndex(_, let then, let otherwise), .ifValue(_, let then, let otherwise): [then, otherwise]
    default: []
    }
  }

  /// The program without statement `number`, and with what is inside it in its place.
  private static func smaller(_ program: LoopProgram, _ number: Int) -> [LoopProgram] {
    [false, true].compactMap { unwraps in
      var left = number
      var result = program
      result.entry = without(program.entry, &left, unwraps)
      for place in result.functions.indices {
        result.functions[place].body = without(result.functions[place].body, &left, unwraps)
      }
      return result.entry == program.entry && result.functions == program.functions ? nil : result
    }
  }

  private static func without(_ block: [LoopStatement], _ left: inout Int, _ unwraps: Bool) -> [LoopStatement] {
    block.flatMap { statement -> [LoopStatement] in
      left -= 1
      if left == -1 { return unwraps ? inner(statement).flatMap { $0 } : [] }
      switch statement {
      case .forLoop(let name, let from, let to, let step, let order, let body):
        return [.forLoop(name, from: from, to: to, step: step, order: order, without(body, &left, unwraps))]
      case .forWhile(let name, let maximum, let condition, let body):
        return [.forWhile(name, maximum: maximum, condition: condition, without(body, &left, unwraps))]
      case .ifIndex(let comparisons, let then, let otherwise):
        let first = without(then, &left, unwraps)
        return [.ifIndex(comparisons, then: first, else: without(otherwise, &left, unwraps))]
      case .ifValue(let condition, let then, let otherwise):
        let first = without(then, &left, unwraps)
        return [.ifValue(condition, then: first, else: without(otherwise, &left, unwraps))]
      case .layer(let name, let body): return [.layer(name, without(body, &left, unwraps))]
      default: return [statement]
      }
    }
  }

  private static func withoutDeclarations(_ program: LoopProgram) -> [LoopProgram] {
    program.buffers.indices.map { number in
      var result = program
      result.constants[result.buffers[number].name] = nil
      result.buffers.remove(at: number)
      return result
    }
      + program.functions.indices.map { number in
        var result = program
        result.functions.remove(at: number)
        return result
      }
  }
}
