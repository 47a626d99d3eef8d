import IR
import Testing

/// Ops that move and fold elements, by hand on small tensors.
@Suite struct MovementTests {
  private static func run(_ op: any Op, _ operands: Tensor<Double>...) throws -> Tensor<Double> {
    try op.evaluate(operands.map { .tensor($0) })[0].tensor
  }

  private static let x = Tensor<Double>(shape: [2, 3], real: [1, 2, 3, 4, 5, 6])

  @Test func concat() throws {
    let y = Tensor<Double>(shape: [2, 1], real: [7, 8])
    #expect(try Self.run(Concat(axis: 1), Self.x, y).real == [1, 2, 3, 7, 4, 5, 6, 8])
    #expect(try Self.run(Concat(axis: 0), Self.x, Self.x).shape == [4, 3])
  }

  @Test func slice() throws {
    func slice(_ start: Int, _ end: Int, _ step: Int) throws -> [Double] {
      try Self.run(Slice(starts: [start], ends: [end], axes: [1], steps: [step]), Self.x).real
    }
    #expect(try slice(1, 3, 1) == [2, 3, 5, 6])
    #expect(try slice(0, Int.max, 2) == [1, 3, 4, 6])
    #expect(try slice(-2, -1, 1) == [2, 5])
    #expect(try slice(-1, -100, -1) == [3, 2, 1, 6, 5, 4])
    #expect(try slice(-100, 100, 1) == Self.x.real)
  }

  @Test func rollAsTorchDoes() throws {
    #expect(try Self.run(Roll(shifts: [1], axes: [1]), Self.x).real == [3, 1, 2, 6, 4, 5])
    #expect(try Self.run(Roll(shifts: [-1], axes: [1]), Self.x).real == [2, 3, 1, 5, 6, 4])
    #expect(try Self.run(Roll(shifts: [3, 1], axes: [0, 1]), Self.x).real == [6, 4, 5, 3, 1, 2])
  }

  @Test func transposeAndReshape() throws {
    #expect(try Self.run(Transpose(permutation: [1, 0]), Self.x).real == [1, 4, 2, 5, 3, 6])
    #expect(try Self.run(Reshape(shape: [3, -1]), Self.x).shape == [3, 2])
  }

  @Test func pad() throws {
    func pad(_ mode: Pad.Mode) throws -> [Double] {
      try Self.run(Pad(before: [0, 2], after: [0, 1], value: 9, mode: mode), Self.x).real
    }
    #expect(try pad(.constant) == [9, 9, 1, 2, 3, 9, 9, 9, 4, 5, 6, 9])
    #expect(try pad(.reflect) == [3, 2, 1, 2, 3, 2, 6, 5, 4, 5, 6, 5])
    #expect(try pad(.edge) == [1, 1, 1, 2, 3, 3, 4, 4, 4, 5, 6, 6])
  }

  @Test func movementKeepsIntegers() throws {
    let x = Tensor<Double>(element: .i64, shape: [2, 2], integer: [1, 2, 3, 1 << 60])
    let joined = try Concat(axis: 0).evaluate([.tensor(x), .tensor(x)])[0].tensor
    #expect(joined.integer == [1, 2, 3, 1 << 60, 1, 2, 3, 1 << 60])
    #expect(try Transpose(permutation: [1, 0]).evaluate([.tensor(x)])[0].tensor.integer == [1, 3, 2, 1 << 60])
    #expect(try Roll(shifts: [1], axes: [0]).evaluate([.tensor(x)])[0].tensor.integer == [3, 1 << 60, 1, 2])
  }

  @Test func matMul() throws {
    let y = Tensor<Double>(shape: [3, 2], real: [1, 0, 0, 1, 1, 1])
    #expect(try Self.run(MatMul(), Self.x, y).real == [4, 5, 10, 11])
  }

  @Test func matMulBroadcastsBatches() throws {
    let a: Tensor<Double> = randomTensor([2, 1, 3, 5], seed: 3)
    let b: Tensor<Double> = randomTensor([4, 5, 2], seed: 4)
    let result = try Self.run(MatMul(), a, b)
    #expect(result.shape == [2, 4, 3, 2])
    for i in 0..<2 {
      for j in 0..<4 {
        for row in 0..<3 {
          for column in 0..<2 {
            let sum = (0..<5).reduce(0) { $0 + a.real[(i * 3 + row) * 5 + $1] * b.real[(j * 5 + $1) * 2 + column] }
            #expect(abs(result.real[((i * 4 + j) * 3 + row) * 2 + column] - sum) < 1e-13)
          }
        }
      }
    }
  }

  @Test func reduce() throws {
    let x = Tensor<Double>(shape: [2, 3], real: [1, -2, 3, -4, 5, -6])
    func reduce(_ kind: Reduce.Kind) throws -> [Double] {
      try Self.run(Reduce(kind: kind, axes: [1], keepDims: false), x).real
    }
    #expect(try reduce(.sum) == [2, -5])
    #expect(try reduce(.mean) == [2.0 / 3, -5.0 / 3])
    #expect(try reduce(.maximum) == [3, 5])
    #expect(try reduce(.minimum) == [-2, -6])
    #expect(try reduce(.l1) == [6, 15])
    #expect(try reduce(.l2) == [(14.0).squareRoot(), (77.0).squareRoot()])
    #expect(try reduce(.product) == [-6, 120])
    #expect(try Self.run(Reduce(kind: .sum, axes: [0], keepDims: true), x).shape == [1, 3])
    #expect(try Self.run(Reduce(kind: .sum, axes: [0], keepDims: true), x).real == [-3, 3, -3])
  }

  @Test func softmaxAndLayerNorm() throws {
    let x = Tensor<Double>(shape: [1, 2], real: [1000, 1000])
    #expect(try Self.run(Softmax(axis: 1), x).real == [0.5, 0.5])
    let y = Tensor<Double>(shape: [1, 4], real: [1, 1, 3, 3])
    #expect(try Self.run(LayerNorm(axes: [1], epsilon: 0), y).real == [-1, -1, 1, 1])
    let weight = Tensor<Double>(shape: [4], real: [1, 2, 3, 4])
    #expect(try Self.run(LayerNorm(axes: [1], epsilon: 3), y, weight, weight).real == [0.5, 1, 4.5, 6])
  }
}
