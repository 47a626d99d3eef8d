import Foundation
import IR

/// What came of a number of programs.
struct FuzzTally: Sendable {
  var programs = 0
  var accepted = 0
  var acceptedOriginals = 0
  var originals = 0
  /// Refused programs that were run too, and those of them that broke.
  var refusedRun = 0
  var refusedBroken = 0
  var executions = 0
  var unfinished = 0
  var accesses = 0
  var faults: [FoundFault] = []

  var refused: Int { programs - accepted }

  mutating func add(_ other: FuzzTally) {
    programs += other.programs
    accepted += other.accepted
    acceptedOriginals += other.acceptedOriginals
    originals += other.originals
    refusedRun += other.refusedRun
    refusedBroken += other.refusedBroken
    executions += other.executions
    unfinished += other.unfinished
    accesses += other.accesses
    faults += other.faults
  }

  var summary: String {
    """
    \(programs) programs: \(accepted) accepted, \(refused) refused; of \(originals) that were not mutated, \
    \(acceptedOriginals) accepted
    \(executions) executions, \(accesses) accesses, \(unfinished) executions not finished; of \(refusedRun) refused \
    programs that were run, \(refusedBroken) broke
    \(faults.count) faults of accepted programs
    """
  }
}

/// An accepted program that broke.
struct FoundFault: Sendable, CustomStringConvertible {
  var seed: String
  var kind: LoopFault.Kind
  var message: String
  /// Shrunk.
  var program: String

  var description: String { "seed \(seed): \(message)\n\(program)" }
}

/// Holds programs against the verifier, and accepted ones against executions.
struct Adversary {
  var target: Target
  /// Statements that one execution may take.
  var budget = 300_000
  /// Executions of each accepted program.
  var executions = RandomInputs.flavours
  var shrinks = true
  var tally = FuzzTally()

  init(target: Target) { self.target = target }

  func isAccepted(_ program: LoopProgram) -> Bool { (try? program.verify(target: target)) != nil }

  /// The first fault of a few executions; nil where none has one.
  private mutating func fault(_ program: LoopProgram, _ seed: UInt64, executions: Int) throws -> LoopFault? {
    do {
      let execution = try ShadowExecution(program: program, target: target)
      for number in 0..<executions {
        let inputs = RandomInputs.make(
          for: program, seed: seed &+ UInt64(number), flavour: number % RandomInputs.flavours)
        tally.executions += 1
        defer { tally.accesses += execution.machine.accesses }
        execution.machine.accesses = 0
        do {
          try execution.run(inputs, budget: budget)
        } catch is ShadowTimeout {
          tally.unfinished += 1
        }
      }
    } catch let fault as LoopFault {
      return fault
    } catch is ShadowTimeout {
      tally.unfinished += 1
    }
    return nil
  }

  /// Counts `program`; true if the verifier accepts it.
  @discardableResult
  mutating func judge(_ program: LoopProgram, seed: UInt64, label: String, isOriginal: Bool) throws -> Bool {
    tally.programs += 1
    if isOriginal { tally.originals += 1 }
    guard isAccepted(program) else {
      // How often what is refused does break says whether the programs are worth refusing.
      tally.refusedRun += 1
      if let fault = try? fault(program, seed, executions: 1) {
        _ = fault
        tally.refusedBroken += 1
      }
      return false
    }
    tally.accepted += 1
    if isOriginal { tally.acceptedOriginals += 1 }
    guard let fault = try fault(program, seed, executions: executions) else { return true }
    var other = self
    let small =
      !shrinks
      ? program
      : Shrinking.shrink(program) { candidate in
        other.isAccepted(candidate)
          && (try? other.fault(candidate, seed, executions: executions))??.kind == fault.kind
      }
    let message = (try? other.fault(small, seed, executions: executions))??.description ?? fault.description
    tally.faults.append(FoundFault(seed: label, kind: fault.kind, message: message, program: small.text))
    return true
  }

  /// A random program and its mutants.
  mutating func judgeRandom(seed: UInt64, mutants: Int) throws {
    let program = RandomProgram.make(seed: seed)
    guard try judge(program, seed: seed, label: "\(seed)", isOriginal: true) else { return }
    try judgeMutants(of: program, seed: seed, label: "\(seed)", count: mutants)
  }

  mutating func judgeMutants(of program: LoopProgram, seed: UInt64, label: String, count: Int) throws {
    for number in 0..<count {
      let mutantSeed = seed &* 1_000_003 &+ UInt64(number)
      var mutant = Mutation.mutate(program, seed: mutantSeed)
      if number % 4 == 3 { mutant = Mutation.mutate(mutant, seed: mutantSeed &+ 7) }
      try judge(mutant, seed: seed, label: "\(label) mutant \(number)", isOriginal: false)
    }
  }
}

extension Adversary {
  /// Random programs of these seeds, on all processors.
  static func random(seeds: Range<UInt64>, mutants: Int) async throws -> FuzzTally {
    let shares = UInt64(max(1, ProcessInfo.processInfo.activeProcessorCount))
    return try await withThrowingTaskGroup(of: FuzzTally.self) { group in
      for share in 0..<shares {
        group.addTask {
          var adversary = Adversary(target: .avx2)
          for seed in seeds where seed % shares == share { try adversary.judgeRandom(seed: seed, mutants: mutants) }
          return adversary.tally
        }
      }
      var sum = FuzzTally()
      for try await tally in group { sum.add(tally) }
      sum.faults.sort { $0.seed < $1.seed }
      return sum
    }
  }
}
