import Foundation
import IR
import Testing

/// Random loop programs and mutants of them: what the verifier accepts, no execution breaks. `Scripts/fuzz-loops` runs
/// tens of thousands.
@Suite struct AdversaryTests {
  /// How many programs and the first seed, where the script asks.
  private static let asked = ProcessInfo.processInfo.environment["VIGC_FUZZ_LOOPS"]

  static let seeds: Range<UInt64> = {
    let words = (asked ?? "800 1").split(separator: " ").compactMap { UInt64($0) }
    return words.count == 2 ? words[1]..<words[1] + words[0] : 0..<0
  }()

  @Test func whatIsAcceptedNeverBreaks() async throws {
    let tally = try await Adversary.random(seeds: Self.seeds, mutants: 6)
    if Self.asked != nil { print(tally.summary) }
    for fault in tally.faults.prefix(40) { Issue.record("\(fault)") }
    #expect(tally.faults.isEmpty)
    // The test would be empty otherwise.
    #expect(tally.acceptedOriginals * 4 > tally.originals, "\(tally.summary)")
    #expect(tally.refusedBroken * 8 > tally.refusedRun, "\(tally.summary)")
  }

  /// A seed gives the same program always, and its text is a program.
  @Test func programsAreTheirText() throws {
    for seed in 0..<60 as Range<UInt64> {
      let program = RandomProgram.make(seed: seed)
      #expect(program.text == RandomProgram.make(seed: seed).text)
      #expect(try LoopProgram(parsing: program.text, file: "random.vil").text == program.text, "seed \(seed)")
    }
  }

  /// Where nothing breaks, the shadow computes what the interpreter does, bit for bit.
  @Test func shadowAgreesWithTheInterpreter() throws {
    var compared = 0
    for seed in 0..<150 as Range<UInt64> {
      let program = RandomProgram.make(seed: seed)
      guard (try? program.verify(target: .avx2)) != nil else { continue }
      let execution = try ShadowExecution(program: program, target: .avx2)
      for flavour in 0..<RandomInputs.flavours {
        let inputs = RandomInputs.make(for: program, seed: seed, flavour: flavour)
        guard let found = try? execution.run(inputs, budget: 100_000) else { continue }
        let expected = try LoopInterpreter(program: program, target: .avx2).run(inputs)
        #expect(found == expected, "seed \(seed), inputs \(flavour): \(program.text)")
        compared += 1
      }
    }
    #expect(compared > 100)
  }
}
