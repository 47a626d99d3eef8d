import Testing

@testable import IR

/// Small programs that break one invariant each, and what the verifier says; then their mended twins.
@Suite struct LoopTestsVerifier {
  /// Buffers every case may use.
  static let buffers = """
      buffer input x: f32[12]
      buffer weights w: f32[8]
      buffer arena t: f32[12]
      buffer arena n: i32[4] range 0..11
      buffer scratch s: f32[8]
      buffer output y: f32[12]
    """

  /// Every buffer is written before `entry`, which so needs to say no more than what it is about.
  static func messages(_ entry: String, functions: String = "") throws -> String {
    let written = """
      for e in 0 ..< 12 {
        store t[e] = const f32 0
        store y[e] = const f32 0
      }
      store n[0] = const i32x4 0
      """
    let text = "program p {\n\(buffers)\n\(functions)\n entry {\n\(written)\n\(entry)\n }\n}"
    do {
      try LoopProgram(parsing: text, file: "case.vil").verify(target: LoopFixtures.target())
      return ""
    } catch let list as DiagnosticList {
      return list.description
    }
  }

  struct Case: CustomTestStringConvertible {
    var what: String
    var entry: String
    var functions = ""
    var message = ""
    var testDescription: String { what }
  }

  static let broken: [Case] = [
    Case(
      what: "off by one", entry: "for i in 0 ..< 12 { store y[i] = load f32 x[i + 1] }",
      message: "entry / for i in 0 ..< 12 / store y[i] = load f32 x[i + 1]: loads x[i + 1], not proved inside its 12"),
    Case(
      what: "before the start", entry: "for i in 0 ..< 12 { store y[i - 1] = const f32 0 }",
      message: "the start may be negative"),
    Case(
      what: "a vector over the end", entry: "for i in 0 ..< 12 step 8 { store y[i] = const f32x8 0 }",
      message: "stores y[i] for 8 lanes"),
    Case(
      what: "a lanemask that is too long",
      entry: "for i in 0 ..< 12 step 8 { store y[i] mask lanemask 8 13 - i = const f32x8 0 }",
      message: "stores y[i] for 8 lanes"),
    Case(
      what: "a missing guard", entry: "for i in 0 ..< 12 { if i >= 1 { store y[i] = load f32 x[i - 2] } }",
      message: "loads x[i - 2]"),
    Case(
      what: "a value function that loads", entry: "",
      functions: "value f(): f32 { let a: f32 = const f32 0 return add(a, load f32 x[0]) }",
      message: "value f: a value function touches no memory, and this one reads x"),
    Case(
      what: "a value function that gathers in a let", entry: "",
      functions: "value f(i: i32): f32 { let a: f32 = gather f32 x[i] return a }",
      message: "a value function touches no memory"),
    Case(
      what: "a value function that applies itself", entry: "",
      functions: "value f(a: f32): f32 { return apply f(a) }",
      message: "no value function is called f here; each applies those above it"),
    Case(
      what: "a value function that applies one below", entry: "",
      functions: "value f(): f32 { return apply g() } value g(): f32 { return const f32 0 }",
      message: "no value function is called g here"),
    Case(
      what: "an unknown value function", entry: "store y[0] = apply g()",
      functions: "value f(): f32 { return const f32 0 }", message: "no value function is called g here"),
    Case(
      what: "an operand of the wrong type", entry: "store y[0] = apply f(const f32x8 0)",
      functions: "value f(a: f32): f32 { return a }", message: "f takes f32, found f32x8"),
    Case(
      what: "an operand too few", entry: "store y[0] = apply f(const f32 0)",
      functions: "value f(a: f32, b: f32): f32 { return a }", message: "f takes f32, f32, found f32"),
    Case(
      what: "a result of the wrong type", entry: "", functions: "value f(a: f32): f32x8 { return a }",
      message: "the result is a f32x8, the value is a f32"),
    Case(
      what: "a value function's name for a buffer", entry: "", functions: "value y(a: f32): f32 { return a }",
      message: "y is declared twice"),
    Case(
      what: "a parameter twice", entry: "", functions: "value f(a: f32, a: f32): f32 { return a }",
      message: "parameter a is declared twice"),
    Case(
      what: "a let that a parameter has the name of", entry: "",
      functions: "value f(a: f32): f32 { let a: f32 = const f32 0 return a }", message: "a is already a name here"),
    Case(
      what: "a name from the caller", entry: "let v: f32 = const f32 0 store y[0] = apply f()",
      functions: "value f(): f32 { return v }", message: "v stands where a value is needed"),
    Case(
      what: "a shift that an operand may make too long", entry: "",
      functions: "value f(a: i32): i32 { return shl(const i32 1, a) }", message: "shifts by"),
    Case(
      what: "an index out of a value function", entry: "store y[0] = gather f32 x[apply f()]",
      functions: "value f(): i32 { return const i32 3 }", message: "gathers from x at"),
    Case(what: "prefetch outside", entry: "prefetch w[8]", message: "prefetches w[8]"),
    Case(what: "writing weights", entry: "store w[0] = const f32 0", message: "w is read only"),
    Case(what: "writing the input", entry: "store x[0] = const f32 0", message: "x is read only"),
    Case(
      what: "a mask of the wrong lanes",
      entry: "store y[0] mask lanemask 4 2 = const f32x8 0",
      message: "the mask is a maskx8, the value is a maskx4"),
    Case(
      what: "a condition of many lanes", entry: "if value lt(load f32x4 x[0], const f32x4 0) { }",
      message: "the condition is a mask, the value is a maskx4"),
    Case(
      what: "mixed types", entry: "store y[0] = add(const f32 1, const i32 1)",
      message: "add takes two operands of one type, found f32, i32"),
    Case(
      what: "storing another type", entry: "store y[0] = const i32 1", message: "y holds f32, not i32"),
    Case(
      what: "recursion", entry: "call f()", functions: "func f() { call g() } func g() { call f() }",
      message: "calls recurse: f -> g -> f"),
    Case(
      what: "an index nobody bounds", entry: "let k: index 0..3 = load i32 n[0]",
      message: "k holds 0..3, and the value can be 0..11"),
    Case(
      what: "an integer out of its range", entry: "for i in 0 ..< 13 { store n[0] = index i32 i }",
      message: "n holds 0..11, and the value can be 0..12"),
    Case(
      what: "a register out of its range",
      entry: "var c: i32 range 0..3 = const i32 0 for i in 0 ..< 3 { c = add(c, const i32 1) }",
      message: "c holds 0..3, and the value can be 1..4"),
    Case(
      what: "an element that is not there",
      entry: "var r: f32[4] = const f32 0 for i in 0 ..< 5 { r[i] = const f32 1 }",
      message: "r[i] may not exist"),
    Case(
      what: "gathering outside", entry: "store y[0] = gather f32x4 w[load i32x4 n[0]]",
      message: "gathers from w at 0..11, outside its 0..7"),
    Case(
      what: "a race", entry: "for i in 0 ..< 5 parallel { store y[i * 2] = const f32x4 0 }",
      message: "two rounds of the parallel loop may both write y[i * 2]"),
    Case(
      what: "reading what another round writes",
      entry: "for i in 0 ..< 11 parallel { store t[i] = load f32 t[i + 1] }",
      message: "one round of the parallel loop may write t[i] where another reads t[i + 1]"),
    Case(
      what: "a race in a call", entry: "for i in 0 ..< 4 parallel { call f(i, &y[0]) }",
      functions: "func f(i: index 0..8, y: out f32[12]) { for k in 0 ..< 4 { store y[i * 2 + k] = const f32 0 } }",
      message: "two rounds of the parallel loop may both write y[i * 2 + k]"),
    Case(
      what: "a race of rings", entry: "for i in 0 ..< 6 parallel { store y[mod(i, 3)] = const f32 0 }",
      message: "two rounds of the parallel loop may both write"),
    Case(
      what: "a shared register", entry: "var a: f32 = const f32 0 for i in 0 ..< 2 parallel { a = const f32 1 }",
      message: "rounds of a parallel loop share a"),
    Case(
      what: "nested parallel loops", entry: "for i in 0 ..< 2 parallel { call f(&y[i]) }",
      functions: "func f(y: out f32[1]) { for i in 0 ..< 1 parallel { store y[i] = const f32 0 } }",
      message: "parallel loops do not nest, and f has one inside"),
    Case(
      what: "a view that is too small", entry: "call f(&w[1])",
      functions: "func f(w: in f32[8]) { }", message: "f takes 8 elements as w, not proved to be in w[1] of 8"),
    Case(
      what: "an index outside its parameter", entry: "for i in 0 ..< 4 { call f(i) }",
      functions: "func f(i: index 0..2) { }", message: "f takes i in 0..2, found i"),
    Case(
      what: "overlapping views", entry: "call f(&t[0], &t[4])",
      functions: "func f(a: in f32[8], b: out f32[8]) { store b[0] = load f32 a[0] }",
      message: "f gets two views of t that may overlap, and writes one"),
    Case(
      what: "the same view twice where calls follow", entry: "call f(&t[0], &t[0])",
      functions: "func f(a: in f32[8], b: out f32[8]) { call g() } func g() { }",
      message: "f gets t twice and writes it"),
    Case(
      what: "passing weights to be written", entry: "call f(&w[0])", functions: "func f(a: out f32[8]) { }",
      message: "w is read only and is passed as the written a"),
    Case(
      what: "reading an out view", entry: "call f(&t[0])",
      functions: "func f(a: out f32[8]) { store a[0] = load f32 a[1] }", message: "a is an out parameter and is read"),
    Case(
      what: "a narrower range expected", entry: "call f(&n[0])", functions: "func f(a: in i32[4] range 0..5) { }",
      message: "a expects 0..5, and n holds 0..11"),
    Case(
      what: "a buffer from outside a function", entry: "call f()", functions: "func f() { store y[0] = const f32 0 }",
      message: "no buffer is called y"),
    Case(what: "an undefined name", entry: "store y[0] = mul(z, z)", message: "z stands where a value is needed"),
    Case(
      what: "a name twice",
      entry: "let a: f32 = const f32 0 let a: f32 = const f32 0", message: "a is already a name"),
    Case(
      what: "assigning a let",
      entry: "let a: f32 = const f32 0 a = const f32 1", message: "a is assigned but is no"),
    Case(
      what: "unrolling without a count", entry: "for i in 0 ..< 4 { for k in 0 ..< i unrolled { } }",
      message: "an unrolled loop has a constant number of rounds"),
    Case(
      what: "shifting too far",
      entry: "store n[0] = min(max(shl(load i32 n[0], const i32 32), const i32 0), const i32 9)",
      message: "shifts by 32..32 bits"),
    Case(what: "a word as a name", entry: "let store: f32 = const f32 0", message: "'store' is a word of the language"),
    Case(
      what: "an index that wraps in a small type", entry: "for i in 0 ..< 200 { let k: index 0..199 = index i8 i }",
      message: "k holds 0..199, and the value can be -128..127"),
    Case(
      what: "wrapping out of a range",
      entry: "store n[1] = min(mul(load i32 n[0], const i32 1000000000), const i32 11)",
      message: "n holds 0..11, and the value can be -2147483648..11"),
  ]

  @Test(arguments: broken)
  func rejects(_ wrong: Case) throws {
    let found = try Self.messages(wrong.entry, functions: wrong.functions)
    #expect(found.contains(wrong.message), "\(found)")
  }

  static let sound: [Case] = [
    Case(
      what: "a tail of lanes",
      entry: "for i in 0 ..< 12 step 8 { store y[i] mask lanemask 8 12 - i = const f32x8 0 }"),
    Case(what: "a guard", entry: "for i in 0 ..< 14 { if i >= 2 and i < 13 { store y[i - 1] = load f32 x[i - 2] } }"),
    Case(what: "the other branch", entry: "for i in 0 ..< 20 { if i >= 12 { } else { store y[i] = const f32 0 } }"),
    Case(what: "minimum and maximum", entry: "for i in 0 ..< 20 { store y[max(min(i - 3, 11), 0)] = const f32 0 }"),
    Case(
      what: "a window clipped at the border",
      entry: "for i in 0 ..< 12 { for j in max(0, i - 1) ..< min(12, i + 2) { store y[j] = load f32 x[j - i + i] } }"),
    Case(
      what: "a triangle",
      entry: "for i in 0 ..< 12 { for j in i ..< 12 { store y[j - i] = load f32 x[11 - j + i] } }"),
    Case(
      what: "a roll",
      entry: "for i in 0 ..< 4 { for j in 0 ..< 3 { store y[mod(i + 7, 4) * 3 + j] = const f32 0 } }"),
    Case(what: "div and mod back", entry: "for i in 0 ..< 12 { store y[div(i, 5) * 5 + mod(i, 5)] = const f32 0 }"),
    Case(
      what: "tiles with a short last one",
      entry: "for q in 0 ..< 3 parallel { for i in q * 5 ..< min(q * 5 + 5, 12) { store y[i] = const f32 0 } }"),
    Case(
      what: "blocks of channels in parallel",
      entry: "for b in 0 ..< 2 parallel { for p in 0 ..< 3 { store y[p * 4 + b * 2] = const f32x2 0 } }"),
    Case(
      what: "flattened tiles in parallel",
      entry: "for q in 0 ..< 6 parallel { store y[mod(q, 2) * 6 + div(q, 2) * 2] = const f32x2 0 }"),
    Case(
      what: "three flattened axes",
      entry: "for q in 0 ..< 12 parallel { store y[div(q, 6) + mod(div(q, 2), 3) * 2 + mod(q, 2) * 6] = const f32 0 }"),
    Case(
      what: "in parallel and in place", entry: "for i in 0 ..< 12 parallel { store t[i] = neg(load f32 t[i]) }"),
    Case(
      what: "two halves of one buffer",
      entry: "for i in 0 ..< 6 parallel { store t[i] = gather f32 x[index i32 i + 6] store t[i + 6] = const f32 0 }"),
    Case(
      what: "tiles whose size is an argument",
      entry: "for q in 0 ..< 3 parallel { call f(min(5, 12 - q * 5), q, &y[0]) }",
      functions: """
        func f(size: index 2..5, q: index 0..2, y: out f32[12]) {
          for i in 0 ..< size { if q * 5 + i < 12 { store y[q * 5 + i] = const f32 0 } }
        }
        """),
    Case(
      what: "blocks of outputs in parallel through a strided view",
      entry: "for b in 0 ..< 2 parallel { call f(&y[b * 2]) }",
      functions: "func f(y: out f32[10]) { for p in 0 ..< 3 { store y[p * 4] = const f32x2 0 } }"),
    Case(
      what: "an unrolled tile in parallel",
      entry: """
        for b in 0 ..< 2 parallel { store t[b * 2] = load f32x2 t[b * 2]
          store t[b * 2 + 4] = load f32x2 t[b * 2 + 8] store t[b * 2 + 8] = const f32x2 0 }
        """),
    Case(
      what: "scratch in parallel",
      entry: "for i in 0 ..< 12 parallel { store s[3] = load f32 x[i] store y[i] = load f32 s[3] }"),
    Case(
      what: "in place", entry: "call f(&t[2], &t[2])",
      functions: "func f(a: in f32[8], b: out f32[8]) { store b[0] = load f32 a[0] }"),
    Case(
      what: "views apart", entry: "for i in 0 ..< 2 { call f(&t[i * 3], &t[i * 3 + 3]) }",
      functions: "func f(a: in f32[3], b: out f32[3]) { store b[0] = load f32 a[0] }"),
    Case(
      what: "an index out of data", entry: "let k: index 0..11 = load i32 n[0] store y[k] = load f32 x[11 - k]"),
    Case(
      what: "a clamped integer",
      entry: "store n[0] = min(max(saturate i32 load f32 x[0], const i32 0), const i32 11)"),
    Case(what: "a loop that never runs", entry: "for i in 0 ..< 0 { store y[i + 50] = const f32 0 }"),
  ]

  @Test(arguments: sound)
  func accepts(_ right: Case) throws {
    let found = try Self.messages(right.entry, functions: right.functions)
    #expect(found.isEmpty, "\(found)")
  }

  @Test func looksAtWeights() throws {
    var program = try LoopProgram(
      parsing: """
        program p { buffer weights k: i8[2] range -1..1 buffer output y: i8[2] entry { store y[0] = load i8x2 k[0] } }
        """, file: "")
    program.constants["k"] = [0xFF, 1]
    try program.verify(target: LoopFixtures.target())
    program.constants["k"] = [0xFE, 1]
    #expect(throws: DiagnosticList.self) { try program.verify(target: LoopFixtures.target()) }
    program.constants["k"] = [0xFF]
    #expect(throws: DiagnosticList.self) { try program.verify(target: LoopFixtures.target()) }
  }
}
