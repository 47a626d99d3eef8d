import Foundation
import IR
import Testing

@testable import Codegen

/// Every operation of the loop language on every target, at lane counts that fit the target's vectors, are twice as
/// wide, and do not fit: the interpreter's bytes.
@Suite struct OperationTests {
  static let widths = [1, 4, 8, 16, 32]

  /// Stores one value after another into output buffers by element type.
  struct Recorder {
    var builder = LoopBuilder()
    let lanes: Int
    var counts: [ElementType: Int] = [:]

    init(lanes: Int) { self.lanes = lanes }

    func vector(_ element: ElementType) -> LoopType { LoopType(element, lanes: lanes) }

    func load(_ buffer: String, _ element: ElementType, at offset: Int = 0) -> LoopValue {
      .load(buffer, .constant(offset), vector(element))
    }

    /// A load that the C compiler cannot see through, bound to a name.
    mutating func value(_ buffer: String, _ element: ElementType, at offset: Int = 0) -> LoopValue {
      builder.let(buffer, vector(element), load(buffer, element, at: offset))
    }

    mutating func record(_ value: LoopValue, _ element: ElementType, lanes: Int? = nil) {
      let place = counts[element, default: 0]
      counts[element] = place + (lanes ?? self.lanes)
      builder.store("out_\(element.rawValue)", .constant(place), value)
    }

    /// A mask becomes ones and zeros.
    mutating func record(mask: LoopValue, lanes: Int? = nil) {
      let type = LoopType(.i32, lanes: lanes ?? self.lanes)
      record(.select(mask, .constant(1, type), .constant(0, type)), .i32, lanes: lanes)
    }

    func program(_ name: String, inputs: [(String, ElementType)]) -> LoopProgram {
      let buffers =
        inputs.map { LoopBuffer($0.0, .input, $0.1, count: 128) }
        + ElementType.allCases.compactMap { element in
          counts[element].map { LoopBuffer("out_\(element.rawValue)", .output, element, count: $0) }
        }
      return LoopProgram(name: name, buffers: buffers, entry: builder.statements)
    }
  }

  /// NaN, infinities, zeros of both signs, ties and numbers at the edges of the integers.
  static func reals(seed: UInt64, special: Bool) -> [UInt8] {
    var numbers = Numbers(seed: seed)
    let specials: [Float] = [
      .nan, .infinity, -.infinity, 0, -0.0, 0.5, 1.5, -0.5, -2.5, Float(bitPattern: 0x12345), 3e9, -3e9, 2_147_483_648,
      -2_147_483_648, 255.5,
      -128.7,
    ]
    let values = (0..<128).map { place -> Float in
      // Co-prime to the lanes, so that two inputs meet in many ways.
      special && place % 3 == 0 ? specials[(place / 3 + Int(seed)) % specials.count] : Float(numbers.real())
    }
    return values.withUnsafeBytes { Array($0) }
  }

  private func run(
    _ recorder: Recorder, _ name: String, _ inputs: [(String, ElementType)], _ machine: Machine,
    _ overrides: [String: [UInt8]] = [:]
  ) async throws {
    let program = recorder.program("\(name)_\(recorder.lanes)", inputs: inputs)
    let given = program.randomInputs().merging(overrides) { $1 }
    try await expectSameBytes(program, on: machine, inputs: given)
  }

  @Test(arguments: Machine.gcc, widths)
  func floats(_ machine: Machine, _ lanes: Int) async throws {
    var recorder = Recorder(lanes: lanes)
    let a = recorder.value("a", .f32)
    let b = recorder.value("b", .f32)
    let c = recorder.value("c", .f32)
    for operation in [LoopUnary.negate, .absolute, .squareRoot, .floor, .ceiling, .round] {
      recorder.record(.unary(operation, operation == .squareRoot ? .unary(.absolute, a) : a), .f32)
    }
    for operation in [LoopBinary.add, .subtract, .multiply, .divide, .minimum, .maximum] {
      recorder.record(.binary(operation, a, c), .f32)
      recorder.record(.binary(operation, c, b), .f32)
    }
    recorder.record(.binary(.minimum, a, b), .f32)
    recorder.record(.binary(.maximum, a, b), .f32)
    recorder.record(.fma(b, c, c), .f32)
    recorder.record(.fma(c, c, a), .f32)
    for comparison in LoopCompare.allCases { recorder.record(mask: .compare(comparison, a, b)) }
    let less = recorder.builder.let("less", .mask(lanes: lanes), .compare(.less, a, b))
    let positive = recorder.builder.let("positive", .mask(lanes: lanes), .compare(.greater, c, .f32(0, lanes: lanes)))
    recorder.record(.select(less, b, c), .f32)
    for operation in [LoopBinary.and, .or, .xor] { recorder.record(mask: .binary(operation, less, positive)) }
    recorder.record(mask: .unary(.not, less))
    recorder.record(.f32(0.1, lanes: lanes), .f32)
    recorder.record(.f32(-0.0, lanes: lanes), .f32)
    recorder.record(.f32(.infinity, lanes: lanes), .f32)
    recorder.record(.splat(.load("a", 3, .f32), lanes: lanes), .f32)
    recorder.record(.splat(.load("a", 4, .f32) * .load("c", 5, .f32), lanes: lanes), .f32)
    recorder.record(.load(buffer: "c", 3, recorder.vector(.f32), mask: positive), .f32)
    recorder.record(mask: .firstLanes(.constant(lanes / 2 + 1), lanes: lanes))
    recorder.record(mask: .firstLanes(0, lanes: lanes))
    recorder.record(mask: .firstLanes(100, lanes: lanes))
    recorder.builder.store("out_f32", 1, c, mask: less)
    if lanes > 1 {
      for operation in [LoopReduction.add, .minimum, .maximum] {
        recorder.record(.reduce(operation, c), .f32, lanes: 1)
      }
      recorder.record(.reduce(.minimum, a), .f32, lanes: 1)
    }
    for mask in [less, positive] {
      recorder.record(mask: .reduce(.any, mask), lanes: 1)
      recorder.record(mask: .reduce(.all, mask), lanes: 1)
      recorder.record(.reduce(.count, mask), .i32, lanes: 1)
      recorder.record(.compress(mask, c), .f32)
      for element in [ElementType.i32, .u32] {
        let type = recorder.vector(element)
        recorder.record(.constant(7, type) + .select(mask, .constant(1, type), .constant(0, type)), element)
      }
    }
    try await run(
      recorder, "floats", [("a", .f32), ("b", .f32), ("c", .f32)], machine,
      [
        "a": OperationTests.reals(seed: 3, special: true), "b": OperationTests.reals(seed: 8, special: true),
        "c": OperationTests.reals(seed: 5, special: false),
      ])
  }

  @Test(arguments: Machine.gcc, widths)
  func integers(_ machine: Machine, _ lanes: Int) async throws {
    var recorder = Recorder(lanes: lanes)
    var inputs: [(String, ElementType)] = []
    var overrides: [String: [UInt8]] = [:]
    for element in ElementType.integers {
      let names = ("a_\(element.rawValue)", "b_\(element.rawValue)")
      let a = recorder.value(names.0, element)
      let b = recorder.value(names.1, element)
      let counts = recorder.builder.let(
        "counts", recorder.vector(element), .binary(.and, b, .constant(7, recorder.vector(element))))
      for operation in [LoopUnary.negate, .absolute, .not] { recorder.record(.unary(operation, a), element) }
      for operation in [LoopBinary.add, .subtract, .multiply, .minimum, .maximum, .and, .or, .xor] {
        recorder.record(.binary(operation, a, b), element)
      }
      recorder.record(.binary(.shiftLeft, a, counts), element)
      recorder.record(.binary(.shiftRight, a, counts), element)
      for comparison in LoopCompare.allCases { recorder.record(mask: .compare(comparison, a, b)) }
      recorder.record(.select(.compare(.less, a, b), a, b), element)
      recorder.record(.constant(77, recorder.vector(element)), element)
      recorder.record(.index(5, recorder.vector(element), step: 1), element)
      recorder.record(.index(5, recorder.vector(element), step: 0), element)
      recorder.record(.splat(.load(names.0, 3, LoopType(element)), lanes: lanes), element)
      recorder.record(
        .load(buffer: names.0, 3, recorder.vector(element), mask: .compare(.less, a, b)), element)
      if lanes > 1 {
        for operation in [LoopReduction.add, .minimum, .maximum] {
          recorder.record(.reduce(operation, a), element, lanes: 1)
        }
      }
      recorder.builder.store("out_\(element.rawValue)", 1, b, mask: .compare(.less, a, b))
      inputs += [(names.0, element), (names.1, element)]
      // The reference's integers are as wide as Swift's: the widest stay small.
      if element.byteCount < 8 {
        var full = Numbers(seed: 11)
        overrides[names.0] = (0..<(128 * element.byteCount)).map { _ in UInt8(truncatingIfNeeded: full.next()) }
      }
    }
    try await run(recorder, "integers", inputs, machine, overrides)
  }

  @Test(arguments: Machine.gcc, widths)
  func conversions(_ machine: Machine, _ lanes: Int) async throws {
    var recorder = Recorder(lanes: lanes)
    let elements: [ElementType] = [.f32, .f64, .f16, .bf16] + ElementType.integers
    var inputs: [(String, ElementType)] = [("special", .f32)]
    let special = recorder.value("special", .f32)
    for element in elements {
      let value = recorder.value("in_\(element.rawValue)", element)
      inputs.append(("in_\(element.rawValue)", element))
      let isHalf = element == .f16 || element == .bf16
      for result in elements where result != element && !(isHalf && (result == .f16 || result == .bf16)) {
        // Values are in -100...100; plain conversions must fit.
        let isDouble = (element == .f64 || element.byteCount == 8) && (result == .f16 || result == .bf16)
        if isDouble { continue }
        let fits = result.isFloat || result.integerRange?.contains(-100) == true
        if fits { recorder.record(.convert(value, recorder.vector(result), saturating: false), result) }
        if !result.isFloat { recorder.record(.convert(value, recorder.vector(result), saturating: true), result) }
      }
    }
    for result in ElementType.integers where result.byteCount <= 4 {
      recorder.record(.convert(special, recorder.vector(result), saturating: true), result)
    }
    let big = recorder.value("in_i32", .i32, at: 9)
    let scaled = big * .constant(100_000, recorder.vector(.i32))
    for result in [ElementType.i8, .u8, .i16, .u16] {
      recorder.record(.convert(scaled, recorder.vector(result), saturating: true), result)
    }
    recorder.record(.reinterpret(special, recorder.vector(.i32)), .i32)
    recorder.record(.reinterpret(special, recorder.vector(.u32)), .u32)
    recorder.record(.reinterpret(big, recorder.vector(.f32)), .f32)
    recorder.record(.reinterpret(big, recorder.vector(.u32)), .u32)
    recorder.record(big.throughBytes(lanes), .i32)
    try await run(
      recorder, "conversions", inputs, machine, ["special": OperationTests.reals(seed: 2, special: true)])
  }

  @Test(arguments: Machine.gcc, [4, 8, 16, 32])
  func lanes(_ machine: Machine, _ lanes: Int) async throws {
    var recorder = Recorder(lanes: lanes)
    for element in [ElementType.f32, .i32, .u32, .i8, .f64] {
      let name = "in_\(element.rawValue)"
      let a = recorder.value(name, element)
      let b = recorder.value(name, element, at: 40)
      let turn = (0..<lanes).map { ($0 * 3 + 1) % lanes }
      recorder.record(.shuffle(a, nil, turn), element)
      recorder.record(.shuffle(a, b, (0..<lanes).map { ($0 * 5 + 2) % (2 * lanes) }), element)
      let alternating = (0..<lanes).map { $0 / 2 + $0 % 2 * lanes }
      recorder.record(.shuffle(a, b, alternating), element)
      recorder.record(.shuffle(a, nil, [lanes - 1, 0]), element, lanes: 2)
      recorder.record(.shuffle(.load(name, 7, LoopType(element, lanes: 2)), nil, turn.map { $0 % 2 }), element)
      let order = recorder.value("order", .i32)
      recorder.record(.permute(a, order), element)
      let offsets = recorder.builder.let(
        "offsets", recorder.vector(.i32), .binary(.and, order, .constant(127, recorder.vector(.i32))))
      recorder.record(.gather(buffer: name, offsets, recorder.vector(element), mask: nil), element)
      let mask = LoopValue.compare(.less, order, .constant(3, recorder.vector(.i32)))
      recorder.record(.gather(buffer: name, offsets, recorder.vector(element), mask: mask), element)
      recorder.record(.compress(mask, a), element)
      for kept in [0, 1, lanes] {
        recorder.record(.compress(.firstLanes(.constant(kept), lanes: lanes), a), element)
      }
      recorder.record(.reduce(.count, mask), .i32, lanes: 1)
    }
    try await run(
      recorder, "lanes",
      [("in_f32", .f32), ("in_i32", .i32), ("in_u32", .u32), ("in_i8", .i8), ("in_f64", .f64), ("order", .i32)], machine
    )
  }

  @Test func emulationHasEveryIntrinsicOfTheTable() throws {
    guard case .standIn(let emulation)? = Target.avx512.launcher else {
      Issue.record("avx512 has no emulation")
      return
    }
    let texts = Array(Target.avx512.spellings.values) + Array(Target.avx512.helpers.values)
    let used = Set(texts.flatMap { Array(CIdentifiers($0)) }.filter { $0.hasPrefix("_mm512_") })
    let defined = Set(CIdentifiers(emulation.header()).filter { $0.hasPrefix("_mm512_") })
    #expect(used.subtracting(defined).sorted() == [])
  }
}

extension LoopValue {
  /// Reinterpretation to bytes and back, so that the lane count changes on the way.
  fileprivate func throughBytes(_ lanes: Int) -> LoopValue {
    lanes > 16
      ? self
      : .reinterpret(.reinterpret(self, LoopType(.i8, lanes: 4 * lanes)), LoopType(.i32, lanes: lanes))
  }
}
