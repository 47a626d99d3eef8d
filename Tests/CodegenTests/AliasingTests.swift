import IR
import Testing

@testable import Codegen

/// A parameter is `restrict` where no other reaches its bytes, and only there: the compiler believes the word.
@Suite struct AliasingTests {
  /// The buffers that the entry's calls write to and read.
  private static func text(outer: String, reads: String) -> String {
    """
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
        call outer(\(outer))
        call reads(\(reads))
        call halves(&c[0])
        store y[0] = load f32x8 c[8]
      }
    }
    """
  }

  /// Positions of parameters that may overlap another, by function.
  private func aliased(outer: String = "&b[0], &a[0]", reads: String = "&a[0], &a[8], &c[0]") throws -> [String: Set<
    Int
  >] {
    Aliasing(try LoopProgram(parsing: Self.text(outer: outer, reads: reads), file: "aliasing.vil")).parameters
  }

  /// Two views of one buffer are told from those of two; a call inside a kernel counts like one of the entry.
  @Test func buffersApartDoNotOverlap() throws {
    #expect(try aliased() == ["own": [0, 1]])
  }

  /// A kernel hands on what its own parameters share, in whichever order it passes them.
  @Test(arguments: ["&a[8], &a[0]", "&a[0], &a[8]"]) func oneBufferReachesTheInnerFunction(_ outer: String) throws {
    let found = try aliased(outer: outer)
    #expect(found["outer"] == [0, 1])
    #expect(found["inner"] == [0, 1])
    #expect(found["deepest"] == [0, 1])
    #expect(found["reads"] == nil)
  }

  @Test func readsMayOverlapReadsButNotWhatIsWritten() throws {
    let found = try aliased(reads: "&a[0], &c[8], &c[0]")
    #expect(found["reads"] == [1, 2])
    #expect(found["outer"] == nil)
  }
}
