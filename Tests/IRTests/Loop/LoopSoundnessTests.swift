import Testing

@testable import IR

/// Programs that come as close to safe as can be and are not: the verifier must not prove them. Each says which step of
/// the proof would let it through if it were wrong by one.
@Suite struct LoopSoundnessTests {
  typealias Case = LoopTestsVerifier.Case

  static let bounds: [Case] = [
    Case(what: "less", entry: "for i in 0 ..< 20 { if i < 13 { store y[i] = const f32 0 } }"),
    Case(what: "less or equal", entry: "for i in 0 ..< 20 { if i <= 12 { store y[i] = const f32 0 } }"),
    Case(what: "greater", entry: "for i in 0 ..< 12 { if i > 0 { store y[i - 2] = const f32 0 } }"),
    Case(what: "greater or equal", entry: "for i in 0 ..< 12 { if i >= 1 { store y[i - 2] = const f32 0 } }"),
    Case(what: "equal", entry: "for i in 0 ..< 20 { if i == 12 { store y[i] = const f32 0 } }"),
    Case(what: "not less", entry: "for i in 0 ..< 12 { if i < 1 { } else { store y[i - 2] = const f32 0 } }"),
    Case(what: "not less or equal", entry: "for i in 0 ..< 12 { if i <= 0 { } else { store y[i - 2] = const f32 0 } }"),
    Case(what: "not greater", entry: "for i in 0 ..< 20 { if i > 12 { } else { store y[i] = const f32 0 } }"),
    Case(what: "not equal to the end", entry: "for i in 0 ..< 14 { if i == 13 { } else { store y[i] = const f32 0 } }"),
    Case(
      what: "not equal to the last but one",
      entry: "for i in 0 ..< 14 { if i == 12 { } else { store y[i] = const f32 0 } }"),
    Case(
      what: "a minimum below zero",
      entry: "for i in 0 ..< 12 { for j in 0 ..< 12 { store y[min(i - 1, j)] = const f32 0 } }"),
    Case(
      what: "not both", entry: "for i in 0 ..< 20 { if i >= 2 and i < 12 { } else { store y[i] = const f32 0 } }"),
    Case(what: "a multiple in a guard", entry: "for i in 0 ..< 20 { if i * 2 <= 24 { store y[i] = const f32 0 } }"),
    Case(
      what: "a negative multiple", entry: "for i in 0 ..< 12 { if 3 - i * 2 <= 2 { store y[i - 2] = const f32 0 } }"),
    Case(what: "a remainder", entry: "for i in 0 ..< 40 { store y[mod(i, 13)] = const f32 0 }"),
    Case(what: "a quotient", entry: "for i in 0 ..< 37 { store y[div(i, 3)] = const f32 0 }"),
    Case(what: "a quotient of negatives", entry: "for i in 0 ..< 12 { store y[div(i - 1, 4)] = const f32 0 }"),
    Case(what: "a minimum", entry: "for i in 0 ..< 20 { store y[min(i, 12)] = const f32 0 }"),
    Case(what: "a maximum", entry: "for i in 0 ..< 20 { store y[max(i - 7, 0)] = const f32 0 }"),
    Case(
      what: "the less of two", entry: "for i in 0 ..< 14 { for j in 0 ..< 14 { store y[min(i, j)] = const f32 0 } }"),
    Case(what: "minus the greater", entry: "for i in 0 ..< 12 { store y[11 - max(i, 12 - i)] = const f32 0 }"),
    Case(
      what: "a triangle", entry: "for i in 0 ..< 12 { for j in i ..< 13 { store y[j - i] = const f32 0 } }"),
    Case(
      what: "a short last tile",
      entry: "for q in 0 ..< 3 { for i in q * 5 ..< min(q * 5 + 5, 13) { store y[i] = const f32 0 } }"),
    Case(what: "a step that overshoots", entry: "for i in 0 ..< 12 step 5 { store y[i] = const f32x4 0 }"),
    Case(what: "a quotient times its divisor", entry: "for i in 0 ..< 12 { store y[div(i, 5) * 5 + 2] = const f32 0 }"),
    Case(what: "a remainder of a multiple", entry: "for i in 0 ..< 12 { store y[mod(i * 4, 12) + 4] = const f32 0 }"),
    Case(
      what: "a mask that is not the first lanes",
      entry: "let m: maskx8 = lanemask 8 2 store y[6] mask or(m, lanemask 8 8) = const f32x8 0"),
    Case(
      what: "a lanemask by a name",
      entry: "for i in 0 ..< 12 step 8 { let m: maskx8 = lanemask 8 13 - i "
        + "store y[i] mask m = const f32x8 0 }"),
    Case(
      what: "a masked load", entry: "for i in 0 ..< 12 step 8 { store s[0] = load f32x8 x[i] mask lanemask 8 13 - i }"),
  ]

  @Test(arguments: bounds)
  func notProvedInside(_ wrong: Case) throws {
    let found = try LoopTestsVerifier.messages(wrong.entry)
    #expect(found.contains("not proved inside"), "\(found)")
  }

  static let values: [Case] = [
    Case(what: "or", entry: "let k: index 0..7 = or(min(load i32 n[0], const i32 8), const i32 0)", message: "0..15"),
    Case(what: "xor", entry: "let k: index 0..7 = xor(min(load i32 n[0], const i32 8), const i32 1)", message: "0..15"),
    Case(what: "and", entry: "let k: index 0..4 = and(load i32 n[0], const i32 5)", message: "0..5"),
    Case(
      what: "and of what may be negative",
      entry: "let k: index 0..5 = and(sub(load i32 n[0], const i32 1), const i32 6)",
      message: "0..6"),
    Case(what: "adding", entry: "let k: index 0..21 = add(load i32 n[0], load i32 n[1])", message: "0..22"),
    Case(what: "subtracting", entry: "let k: index 0..11 = sub(load i32 n[0], load i32 n[1])", message: "-11..11"),
    Case(
      what: "multiplying by a negative",
      entry: "let k: index 0..11 = add(mul(load i32 n[0], const i32 -1), const i32 10)", message: "-1..10"),
    Case(what: "negating", entry: "let k: index 0..11 = neg(load i32 n[0])", message: "-11..0"),
    Case(
      what: "the absolute value", entry: "let k: index 0..7 = abs(sub(load i32 n[0], const i32 3))", message: "0..8"),
    Case(what: "shifting left", entry: "let k: index 0..43 = shl(load i32 n[0], const i32 2)", message: "0..44"),
    Case(what: "shifting right", entry: "let k: index 0..4 = shr(load i32 n[0], const i32 1)", message: "0..5"),
    Case(
      what: "selecting",
      entry: "let k: index 0..11 = select(lt(load f32 x[0], const f32 0), load i32 n[0], const i32 12)",
      message: "0..12"),
    Case(
      what: "counting", entry: "let k: index 0..7 = reduce count lt(load f32x8 x[0], const f32x8 0)", message: "0..8"),
    Case(what: "summing lanes", entry: "let k: index 0..43 = reduce add load i32x4 n[0]", message: "0..44"),
    Case(
      what: "counting up by lanes", entry: "store n[0] = iota i32x4 9",
      message: "n holds 0..11, and the value can be 9..12"),
    Case(
      what: "saturating", entry: "let k: index 0..126 = convert i32 saturate i8 mul(load i32 n[0], const i32 50)",
      message: "0..127"),
    Case(
      what: "a number from nowhere", entry: "let k: index 0..11 = bits i32 load f32 x[0]",
      message: "-2147483648..2147483647"),
    Case(
      what: "lanes left out of a load",
      entry: "call f(&n[0])",
      functions: """
        func f(m: inout i32[4] range 0..11) {
          var r: i32x4 range 1..11 = max(load i32x4 m[0], const i32x4 1)
          store m[0] = sub(compress(lt(r, const i32x4 5), r), const i32x4 1)
        }
        """, message: "m holds 0..11, and the value can be -1..10"),
    Case(
      what: "masked lanes",
      entry: "call f(&n[0])",
      functions: """
        func f(m: inout i32[4] range 1..11) { store m[0] = load i32x4 m[0] mask lanemask 4 2 }
        """, message: "m holds 1..11, and the value can be 0..11"),
  ]

  @Test(arguments: values)
  func notProvedInRange(_ wrong: Case) throws {
    let found = try LoopTestsVerifier.messages(wrong.entry, functions: wrong.functions)
    #expect(found.contains(wrong.message), "\(found)")
  }

  static let races: [Case] = [
    Case(
      what: "two stores a stride apart",
      entry: "for i in 0 ..< 4 parallel { store y[i * 2] = const f32 0 store y[i * 2 + 2] = const f32 0 }"),
    Case(what: "a vector wider than the stride", entry: "for i in 0 ..< 3 parallel { store y[i * 3] = const f32x4 0 }"),
    Case(
      what: "an inner loop", entry: "for i in 0 ..< 4 parallel { for k in 0 ..< 4 { store y[i + k] = const f32 0 } }"),
    Case(
      what: "an inner loop one too long",
      entry: "for i in 0 ..< 3 parallel { for k in 0 ..< 4 { store y[i * 3 + k] = const f32 0 } }"),
    Case(
      what: "a strided inner loop one too long",
      entry: "for i in 0 ..< 4 parallel { for k in 0 ..< 3 { store y[k * 3 + i] = const f32 0 } }"),
    Case(
      what: "two strides", entry: "for i in 0 ..< 4 parallel { store t[i] = const f32 0 store t[i * 2] = const f32 0 }"),
    Case(what: "one place", entry: "for i in 0 ..< 4 parallel { store y[3] = const f32 0 }"),
    Case(what: "the remainder alone", entry: "for q in 0 ..< 12 parallel { store y[mod(q, 6)] = const f32 0 }"),
    Case(what: "the quotient alone", entry: "for q in 0 ..< 12 parallel { store y[div(q, 2)] = const f32 0 }"),
    Case(
      what: "quotient and remainder by other numbers",
      entry: "for q in 0 ..< 12 parallel { store y[mod(q, 3) + div(q, 4) * 3] = const f32 0 }"),
    Case(
      what: "digits that overlap",
      entry: "for q in 0 ..< 12 parallel { store y[mod(q, 3) + div(q, 3) * 2] = const f32 0 }"),
    Case(
      what: "digits that carry",
      entry: """
        for q in 0 ..< 3 parallel {
          for j in 0 ..< 2 { for k in 0 ..< 2 { store y[q * 2 + j + k * 5] = const f32 0 } }
        }
        """),
    Case(
      what: "a read against the writes",
      entry: "for i in 0 ..< 4 parallel { store t[i + 4] = reduce add load f32x4 t[3 - i] }"),
    Case(
      what: "a gather",
      entry: "for i in 0 ..< 4 parallel { store t[i] = gather f32 t[and(load i32 n[0], const i32 3)] }"),
    Case(
      what: "a masked store",
      entry: "for i in 0 ..< 3 parallel { let m: maskx4 = lanemask 4 4 store t[i * 3] mask m = const f32x4 0 }"),
    Case(
      what: "a mask that grows",
      entry: "for i in 0 ..< 3 parallel { store t[i * 3] mask lanemask 4 i + 2 = const f32x4 0 }"),
    Case(
      what: "two views of one buffer", entry: "for i in 0 ..< 4 parallel { call f(&t[i], &t[i + 4]) }",
      functions: "func f(a: in f32[4], b: out f32[4]) { store b[0] = load f32 a[3] store b[3] = const f32 0 }"),
    Case(
      what: "a condition that reads",
      entry: "for i in 0 ..< 4 parallel { if value lt(load f32 t[0], const f32 0) { } store t[i] = const f32 0 }"),
    Case(
      what: "a loop's condition that reads",
      entry:
        "for i in 0 ..< 4 parallel { for k in 0 ..< 2 while lt(load f32 t[3 - i], const f32 0) { } store t[i] = const f32 0 }"
    ),
    Case(
      what: "one of two branches",
      entry: "for i in 0 ..< 4 parallel { if i < 2 { store t[i] = const f32 0 } else { store t[i - 1] = const f32 0 } }"
    ),
    Case(
      what: "a mask that is read",
      entry:
        "for i in 0 ..< 3 parallel { store t[i * 4] mask lt(load f32x4 t[0], const f32x4 0) = const f32x4 0 }"),
    Case(
      what: "an inner layer", entry: "for i in 0 ..< 4 parallel { layer \"l\" { store t[0] = const f32 0 } }"),
  ]

  @Test(arguments: races)
  func notProvedFreeOfRaces(_ wrong: Case) throws {
    let found = try LoopTestsVerifier.messages(wrong.entry, functions: wrong.functions)
    #expect(found.contains("of the parallel loop may"), "\(found)")
  }

  static let calls: [Case] = [
    Case(
      what: "views that meet in one element", entry: "call f(&t[0], &t[3])",
      functions: "func f(a: in f32[4], b: out f32[4]) { store b[0] = load f32 a[3] }", message: "may overlap"),
    Case(
      what: "views that meet the other way round", entry: "call f(&t[3], &t[0])",
      functions: "func f(a: in f32[4], b: out f32[4]) { store b[3] = load f32 a[0] }", message: "may overlap"),
    Case(
      what: "the same start and another length", entry: "call f(&t[0], &t[0])",
      functions: "func f(a: in f32[8], b: out f32[4]) { store b[0] = load f32 a[1] }", message: "may overlap"),
    Case(
      what: "a view that moves", entry: "for i in 0 ..< 9 { call f(&t[i], &t[4]) }",
      functions: "func f(a: in f32[4], b: out f32[4]) { store b[0] = load f32 a[0] }", message: "may overlap"),
    Case(
      what: "a view one too far", entry: "for i in 0 ..< 6 { call f(&t[i * 2 - 1]) }",
      functions: "func f(a: in f32[2]) { }", message: "not proved to be in t"),
    Case(
      what: "a view one too long", entry: "for i in 0 ..< 6 { call f(&t[i * 2]) }",
      functions: "func f(a: in f32[3]) { }", message: "not proved to be in t"),
    Case(
      what: "a wider range handed back", entry: "call f(&n[0])",
      functions: "func f(a: out i32[4] range 0..12) { store a[0] = const i32 12 }", message: "a may get 0..12"),
  ]

  @Test(arguments: calls)
  func notProvedAllowed(_ wrong: Case) throws {
    let found = try LoopTestsVerifier.messages(wrong.entry, functions: wrong.functions)
    #expect(found.contains(wrong.message), "\(found)")
  }
}
