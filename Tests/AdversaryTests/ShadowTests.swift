import IR
import Testing

/// The checked execution finds each kind of fault, and finds nothing in the programs beside.
@Suite struct ShadowTests {
  struct Case: CustomStringConvertible, Sendable {
    var kind: LoopFault.Kind?
    var entry: String
    var functions = ""

    var description: String { entry }
  }

  private static let buffers = """
    buffer input x: f32[12]
    buffer input n: i32[12]
    buffer output y: f32[12]
    buffer arena t: f32[12]
    buffer arena r: i32[4] range 0..9
    buffer scratch s: f32[4]
    """

  private static let fill = "for f in 0 ..< 12 { store y[f] = const f32 0 } "

  static let cases: [Case] = [
    Case(kind: nil, entry: fill),
    Case(kind: .unwrittenOutput, entry: "for f in 0 ..< 11 { store y[f] = const f32 0 }"),
    Case(kind: .outside, entry: fill + "for i in 0 ..< 13 { store y[i] = const f32 0 }"),
    Case(kind: .outside, entry: fill + "store y[0] = load f32 x[0 - 1]"),
    Case(kind: .outside, entry: fill + "let v: f32x8 = load f32x8 x[5]"),
    Case(kind: nil, entry: fill + "let v: f32x8 = load f32x8 x[5] mask lanemask 8 7"),
    Case(kind: .outside, entry: fill + "let v: f32x4 = gather f32x4 x[iota i32x4 9]"),
    Case(kind: nil, entry: fill + "let v: f32x4 = gather f32x4 x[iota i32x4 9] mask lanemask 4 3"),
    Case(kind: .uninitialised, entry: fill + "store y[0] = load f32 t[3]"),
    Case(kind: nil, entry: fill + "store t[3] = const f32 1 store y[0] = load f32 t[3]"),
    Case(kind: .race, entry: fill + "for i in 0 ..< 2 parallel { store y[0] = const f32 1 }"),
    Case(kind: .race, entry: fill + "for i in 0 ..< 4 parallel { store y[i] = load f32 y[mod(i + 1, 4)] }"),
    Case(kind: .race, entry: fill + "for i in 1 ..< 4 parallel { store y[i] = load f32 y[i - 1] }"),
    Case(kind: nil, entry: fill + "for i in 0 ..< 4 parallel { store y[i] = load f32 y[i + 4] }"),
    Case(
      kind: .uninitialised,
      entry: fill + "store s[0] = const f32 1 "
        + "for i in 0 ..< 2 parallel { store y[i] = load f32 s[0] }"),
    Case(
      kind: .uninitialised,
      entry: fill + "for i in 0 ..< 2 parallel { if i == 0 { store s[0] = const f32 1 } "
        + "store y[i] = load f32 s[0] }"),
    Case(
      kind: .uninitialised,
      entry: fill + "for i in 0 ..< 2 parallel { store s[0] = const f32 1 } "
        + "store y[0] = load f32 s[0]"),
    Case(kind: nil, entry: fill + "for i in 0 ..< 2 parallel { store s[0] = const f32 1 store y[i] = load f32 s[0] }"),
    Case(kind: .indexSize, entry: fill + "for i in 0 ..< 3 { store y[mod(i * 2147483647, 12)] = const f32 0 }"),
    Case(kind: nil, entry: fill + "for i in 0 ..< 2 { store y[mod(i * 2147483647, 12)] = const f32 0 }"),
    Case(kind: .indexSize, entry: fill + "for i in 2147483640 ..< 2147483647 step 5 { }"),
    Case(kind: .range, entry: fill + "store r[0] = const i32 10"),
    Case(kind: .range, entry: fill + "let k: index 0..3 = const i32 4"),
    Case(
      kind: .range,
      entry: fill
        + "var k: i32 range 0..3 = const i32 0 k = const i32 0 - 1"
        .replacingOccurrences(of: "const i32 0 - 1", with: "const i32 -1")),
    Case(kind: .shift, entry: fill + "let k: i32 = shl(const i32 1, const i32 32)"),
    Case(kind: .register, entry: fill + "var a: f32[3] = const f32 0 for i in 0 ..< 4 { a[i] = const f32 1 }"),
    Case(kind: .sharedRegister, entry: fill + "var a: f32 = const f32 0 for i in 0 ..< 2 parallel { a = const f32 1 }"),
    Case(kind: .argument, entry: fill + "call f(&x[9], 1, &y[0])", functions: function),
    Case(kind: .argument, entry: fill + "call f(&x[0], 4, &y[0])", functions: function),
    Case(kind: .overlap, entry: fill + "call f(&y[1], 1, &y[0])", functions: function),
    Case(kind: nil, entry: fill + "call f(&y[0], 1, &y[0]) call f(&x[8], 0, &y[8])", functions: function),
    Case(kind: .outside, entry: fill + "call f(&x[0], 2, &y[0])", functions: function),
  ]

  private static let function = """
    func f(a: in f32[4], k: index 0..3, b: out f32[4]) {
      let v: f32 = load f32 a[k + 2]
      store b[k] = v
    }
    """

  @Test(arguments: cases) func finds(_ example: Case) throws {
    let text = "program p { \(Self.buffers) \(example.functions) entry { \(example.entry) } }"
    let program = try LoopProgram(parsing: text, file: "p.vil")
    let inputs = RandomInputs.make(for: program, seed: 1, flavour: 0)
    let execution = try ShadowExecution(program: program, target: .avx2)
    var found: LoopFault?
    do {
      try execution.run(inputs, budget: 10_000)
    } catch let fault as LoopFault {
      found = fault
    }
    #expect(found?.kind == example.kind, "\(found.map(\.description) ?? "no fault")")
  }
}
