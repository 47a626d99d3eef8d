import Testing

@testable import IR

/// What is written before it is read, and what only looks so.
@Suite struct LoopTestsInitialization {
  private static let buffers = """
      buffer input x: f32[24]
      buffer input d: i32[4]
      buffer arena t: f32[24]
      buffer scratch s: f32[8]
      buffer output y: f32[24]
    """

  struct Case: CustomTestStringConvertible {
    var what: String
    var entry: String
    var functions = ""
    /// What the verifier says; empty where the program is right.
    var message = ""
    var testDescription: String { what }
  }

  /// Writes all of y, which most cases are not about.
  private static let rest = "for e in 0 ..< 24 { store y[e] = const f32 0 }"

  private static func messages(_ test: Case) throws -> String {
    let text = "program p {\n\(buffers)\n\(test.functions)\n entry {\n\(test.entry)\n }\n}"
    do {
      try LoopProgram(parsing: text, file: "case.vil").verify(target: LoopFixtures.target())
      return ""
    } catch let list as DiagnosticList {
      return list.description
    }
  }

  private static let all = "for i in 0 ..< 24 { store t[i] = load f32 x[i] }"

  static let sound: [Case] = [
    Case(what: "whole", entry: "\(all) for i in 0 ..< 24 { store y[i] = load f32 t[i] }"),
    Case(
      what: "the rest after vectors",
      entry: """
        for i in 0 ..< 2 { store t[i * 8] = load f32x8 x[i * 8] }
        store t[16] mask lanemask 8 8 = load f32x8 x[16]
        for i in 0 ..< 24 { store y[i] = load f32 t[i] }
        """),
    Case(
      what: "columns, then rows",
      entry: """
        for c in 0 ..< 4 { for r in 0 ..< 6 { store t[r * 4 + c] = const f32 1 } }
        for i in 0 ..< 3 { store y[i * 8] = load f32x8 t[i * 8] }
        """),
    Case(
      what: "in the same round",
      entry: "for i in 0 ..< 24 { store t[i] = const f32 1 store y[i] = load f32 t[i] }"),
    Case(
      what: "two halves in the same round",
      entry: """
        for i in 0 ..< 3 {
          store t[i * 8] = const f32x4 1
          store t[i * 8 + 4] = const f32x4 1
          store y[i * 8] = load f32x8 t[i * 8]
        }
        """),
    Case(
      what: "a round reads the one before",
      entry: """
        store t[0] = const f32 1
        for i in 1 ..< 24 { store t[i] = load f32 t[i - 1] }
        for i in 0 ..< 24 { store y[i] = load f32 t[i] }
        """),
    Case(
      what: "the first round writes",
      entry: """
        for i in 0 ..< 24 {
          if i == 0 { store t[0] = const f32 1 } else { store t[0] = load f32 t[0] }
          store y[i] = load f32 t[0]
        }
        """),
    Case(
      what: "both branches",
      entry: """
        if value lt(load f32 x[0], const f32 0) { store t[0] = const f32 1 } else { store t[0] = const f32 2 }
        for i in 0 ..< 24 { store y[i] = load f32 t[0] }
        """),
    Case(
      what: "a ring",
      entry: """
        for i in 0 ..< 24 {
          store t[mod(i, 2)] = load f32 x[i]
          if i >= 1 { store y[i - 1] = load f32 t[mod(i - 1, 2)] }
        }
        store y[23] = const f32 0
        """),
    Case(
      what: "scratch of its own",
      entry: """
        for i in 0 ..< 24 parallel { store s[0] = load f32 x[i] store y[i] = load f32 s[0] }
        """),
    Case(
      what: "through a function",
      entry: "call fill(&t[0]) call fill(&t[8]) for i in 0 ..< 16 { store y[i] = load f32 t[i] } call fill(&y[16])",
      functions: "func fill(to: out f32[8]) { for i in 0 ..< 8 { store to[i] = const f32 1 } }"),
    Case(
      what: "a function reads what it wrote",
      entry: "for i in 0 ..< 3 { call twice(&t[i * 8], &y[i * 8]) }",
      functions: """
        func twice(a: inout f32[8], to: out f32[8]) { store a[0] = const f32x8 1 store to[0] = load f32x8 a[0] }
        """),
    Case(
      what: "by index parameter",
      entry: "for i in 0 ..< 24 { call one(i, &y[0]) }",
      functions: "func one(at: index 0..23, to: out f32[24]) { store to[at] = const f32 1 }"),
    Case(
      what: "a triangle",
      entry: """
        for i in 0 ..< 4 { for j in i ..< 4 { store t[i * 4 + j] = const f32 1 } }
        for i in 0 ..< 4 { for j in i ..< 4 { store y[i * 4 + j] = load f32 t[i * 4 + j] } }
        \(rest)
        """),
  ]

  static let broken: [Case] = [
    Case(what: "never", entry: "\(rest) store y[0] = load f32 t[0]", message: "t may be read"),
    Case(
      what: "all but one", entry: "\(rest) for i in 0 ..< 23 { store t[i] = const f32 1 } store y[0] = load f32 t[23]",
      message: "t may be read"),
    Case(
      what: "every other",
      entry: "\(rest) for i in 0 ..< 12 { store t[i * 2] = const f32 1 } store y[0] = load f32x2 t[0]",
      message: "t may be read"),
    Case(what: "too late", entry: "\(rest) store y[0] = load f32 t[0] \(all)", message: "t may be read"),
    Case(
      what: "one branch",
      entry: "\(rest) if value lt(load f32 x[0], const f32 0) { store t[0] = const f32 1 } store y[0] = load f32 t[0]",
      message: "t may be read"),
    Case(
      what: "a guard that one round fails",
      entry: "for i in 0 ..< 24 { if i < 23 { store t[i] = const f32 1 } store y[i] = load f32 t[i] }",
      message: "t may be read"),
    Case(
      what: "the next round's", entry: "for i in 0 ..< 23 { store t[i] = const f32 1 store y[i] = load f32 t[i + 1] }",
      message: "t may be read"),
    Case(
      what: "a while loop that may not run",
      entry: """
        \(rest)
        for i in 0 ..< 4 while lt(load f32 x[0], const f32 0) { store t[0] = const f32 1 }
        store y[0] = load f32 t[0]
        """, message: "t may be read"),
    Case(
      what: "a mask of data",
      entry: """
        \(rest)
        store t[0] mask lt(load f32x8 x[0], const f32x8 0) = const f32x8 1
        store y[0] = load f32x8 t[0]
        """, message: "t may be read"),
    Case(
      what: "a lane short", entry: "\(rest) store t[0] mask lanemask 8 7 = const f32x8 1 store y[0] = load f32x8 t[0]",
      message: "t may be read"),
    Case(
      what: "somewhere",
      entry: """
        \(rest)
        let k: index 0..7 = min(max(load i32 d[0], const i32 0), const i32 7)
        store t[k] = const f32 1
        store y[0] = load f32 t[0]
        """, message: "t may be read"),
    Case(
      what: "scratch of another round",
      entry: """
        for i in 0 ..< 24 parallel { if i == 0 { store s[0] = const f32 1 } store y[i] = load f32 s[0] }
        """, message: "s may be read"),
    Case(
      what: "scratch after the loop",
      entry: """
        for i in 0 ..< 24 parallel { store s[0] = const f32 1 store y[i] = load f32 s[0] }
        store y[0] = load f32 s[0]
        """, message: "s may be read"),
    Case(
      what: "a ring too short",
      entry: """
        for i in 0 ..< 24 { if i < 1 { store t[i] = const f32 1 } store y[i] = load f32 t[mod(i, 2)] }
        """, message: "t may be read"),
    Case(
      what: "through a function",
      entry: "\(rest) call fill(&t[0]) call fill(&t[7]) store y[0] = load f32x16 t[0]",
      functions: "func fill(to: out f32[8]) { for i in 0 ..< 8 { store to[i] = const f32 1 } }",
      message: "t may be read"),
    Case(
      what: "a function that reads first",
      entry: "call twice(&t[0], &y[0]) \(rest)",
      functions: """
        func twice(a: inout f32[8], to: out f32[8]) { store to[0] = load f32x8 a[0] store a[0] = const f32x8 1 }
        """, message: "twice may read t, as a"),
    Case(
      what: "all but one index",
      entry: "for i in 0 ..< 23 { call one(i, &y[0]) }",
      functions: "func one(at: index 0..23, to: out f32[24]) { store to[at] = const f32 1 }",
      message: "y is an output, and not every element"),
    Case(what: "an output", entry: "store y[0] = const f32x16 0", message: "y is an output, and not every element"),
    Case(what: "no rounds", entry: "for i in 0 ..< 0 { \(rest) }", message: "y is an output, and not every element"),
    Case(
      what: "gathered", entry: "\(rest) store t[0] = const f32 1 store y[0] = gather f32 t[const i32 0]",
      message: "t may be read"),
  ]

  @Test(arguments: sound) func accepts(_ test: Case) throws { #expect(try Self.messages(test) == "") }

  @Test(arguments: broken) func refuses(_ test: Case) throws {
    let found = try Self.messages(test)
    #expect(found.contains(test.message), "\(found)")
  }

  /// Sets of runs against sets of numbers.
  @Test func setsOfElements() {
    var numbers = TestNumbers(5)
    for _ in 0..<400 {
      func random() -> (ElementSet, Set<Int>) {
        var set = ElementSet()
        var expected: Set<Int> = []
        for _ in 0..<numbers.integer(in: 0...9) {
          let low = numbers.integer(in: 0...60)
          let run = low..<(low + numbers.integer(in: 0...9))
          set.insert(run)
          expected.formUnion(run)
        }
        return (set, expected)
      }
      let (a, inA) = random()
      let (b, inB) = random()
      var union = a
      union.formUnion(b)
      func elements(_ set: ElementSet) -> Set<Int> { Set(set.runs.joined()) }
      #expect(elements(a) == inA)
      #expect(elements(union) == inA.union(inB))
      #expect(elements(a.intersection(b)) == inA.intersection(inB))
      #expect(a.isSuperset(of: b) == inA.isSuperset(of: inB))
      for set in [a, union, a.intersection(b)] {
        #expect(zip(set.runs, set.runs.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound })
      }
    }
  }
}
