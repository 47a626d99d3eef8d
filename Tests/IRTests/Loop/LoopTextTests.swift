import Testing

@testable import IR

/// The text form: every case there and back, and where mistakes are reported.
@Suite struct LoopTestsText {
  static let everything = """
    program everything {
      buffer input x: f32[16] align 4
      buffer arena n: i32[8] range -3..7
      buffer output y: f32[16]
      value constant(): maskx4 {
        return not(m)
      }
      value g_f32x8(value: f32x8, b: maskx8): f32x8 {
        let let_: f32x8 = apply g(value, b)
        return apply constant()
      }
      func f(i: index -1..3, a: in f32[4], b: inout i32[8] range -3..7) {
        prefetch a[max(i, 0)]
      }
      entry {
        layer "a \\"quoted\\" \\\\ name" {
          for i in 0 - 1 ..< (4 + 2) * 2 - (3 - 1) step 3 unrolled {
            if i - (2 + 1) < 4 and div(i, 3) >= mod(i + -2, 5) {
              call f(i * 2, &x[i + 1 * -2], &n[min(i, 0)])
            } else {
              let a: f32x8 = fma(load f32x8 x[0] mask lanemask 8 i, splat 8 const f32 0x1.999999999999ap-4, neg(v))
            }
          }
          for r in 0 ..< 9 while all_done {
            let k: index -3..7 = load i32 n[r]
            var acc: f32x4[3] = const f32x4 -inf
            var c: i32 range 0..9 = index i32 k + 1
            acc[1] = shuffle [3, 2, 1, 0](acc[0])
            acc[2] = shuffle [0, 7, 2, 5](acc[0], acc[1])
            c = reduce max iota i32x8 k
            c = reduce count compress(m, n)
            store y[0] mask not(or(a, lt(b, c))) = gather f32x4 x[permute(p, q)] mask m
            if value reduce any ge(a, b) {
              store y[1] = select(m, bits f32 convert i32 a, saturate i8 round(b))
            }
          }
          index = load i32 n[value]
          mask[0] = gather i32x8 n[load]
          mask = const f32 1
          let min: f32 = index
          if value < min(step, 3) and value >= and {
            store y[0] mask mask = splat
          }
          y = instr dot(a, b, shl(c, const i32 2))
        }
      }
    }

    """

  @Test func roundTrips() throws {
    let program = try LoopProgram(parsing: Self.everything, file: "a.vil")
    let text = program.text
    let again = try LoopProgram(parsing: text, file: "b.vil")
    #expect(again.entry == program.entry)
    #expect(again.valueFunctions == program.valueFunctions)
    #expect(again.functions == program.functions)
    #expect(again.buffers == program.buffers)
    #expect(again.text == text)
  }

  @Test(arguments: [
    0, -0.0, 1, 0.1, -3.75, 0x1p-1074, 2.2250738585072014e-308, 1.7976931348623157e308, .infinity, -.infinity,
  ])
  func floatsAreExact(_ number: Double) throws {
    let value = LoopValue.constant(number, LoopType(.f32, lanes: 8))
    let program = LoopProgram(name: "p", entry: [.letValue("a", .f32, value)])
    let again = try LoopProgram(parsing: program.text, file: "")
    guard case .letValue(_, _, .constant(let read, _)) = again.entry[0] else {
      Issue.record("no constant came back")
      return
    }
    #expect(read.bitPattern == number.bitPattern)
  }

  @Test(arguments: [
    ("program p { entry { for i in 0 .. 4 { } } }", "a.vil:1:32: found '..', expected '..<'"),
    ("program p {\n  buffer heap x: f32[4]\n entry { } }", "a.vil:2:10: found 'heap', expected a buffer's class"),
    ("program p { entry { x[0] = ad(a, b) } }", "a.vil:1:28: no operation is called ad"),
    ("program p { value f() f32 { return a } entry { } }", "a.vil:1:23: found 'f32', expected ':'"),
    ("program p { value f(): f32 { store y[0] = a } }", "a.vil:1:30: found 'store', expected 'let' or 'return'"),
    ("program p { value f(a: f31): f32 { return a } }", "a.vil:1:24: found 'f31', expected a type"),
    ("program p { entry { a = add(b) } }", "a.vil:1:25: add takes 2 operands, found 1"),
    ("program p { entry { if i < 2 or j < 3 { } } }", "a.vil:1:30: found 'or', expected 'and' or '{'"),
    ("program p { entry { store y[i * j] = a } }", "a.vil:1:33: an index is multiplied by an integer, found 'j'"),
    ("program p { entry { let a: f33 = b } }", "a.vil:1:28: found 'f33', expected a type such as"),
    ("program p { entry { let a: index 4..2 = b } }", "a.vil:1:34: the range 4..2 is empty"),
    ("program p { entry { layer \"abc } }", "a.vil:1:27: the string has no closing quote"),
    ("program p { entry { a = const f32 ? } }", "a.vil:1:35: '?' begins no word"),
    ("program p { entry { ", "a.vil:1:21: found the end of the file, expected a statement or '}'"),
    ("program p { entry { } } more", "a.vil:1:25: found 'more', expected the end of the file"),
    ("program p { // nothing\n}", "a.vil:2:1: found '}', expected 'buffer', 'value', 'func' or 'entry'"),
    ("program p { entry { for i in 0 ..< n while a { } } }", "a.vil:1:30: a loop with 'while' runs from 0"),
    ("program p { entry { store y[99999999999999999999] = a } }", "a.vil:1:29: 99999999999999999999 is not"),
  ])
  func locatesMistakes(_ text: String, _ message: String) throws {
    let diagnostic = #expect(throws: Diagnostic.self) { try LoopProgram(parsing: text, file: "a.vil") }
    #expect(diagnostic?.description.hasPrefix(message) == true, "\(diagnostic?.description ?? "")")
  }
}
