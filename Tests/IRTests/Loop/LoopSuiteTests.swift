import Testing

@testable import IR

/// The programs of `Tests/Fixtures/loops` against references written without the loop language.
@Suite struct LoopTestsSuite {
  @Test(arguments: LoopFixtures.names)
  func printsAndVerifies(_ name: String) throws {
    let program = try LoopFixtures.program(name)
    let again = try LoopProgram(parsing: program.text, file: "again.vil")
    #expect(again.text == program.text)
    #expect(again.entry == program.entry)
    #expect(again.functions == program.functions)
    #expect(again.valueFunctions == program.valueFunctions)
    #expect(again.buffers == program.buffers)
    try program.verify(target: LoopFixtures.target())
  }

  /// Runs with every poison and both orders of parallel loops, expecting the same bytes.
  private func run(_ name: String, _ inputs: [String: [UInt8]], fuses: Bool = true) throws -> [String: [UInt8]] {
    let interpreter = try LoopInterpreter(
      program: try LoopFixtures.program(name), target: LoopFixtures.target(fuses: fuses))
    let outputs = try interpreter.run(inputs)
    for poison in [LoopPoison.zeros, .random(seed: 1), .random(seed: 2)] {
      #expect(try interpreter.run(inputs, poison: poison) == outputs)
    }
    #expect(try interpreter.run(inputs, reversesParallelLoops: true) == outputs)
    return outputs
  }

  @Test(arguments: [true, false])
  func product(fuses: Bool) throws {
    var numbers = TestNumbers(1)
    let x = numbers.floats(33 * 7).map { 4 * $0 }
    let w = numbers.floats(7 * 64).map { 3 * $0 }
    let bias = numbers.floats(64)
    let residual = numbers.floats(33 * 64)
    // [block][k][32]
    let packed: [Float] = (0..<448).map { (i: Int) -> Float in
      let (block, k, n) = (i / 224, i / 32 % 7, i % 32)
      return w[k * 64 + block * 32 + n]
    }
    let outputs = try run(
      "product_14x2",
      ["x": x.bytes, "residual": residual.bytes, "w": packed.bytes, "bias": bias.bytes], fuses: fuses)
    var expected: [Float] = []
    for p in 0..<33 {
      for n in 0..<64 {
        var sum: Float = 0
        for k in 0..<7 {
          let (a, b): (Float, Float) = (x[p * 7 + k], w[k * 64 + n])
          sum = fuses ? sum.addingProduct(a, b) : a * b + sum
        }
        expected.append(min(max(sum + bias[n], 0), 6) + residual[p * 64 + n])
      }
    }
    #expect(outputs["y"] == expected.bytes)
  }

  @Test func valueFunctions() throws {
    var numbers = TestNumbers(8)
    let x = numbers.floats(48).map { 5 * $0 }
    let outputs = try run("value_functions", ["x": x.bytes])
    let expected = x.indices.map { (i: Int) -> Float in
      let v: Float =
        if i < 32 {
          x[i] * (min(max(x[i] + 3, 0), 6) * 0x1.555556p-3)
        } else {
          x[i] < 0 ? x[i] : x[32 + 47 - i]
        }
      return abs(v) > 1 ? v / 2 : v
    }
    #expect(outputs["y"] == expected.bytes)
  }

  @Test func invertedResidual() throws {
    var numbers = TestNumbers(2)
    let x = numbers.floats(5 * 7 * 8).map { 2 * $0 }
    let (w1, wd, w2) = (numbers.floats(8 * 16), numbers.floats(9 * 16), numbers.floats(16 * 8))
    let outputs = try run(
      "inverted_residual_banded", ["x": x.bytes, "w1": w1.bytes, "wd": wd.bytes, "w2": w2.bytes])
    func relu6(_ v: Float) -> Float { v < 0 ? 0 : v > 6 ? 6 : v }
    var expanded = [Float](repeating: 0, count: 35 * 16)
    for p in 0..<35 {
      for e in 0..<16 {
        var sum: Float = 0
        for k in 0..<8 { sum.addProduct(x[p * 8 + k], w1[k * 16 + e]) }
        expanded[p * 16 + e] = relu6(sum)
      }
    }
    var expected = x
    for i in 0..<5 {
      for j in 0..<7 {
        var filtered = [Float](repeating: 0, count: 16)
        for tap in 0..<9 {
          let (row, column) = (i + tap / 3 - 1, j + tap % 3 - 1)
          guard (0..<5).contains(row), (0..<7).contains(column) else { continue }
          for e in 0..<16 {
            filtered[e].addProduct(expanded[(row * 7 + column) * 16 + e], wd[tap * 16 + e])
          }
        }
        for c in 0..<8 {
          var sum: Float = 0
          for k in 0..<16 { sum.addProduct(relu6(filtered[k]), w2[k * 8 + c]) }
          expected[(i * 7 + j) * 8 + c] += sum
        }
      }
    }
    #expect(outputs["y"] == expected.bytes)
  }

  @Test func topK() throws {
    var numbers = TestNumbers(3)
    // Few values, so that ties occur.
    let x = (0..<33).map { _ in Float(numbers.integer(in: 0...2)) }
    let mass = numbers.floats(11)
    let outputs = try run("top_k_streamed", ["x": x.bytes, "mass": mass.bytes])
    var coordinates: [Float] = []
    var masses: [Float] = []
    for i in 0..<11 {
      var distances = [Float](repeating: 0, count: 11)
      for j in 0..<11 {
        for c in 0..<3 {
          let d: Float = x[i * 3 + c] - x[j * 3 + c]
          distances[j] += d * d
        }
      }
      let order = (0..<11).sorted { (distances[$0], $0) < (distances[$1], $1) }
      for j in order.prefix(4) {
        coordinates += x[(j * 3)..<(j * 3 + 3)]
        masses.append(mass[j])
      }
    }
    #expect(outputs["coordinates"] == coordinates.bytes)
    #expect(outputs["masses"] == masses.bytes)
  }

  @Test func earlyStop() throws {
    let a: [Float] = [0.25, 0.5, 1, 1.5, 2, 3, 4, 9, 16, 100, 1000, 12345, 1e6]
    let outputs = try run("early_stop", ["a": a.bytes])
    var roots: [Float] = []
    var rounds: [Int32] = []
    for square in a {
      var r = square * 0.5 + 0.5
      var count: Int32 = 0
      while count < 9, abs(r * r - square) > square * 0x1p-20 {
        r = 0.5 * (r + square / r)
        count += 1
      }
      roots.append(r)
      rounds.append(count)
    }
    #expect(outputs["root"] == roots.bytes)
    #expect(outputs["rounds"]?.values(Int32.self) == rounds)
    #expect(Set(rounds).count > 3)
  }

  @Test func gatedRoll() throws {
    var numbers = TestNumbers(4)
    let x = numbers.floats(280)
    let limit = numbers.floats(35).map { 5 + 2 * $0 }
    let outputs = try run("gated_roll", ["x": x.bytes, "limit": limit.bytes])
    var expected: [Float] = []
    var admitted = 0
    for i in 0..<5 {
      for j in 0..<7 {
        var most = [Float](repeating: 0, count: 8)
        for (k, l) in [((i + 2) % 5, j), ((i + 4) % 5, j), (i, (j + 4) % 7), (i, (j + 1) % 7)] {
          let d: [Float] = (0..<8).map { (c: Int) -> Float in x[(k * 7 + l) * 8 + c] - x[(i * 7 + j) * 8 + c] }
          let a: [Float] = d.map(\.magnitude)
          let sum = ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))
          guard sum < limit[i * 7 + j] else { continue }
          admitted += 1
          for c in 0..<8 where d[c] > most[c] { most[c] = d[c] }
        }
        expected += most
      }
    }
    #expect(outputs["y"] == expected.bytes)
    #expect((20..<120).contains(admitted))
  }

  @Test func ragged() throws {
    var numbers = TestNumbers(5)
    let x = numbers.floats(30)
    let outputs = try run("ragged", ["x": x.bytes, "lengths": ([3, -2, 5, 1.75, 99, 4] as [Float]).bytes])
    var sums: [Float] = []
    var halves: [UInt16] = []
    for (i, n) in [3, 0, 5, 1, 5, 4].enumerated() {
      var lanes = [Float](repeating: 0, count: 4)
      for k in 0..<n { lanes[k % 4] += x[i * 5 + k] }
      let total = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
      sums.append(n == 0 ? -1 : total + x[i * 5 + n - 1])
      halves.append(HalfFloat.f16(total))
    }
    #expect(outputs["sums"] == sums.bytes)
    #expect(outputs["halves"]?.values(UInt16.self) == halves)
  }

  @Test func parallelRows() throws {
    var numbers = TestNumbers(6)
    let x = numbers.floats(360)
    let outputs = try run("parallel_rows", ["x": x.bytes])
    let expected: [Float] = (0..<360).map { (i: Int) -> Float in 1.5 * x[i / 4 * 4 + 3 - i % 4] }
    #expect(outputs["y"] == expected.bytes)
  }

  @Test func int8Dot() throws {
    var numbers = TestNumbers(7)
    let x = (0..<60).map { _ in Int8(numbers.integer(in: -128...127)) }
    let w = (0..<160).map { _ in Int8(numbers.integer(in: -128...127)) }
    let scale = numbers.floats(8).map { $0 / 64 }
    let bytes = { (values: [Int8]) in values.map { UInt8(bitPattern: $0) } }
    let outputs = try run("int8_dot", ["x": bytes(x), "w": bytes(w), "scale": scale.bytes])
    var wide: [Int32] = []
    var narrow: [Int8] = []
    for p in 0..<3 {
      for n in 0..<8 {
        // w is [group][output][4]
        var sum: Int32 = 0
        for k in 0..<20 { sum += Int32(x[p * 20 + k]) * Int32(w[k / 4 * 32 + n * 4 + k % 4]) }
        wide.append(sum)
        let real = (Float(sum) * scale[n]).rounded(.toNearestOrEven)
        narrow.append(real >= 127 ? 127 : real <= -128 ? -128 : Int8(real))
      }
    }
    #expect(outputs["wide"]?.values(Int32.self) == wide)
    #expect(outputs["y"] == bytes(narrow))
  }
}
