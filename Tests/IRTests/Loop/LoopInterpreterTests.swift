import Testing

@testable import IR

/// The interpreter's corners: halves, reductions, wrapping, the two meanings of fma, functions alone.
@Suite struct LoopTestsInterpreter {
  private func evaluate<T: BitwiseCopyable>(
    _ value: String, _ type: LoopType, as result: T.Type, fuses: Bool = true,
    x: [Float] = [Float](repeating: 0, count: 16)
  ) throws -> [T] {
    let element = type.element?.rawValue ?? ""
    let program = try LoopProgram(
      parsing: """
        program p { buffer input x: f32[16] buffer output y: \(element)[\(type.lanes)]
          entry { store y[0] = \(value) } }
        """, file: "value.vil")
    let target = LoopFixtures.target(fuses: fuses)
    try program.verify(target: target)
    let outputs = try LoopInterpreter(program: program, target: target).run(["x": x.bytes])
    return try #require(outputs["y"]).values(T.self)
  }

  @Test func halvesComeBack() {
    for bits in UInt16.min...UInt16.max {
      let value = HalfFloat.float(f16: bits)
      if value.isNaN {
        #expect(bits & 0x7FFF > 0x7C00)
      } else if HalfFloat.f16(value) != bits {
        Issue.record("f16 \(bits) became \(HalfFloat.f16(value))")
      }
      let brain = HalfFloat.float(bf16: bits)
      if !brain.isNaN && HalfFloat.bf16(brain) != bits { Issue.record("bf16 \(bits)") }
    }
  }

  @Test func halvesRoundToEven() {
    for bits in UInt16(0)..<0x7BFF {
      let (low, high) = (HalfFloat.float(f16: bits), HalfFloat.float(f16: bits + 1))
      let middle = (low + high) / 2
      let even = bits & 1 == 0 ? bits : bits + 1
      if HalfFloat.f16(middle) != even { Issue.record("the middle above \(bits)") }
      if HalfFloat.f16(middle.nextUp) != bits + 1 { Issue.record("beyond the middle above \(bits)") }
      if HalfFloat.f16(middle.nextDown) != bits { Issue.record("before the middle above \(bits)") }
    }
    #expect(HalfFloat.f16(65519.996) == 0x7BFF)
    #expect(HalfFloat.f16(65520) == 0x7C00)
    #expect(HalfFloat.f16(-1e-9) == 0x8000)
    #expect(HalfFloat.bf16(Float(bitPattern: 0x3F80_8000)) == 0x3F80)
    #expect(HalfFloat.bf16(Float(bitPattern: 0x3F81_8000)) == 0x3F82)
    #expect(HalfFloat.float(bf16: HalfFloat.bf16(.nan)).isNaN)
  }

  @Test func fmaRoundsOnceOrTwice() throws {
    var x = [Float](repeating: 0, count: 16)
    x[0] = 1 + 0x1p-12
    x[8] = -(1 + 0x1p-11)
    for lanes in [1, 2, 8] {
      let type = LoopType(.f32, lanes: lanes)
      let value = "fma(load \(type) x[0], load \(type) x[0], load \(type) x[8])"
      #expect(try evaluate(value, type, as: Float.self, fuses: true, x: x)[0] == 0x1p-24)
      #expect(try evaluate(value, type, as: Float.self, fuses: false, x: x)[0] == 0)
    }
  }

  @Test func reductionsHalve() throws {
    let x = (0..<16).map { Float(1) / Float(3 + $0 * $0) }
    var tree = x
    while tree.count > 1 { tree = (0..<tree.count / 2).map { tree[$0] + tree[$0 + tree.count / 2] } }
    #expect(try evaluate("reduce add load f32x16 x[0]", .f32, as: Float.self, x: x) == tree)
    #expect(try evaluate("reduce max load f32x16 x[0]", .f32, as: Float.self, x: x) == [x[0]])
    #expect(try evaluate("reduce min load f32x4 x[12]", .f32, as: Float.self, x: x) == [x[15]])
  }

  @Test func minimumAndMaximumReturnTheSecond() throws {
    var x = [Float](repeating: 1, count: 16)
    x[0] = .nan
    for lanes in [1, 8] {
      let type = LoopType(.f32, lanes: lanes)
      #expect(try evaluate("min(load \(type) x[0], const \(type) 2)", type, as: Float.self, x: x)[0] == 2)
      #expect(try evaluate("max(const \(type) 2, load \(type) x[0])", type, as: Float.self, x: x)[0].isNaN)
      #expect(try evaluate("min(const \(type) 0, const \(type) -0x0p0)", type, as: Float.self)[0].sign == .minus)
    }
  }

  @Test func integersWrapAndSaturate() throws {
    let bytes = LoopType(.i8, lanes: 4)
    #expect(try evaluate("add(const i8x4 127, const i8x4 1)", bytes, as: Int8.self) == [-128, -128, -128, -128])
    #expect(try evaluate("saturate i8x4 const i32x4 300", bytes, as: Int8.self)[0] == 127)
    #expect(try evaluate("convert i8x4 const i32x4 300", bytes, as: Int8.self)[0] == 44)
    #expect(try evaluate("saturate i8x4 const f32x4 nan", bytes, as: Int8.self)[0] == 0)
    #expect(try evaluate("saturate u8x4 const f32x4 -3.9", bytes.with(.u8), as: UInt8.self)[0] == 0)
    #expect(try evaluate("convert i8x4 const f32x4 -3.9", bytes, as: Int8.self)[0] == -3)
    #expect(try evaluate("shr(const i8x4 -5, const i8x4 1)", bytes, as: Int8.self)[0] == -3)
    #expect(try evaluate("shr(const u8x4 251, const u8x4 1)", bytes.with(.u8), as: UInt8.self)[0] == 125)
    #expect(try evaluate("bits i32 const f32 1", .i32, as: Int32.self) == [0x3F80_0000])
    #expect(try evaluate("permute(iota i32x4 5, const i32x4 6)", LoopType(.i32, lanes: 4), as: Int32.self)[3] == 7)
    let kept = "gt(iota i32x8 0, const i32x8 4)"
    let front = try evaluate("compress(\(kept), iota i32x8 10)", LoopType(.i32, lanes: 8), as: Int32.self)
    #expect(front == [15, 16, 17, 0, 0, 0, 0, 0])
    #expect(try evaluate("reduce count \(kept)", .i32, as: Int32.self) == [3])
    #expect(throws: DiagnosticList.self) {
      try evaluate("compress(iota i32x8 0, iota i32x8 0)", LoopType(.i32, lanes: 8), as: Int32.self)
    }
    #expect(throws: DiagnosticList.self) {
      try evaluate("compress(lanemask 4 1, iota i32x8 0)", LoopType(.i32, lanes: 8), as: Int32.self)
    }
    #expect(throws: DiagnosticList.self) { try evaluate("reduce count iota i32x8 0", .i32, as: Int32.self) }
    #expect(try evaluate("convert f16x4 const f32x4 0x1p-24", bytes.with(.f16), as: UInt16.self)[1] == 1)
    #expect(try evaluate("round(const f32 2.5)", .f32, as: Float.self) == [2])
  }

  @Test func runsOneFunction() throws {
    let program = try LoopProgram(
      parsing: """
        program p { func scale(by: index 1..4, x: inout f32[3]) {
          for i in 0 ..< 3 { store x[i] = mul(load f32 x[i], convert f32 index i32 by) } } entry { } }
        """, file: "function.vil")
    let interpreter = try LoopInterpreter(program: program, target: LoopFixtures.target())
    let views = try interpreter.call("scale", [.index(3), .view(([1, 2, 3] as [Float]).bytes)])
    #expect(views == [([3, 6, 9] as [Float]).bytes])
    #expect(throws: Diagnostic.self) { try interpreter.call("scale", [.index(3)]) }
  }

  @Test func scratchDoesNotCarryOver() throws {
    let program = try LoopProgram(
      parsing: """
        program p { buffer scratch s: f32[1] buffer output y: f32[4] entry {
          store s[0] = const f32 1
          for i in 0 ..< 4 parallel { store y[i] = load f32 s[0] } } }
        """, file: "scratch.vil")
    let outputs = try LoopInterpreter(program: program, target: LoopFixtures.target()).run(floats: [:])
    #expect(outputs["y"]?.allSatisfy(\.isNaN) == true)
  }

  @Test func inputsAreChecked() throws {
    let interpreter = try LoopInterpreter(
      program: try LoopFixtures.program("parallel_rows"), target: LoopFixtures.target())
    #expect(throws: Diagnostic.self) { try interpreter.run(floats: [:]) }
    #expect(throws: Diagnostic.self) { try interpreter.run(floats: ["x": [1]]) }
    #expect(throws: Diagnostic.self) { try interpreter.run(floats: ["z": [1]]) }
  }
}

extension LoopType {
  fileprivate func with(_ element: ElementType) -> LoopType { LoopType(element, lanes: lanes) }
}
