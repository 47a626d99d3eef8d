// Proves that no element of the arena, of scratch or of an output is read before it is written, and that the outputs are
// written whole, on every path.
//
// The program is walked once in its order, with the elements of every buffer that are written for certain. Loops are not
// unrolled: a loop with a constant number of rounds is a dimension, and an access in it is a region over all its rounds (see
// `ElementRegion`). A read is covered
//   - by elements that were written before the outermost open loop began, or
//   - by regions that were written before in the same rounds of the open loops.
// Functions are walked once for each way they are called, into what they need to be written before and what they write.
//
// That may not be exact enough: because of a guard on a loop variable, a quotient, or a round that reads what the one
// before wrote. Then the loops that are the cause are taken round by round, and everything is walked again, until no
// such loop is left. What is not proved then is reported.
//
// Stores under a general mask, in a `while` loop, in one branch only, or at an index out of data write nothing for
// certain. Scratch holds nothing when a round of a parallel loop begins, and nothing after the loop. Rounds of a
// parallel loop are walked in order: `LoopRaces` proves separately that none touches what another writes.

struct Initialization {
  let program: LoopProgram
  let functions: [String: LoopFunction]
  let valueFunctions: [String: LoopValueFunction]
  private let instructions: [String: Target.Instruction]
  private var summaries: [Call: Summary] = [:]
  /// Loops and index parameters that are looked at value by value.
  private(set) var takenApart: Set<LoopName> = []
  /// Statements walked so far.
  var steps = 0

  /// Statements that may be walked; more than any kernel needs, and seconds at most.
  static let mostSteps = 20_000_000

  /// A function as it is called: the values of its index parameters that are taken apart; nil for the others.
  struct Call: Hashable {
    var function: String
    var indices: [Int?]
  }

  /// What a call needs and does, in terms of its views.
  struct Summary {
    /// Elements that it reads before it writes them, and what would have to be taken apart to know them more exactly.
    var needs: [ElementRegion] = []
    var causes: [String: Causes] = [:]
    /// Elements that it writes on every path.
    var writes: [ElementRegion] = []
  }

  /// Loops and parameters that would show more if they were looked at value by value.
  struct Causes {
    /// An index or a guard is not known exactly because of these.
    var inexact: Set<LoopName> = []
    /// Loops that are open at a read. A round may read what an earlier round wrote.
    var open: Set<LoopName> = []

    func union(_ other: Causes) -> Causes {
      Causes(inexact: inexact.union(other.inexact), open: open.union(other.open))
    }
  }

  /// A read, or an output, that is not covered.
  struct Failure {
    var message: String
    var path: [LoopStatement]
    var causes: Causes
  }

  private init(_ program: LoopProgram, _ target: Target, _ functions: [String: LoopFunction]) {
    self.program = program
    self.functions = functions
    valueFunctions = program.valueFunctionsByName
    instructions = target.instructions
  }

  /// Everything that may be read before it is written, with the statements around it.
  static func failures(
    _ program: LoopProgram, target: Target, functions: [String: LoopFunction]
  ) -> [(message: String, path: [LoopStatement])] {
    var proof = Initialization(program, target, functions)
    while true {
      let failures = proof.walkEntry()
      if failures.isEmpty { return [] }
      if proof.steps > mostSteps {
        return [("whether everything is written before it is read takes more than \(mostSteps) steps to see", [])]
      }
      let causes = proof.next(failures.reduce(Causes()) { $0.union($1.causes) })
      if causes.isEmpty { return failures.map { (message: $0.message, path: $0.path) } }
      proof.takeApart(causes)
    }
  }

  /// What to take apart next: the cheapest that is left. Loops of the entry come before those of functions.
  private func next(_ causes: Causes) -> Set<LoopName> {
    for names in [causes.inexact, causes.open] {
      let left = names.subtracting(takenApart)
      let own = left.filter { $0.function.isEmpty }
      if !left.isEmpty { return own.isEmpty ? left : own }
    }
    return []
  }

  private mutating func takeApart(_ names: Set<LoopName>) {
    takenApart.formUnion(names)
    var changed = Set(names.map(\.function))
    var count = -1
    while count != changed.count {
      count = changed.count
      for function in program.functions where !changed.isDisjoint(with: function.body.flatMap(\.callees)) {
        changed.insert(function.name)
      }
    }
    summaries = summaries.filter { !changed.contains($0.key.function) }
  }

  private mutating func walkEntry() -> [Failure] {
    var walk = InitializationWalk(entryOf: program)
    walk.walk(program.entry, &self)
    for buffer in program.buffers where buffer.storage == .output {
      walk.require(
        ElementRegion(root: buffer.name, constant: 0, terms: [], width: buffer.count),
        "\(buffer.name) is an output, and not every element is written on every path")
    }
    return walk.failures
  }

  /// What a call needs and does, walked once for each way of calling.
  mutating func summary(of function: LoopFunction, _ indices: [Int?]) -> Summary {
    let call = Call(function: function.name, indices: indices)
    if let known = summaries[call] { return known }
    var walk = InitializationWalk(bodyOf: function, indices)
    walk.walk(function.body, &self)
    let summary = walk.summary
    summaries[call] = summary
    return summary
  }

  func lanesOfInstruction(_ name: String) -> Int { instructions[name]?.result.lanes ?? 1 }

  func isTakenApart(_ name: LoopName) -> Bool { takenApart.contains(name) }
}
