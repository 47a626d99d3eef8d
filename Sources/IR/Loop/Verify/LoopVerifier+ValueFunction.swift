// Value functions: formulas of their parameters. Proved once, for any operands of the declared types, so that an
// application needs no more than its types checked.

extension LoopVerifier {
  mutating func verifyValueFunctions() {
    var above: [String: LoopValueFunction] = [:]
    for function in program.valueFunctions {
      unit = "value \(function.name)"
      verify(function, above: above)
      above[function.name] = function
    }
  }

  private mutating func verify(_ function: LoopValueFunction, above: [String: LoopValueFunction]) {
    var seen: Set<String> = []
    for parameter in function.parameters {
      verify(name: parameter.name)
      if !seen.insert(parameter.name).inserted { report("parameter \(parameter.name) is declared twice") }
    }
    for type in function.parameters.map(\.type) + [function.type] where !LoopType.areValid(lanes: type.lanes) {
      report("a vector has 1, 2, 4, ... 64 lanes, not \(type.lanes)")
    }
    for statement in function.body + [.letValue("", function.type, function.result)] where !isFormula(statement) {
      // It is no longer clear what its names mean, so any further message would mislead.
      return
    }
    var place = LoopPlace(bodyOf: function, target: target, valueFunctions: above, atoms: atoms)
    verify(function.body, in: &place, around: LoopSurroundings())
    verify(function.result, is: function.type, what: "the result", in: place)
  }

  /// Reports a statement that is not a `let` of a value, or touches memory.
  private mutating func isFormula(_ statement: LoopStatement) -> Bool {
    switch statement {
    case .letValue(_, _, let value):
      guard let buffer = value.buffersTouched.first else { return true }
      report("a value function touches no memory, and this one reads \(buffer)")
    case .forLoop, .forWhile, .ifIndex, .ifValue, .letIndex, .register, .assign, .store, .prefetch, .call, .layer:
      report("a value function is made of lets, and this one says: \(statement.headline)")
    }
    return false
  }
}

extension LoopValue {
  /// Buffers read here and inside, in order, repeats and all.
  fileprivate var buffersTouched: [String] {
    operands.flatMap(\.buffersTouched) + (loadedBuffer.map { [$0] } ?? [])
  }
}
