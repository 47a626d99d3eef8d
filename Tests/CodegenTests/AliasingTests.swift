import IR
import Testing

@testable import Codegen

/// A parameter is `restrict` where no other reaches its bytes, and only there: the compiler believes the word.
@Suite struct AliasingTests {
  private static let text = """
    program aliasing {
      buffer input x: f32[32]
      buffer arena a: f32[32]
      buffer arena b: f32[32]
      buffer arena c: f32[32]
      buffer output y: f32[32]
      func deepest(p: in f32[8], q: out f32[8]) { store q[0] = load f32x8 p[0] }
      func inner(p: in f32[8], q: out f32[8]) { call deepest(&p[0], &q[0]) }
      func outer(p: out f32[8], q: in f32[8]) { call inner(&q[0], &p[0]) }
      func reads(p: in f32[8], q: in f32[8], r: out f32[8]) { store r[0] = add(load f32x8 p[0], load f32x8 q[0]) }
      func halves(p: inout f32[16]) { call own(&p[0], &p[8]) }
      func own(p: in f32[8], q: out f32[8]) { store q[0] = load f32x8 p[0] }
      entry {
        store a[0] = load f32x32 x[0]
        call outer(&b[0], &a[0])
        call reads(&a[0], &a[8], &c[0])
        call halves(&c[0])
        store y[0] = load f32x8 c[8]
      }
    }
    """

  /// Positions of parameters that may overlap another, by function, for a plan with these offsets.
  private func aliased(_ offsets: [String: Int]) throws -> [String: Set<Int>] {
    let program = try LoopProgram(parsing: Self.text, file: "aliasing.vil")
    let plan = MemoryPlan(offsets: offsets, scratchBase: 512, scratchBytes: 0, workers: 1, peakLivenessBytes: 512)
    return Aliasing(program, plan).parameters
  }

  @Test func buffersApartDoNotOverlap() throws {
    let found = try aliased(["a": 0, "b": 128, "c": 256])
    #expect(found == ["own": [0, 1]])
  }

  /// Bytes in common count, in whichever order the buffers lie; and a kernel hands on what its own parameters share.
  @Test(arguments: [
    ["a": 0, "b": 0], ["a": 0, "b": 64], ["a": 64, "b": 0], ["a": 0, "b": 127], ["a": 127, "b": 0],
  ])
  func sharedBytesReachTheInnerFunction(_ offsets: [String: Int]) throws {
    let found = try aliased(offsets.merging(["c": 256]) { first, _ in first })
    #expect(found["outer"] == [0, 1])
    #expect(found["inner"] == [0, 1])
    #expect(found["deepest"] == [0, 1])
    #expect(found["reads"] == nil)
  }

  @Test func readsMayOverlapReadsButNotWhatIsWritten() throws {
    let found = try aliased(["a": 0, "b": 128, "c": 64])
    #expect(found["reads"] == [0, 1, 2])
    #expect(found["outer"] == nil)
  }
}
