import Testing

@testable import IR

/// Floats become integers only where they are proved to fit: in C anything else is undefined.
@Suite struct LoopConversionTests {
  /// A value of a type that holds `x`, an unknown float, and what is said of its conversion; nothing where it fits.
  static let cases: [(value: String, type: String, said: String?)] = [
    ("x", "i32", "has no bounds that are known"),
    ("min(max(x, const f32 -100), const f32 100)", "i8", nil),
    ("min(max(x, const f32 -129), const f32 100)", "i8", "can be -129.0..100.0"),
    ("min(max(x, const f32 -128.5), const f32 127.5)", "i8", nil),
    ("min(max(x, const f32 -100), const f32 128)", "i8", "can be -100.0..128.0"),
    ("min(max(x, const f32 -0.5), const f32 255.5)", "u8", nil),
    ("min(max(x, const f32 -1), const f32 255.5)", "u8", "can be -1.0..255.5"),
    // The second operand is what remains of a NaN, so a bound that comes first is none.
    ("min(max(const f32 -100, x), const f32 100)", "i8", nil),
    ("min(const f32 100, max(x, const f32 -100))", "i8", nil),
    ("max(const f32 -100, min(const f32 100, x))", "i8", "has no bounds"),
    ("min(const f32 100, max(const f32 -100, x))", "i8", "has no bounds"),
    ("max(x, const f32 -100)", "i8", "has no bounds"),
    ("min(x, const f32 100)", "i8", "has no bounds"),
    ("max(min(x, const f32 100), const f32 -100)", "i8", nil),
    // A NaN above takes the bound of the second operand, whatever the first one's.
    ("min(min(const f32 3, max(const f32 -100, x)), const f32 200)", "i8", "can be -100.0..200.0"),
    ("round(mul(min(max(x, const f32 -10), const f32 10), const f32 12.7))", "i8", nil),
    ("round(mul(min(max(x, const f32 -10), const f32 10), const f32 12.76))", "i8", "can be -128.0..128.0"),
    ("mul(min(max(x, const f32 -10), const f32 10), const f32 -12.9)", "i8", "can be -129.0"),
    ("add(min(max(x, const f32 0), const f32 1), const f32 126.5)", "i8", nil),
    ("add(min(max(x, const f32 0), const f32 1), const f32 127)", "i8", "can be"),
    ("sub(const f32 -127, min(max(x, const f32 0), const f32 1))", "i8", nil),
    ("sub(const f32 -128, min(max(x, const f32 0), const f32 1))", "i8", "can be -129.0"),
    ("fma(min(max(x, const f32 -1), const f32 1), const f32 60, const f32 60)", "i8", nil),
    ("fma(min(max(x, const f32 -1), const f32 1), const f32 60, const f32 69)", "i8", "can be"),
    ("neg(min(max(x, const f32 -128), const f32 0))", "i8", "can be"),
    ("abs(min(max(x, const f32 -127), const f32 10))", "u8", nil),
    ("abs(min(max(x, const f32 -256), const f32 10))", "u8", "can be 0.0..256.0"),
    ("floor(min(max(x, const f32 -0.5), const f32 10))", "u8", "can be -1.0..10.0"),
    ("ceil(min(max(x, const f32 0), const f32 127.5))", "i8", "can be 0.0..128.0"),
    ("select(lt(x, const f32 0), const f32 5, min(max(x, const f32 0), const f32 200))", "i8", "can be 0.0..200.0"),
    ("select(lt(x, const f32 0), const f32 5, min(max(x, const f32 0), const f32 100))", "i8", nil),
    ("min(max(x, const f32 0), div(const f32 1, const f32 0))", "i8", "has no bounds"),
    ("sqrt(min(max(x, const f32 0), const f32 4))", "i8", "has no bounds"),
    ("convert f32 n", "i8", "can be"),
    ("convert f32 min(max(n, const i32 -3), const i32 120)", "i8", nil),
    ("min(max(x, const f32 -2147483648), const f32 2147483520)", "i32", nil),
    ("min(max(x, const f32 -2147483648), const f32 2147483648)", "i32", "can be"),
    ("min(max(x, const f32 -9223372036854775808), const f32 9223371487098961920)", "i64", nil),
    ("min(max(x, const f32 0), const f32 9223372036854775808)", "i64", "can be"),
    ("min(max(x, const f32 0), const f32 9223372036854775808)", "u64", nil),
    ("min(max(x, const f32 0), const f32 18446744073709551616)", "u64", "can be"),
    ("min(max(x, const f32 nan), const f32 100)", "i8", "has no bounds"),
  ]

  private func messages(_ program: LoopProgram) throws -> String {
    do {
      try program.verify(target: LoopFixtures.target())
      return ""
    } catch let list as DiagnosticList {
      return list.description
    }
  }

  @Test(arguments: cases.indices)
  func conversion(_ index: Int) throws {
    let (value, type, said) = Self.cases[index]
    for isNamed in [false, true] {
      let entry =
        isNamed ? "let v: f32 = \(value) store y[0] = convert \(type) v" : "store y[0] = convert \(type) \(value)"
      let program = try LoopProgram(
        parsing: """
          program p { buffer input a: f32[1] buffer input b: i32[1] buffer output y: \(type)[1]
            entry { let x: f32 = load f32 a[0] let n: i32 = load i32 b[0] \(entry) } }
          """, file: "")
      let found = try messages(program)
      if let said {
        #expect(found.contains("the float converted to \(type) \(said)"), "\(value): \(found)")
      } else {
        #expect(found.isEmpty, "\(value): \(found)")
      }
    }
  }

  @Test func saturatingNeedsNoBounds() throws {
    #expect(
      try LoopTestsVerifier.messages("store n[0] = min(max(saturate i32 load f32 x[0], const i32 0), const i32 9)")
        .isEmpty)
  }

  /// Registers change: nothing is known of them.
  @Test func registersHaveNoBounds() throws {
    let found = try LoopTestsVerifier.messages(
      "var r: f32 = const f32 1 for i in 0 ..< 3 { r = mul(r, load f32 x[i]) } "
        + "store n[0] = min(max(convert i32 r, const i32 0), const i32 9)")
    #expect(found.contains("the float converted to i32 has no bounds that are known"), "\(found)")
  }

  /// The exponential is what kernels convert in: its clamp is the proof, in every width and as a formula.
  @Test(arguments: [1, 4, 8, 16])
  func exponentialFits(_ lanes: Int) throws {
    let type = LoopType(.f32, lanes: lanes)
    var builder = LoopBuilder()
    let value = LoopMath.exp(&builder, .load("a", 0, type), lanes: lanes)
    builder.store("b", 0, value)
    let program = LoopProgram(
      name: "p",
      buffers: [LoopBuffer("a", .input, .f32, count: lanes), LoopBuffer("b", .output, .f32, count: lanes)],
      functions: [], entry: builder.statements)
    let found = try messages(program)
    #expect(found.isEmpty, "\(found)")
  }
}
