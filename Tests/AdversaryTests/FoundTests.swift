import IR
import Testing

/// Programs that a verifier once accepted and an execution broke, made as small as they go.
@Suite struct FoundTests {
  struct Case: CustomStringConvertible, Sendable {
    var description: String
    var kind: LoopFault.Kind
    var program: String
  }

  static let cases = [
    Case(
      description: "a function's parallel loop reads scratch that was written before it", kind: .uninitialised,
      program: """
        buffer output d: f32[4]
        buffer scratch s: f32[2]
        func f(y: out f32[2], z: inout f32[2]) {
          for j in 0 ..< 2 { store z[j] = const f32 1 }
          for k in 0 ..< 2 parallel { store y[k] = load f32 z[k] }
        }
        entry { for i in 0 ..< 2 { call f(&d[i * 2], &s[0]) } }
        """),
    Case(
      description: "scratch is read after a function wrote it in a parallel loop", kind: .uninitialised,
      program: """
        buffer output d: f32[3]
        buffer scratch s: f32[3]
        func f(y: out f32[3]) { for j in 0 ..< 3 parallel { store y[j] = const f32 0 } }
        entry { call f(&s[0]) for i in 0 ..< 3 { store d[i] = load f32 s[i] } }
        """),
    Case(
      description: "the magnitude of the least i64 is negative", kind: .range,
      program: """
        buffer input n: i64[6]
        buffer output d: f32[6]
        entry {
          for i in 0 ..< 6 {
            let k: index 0..5 = min(abs(load i64 n[i]), const i64 5)
            store d[k] = const f32 0
            store d[i] = const f32 0
          }
        }
        """),
    Case(
      description: "an index is too large for 32 bits before a remainder makes it small", kind: .indexSize,
      program: """
        buffer output d: f32[6]
        entry { for i in 0 ..< 6 { store d[i] = const f32 0 store d[mod(i * 858993459, 6)] = const f32 1 } }
        """),
    Case(
      description: "a u64 beyond i64 becomes a negative i64", kind: .range,
      program: """
        buffer input n: u64[6]
        buffer output d: f32[6]
        entry {
          for i in 0 ..< 6 {
            let k: index 0..5 = min(convert i64 load u64 n[i], const i64 5)
            store d[i] = const f32 0
          }
        }
        """),
  ]

  @Test(arguments: cases) func isRefusedAndBreaks(_ found: Case) throws {
    let program = try LoopProgram(parsing: "program found { \(found.program) }", file: "found.vil")
    #expect(throws: DiagnosticList.self) { try program.verify(target: .avx2) }
    let execution = try ShadowExecution(program: program, target: .avx2)
    var kinds: Set<LoopFault.Kind> = []
    for seed in 0..<30 as Range<UInt64> {
      do {
        try execution.run(RandomInputs.make(for: program, seed: seed, flavour: Int(seed % 3)), budget: 10_000)
      } catch let fault as LoopFault {
        kinds.insert(fault.kind)
      }
    }
    #expect(kinds == [found.kind])
  }
}
