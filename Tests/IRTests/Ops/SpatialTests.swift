import IR
import Testing

/// Convolution, pooling and normalisation against formulas written out index by index.
@Suite struct SpatialTests {
  /// An element of an [N, C, H, W] tensor, zero outside the image.
  private static func pixel(_ x: Tensor<Double>, _ n: Int, _ c: Int, _ y: Int, _ x1: Int) -> Double {
    guard y >= 0, x1 >= 0, y < x.shape[2], x1 < x.shape[3] else { return 0 }
    return x.real[((n * x.shape[1] + c) * x.shape[2] + y) * x.shape[3] + x1]
  }

  @Test(arguments: OpCase.all.filter { $0.op is Conv2D }) func convolution(_ test: OpCase) throws {
    guard let op = test.op as? Conv2D else { return }
    let operands: [RuntimeValue<Double>] = test.values()
    let x = operands[0].tensor
    let weight = operands[1].tensor
    let result = try op.evaluate(operands)[0].tensor
    let perGroup = weight.shape[0] / op.groups
    for n in 0..<result.shape[0] {
      for o in 0..<result.shape[1] {
        for y in 0..<result.shape[2] {
          for x1 in 0..<result.shape[3] {
            var sum = operands.count > 2 ? operands[2].tensor.real[o] : 0
            for c in 0..<weight.shape[1] {
              for ky in 0..<weight.shape[2] {
                for kx in 0..<weight.shape[3] {
                  let row = y * op.strides[0] - op.padding[0] + ky * op.dilation[0]
                  let column = x1 * op.strides[1] - op.padding[1] + kx * op.dilation[1]
                  let channel = o / perGroup * weight.shape[1] + c
                  sum += Self.pixel(x, n, channel, row, column) * Self.pixel(weight, o, c, ky, kx)
                }
              }
            }
            #expect(abs(sum - Self.pixel(result, n, o, y, x1)) < 1e-12)
          }
        }
      }
    }
  }

  @Test func convolutionByHand() throws {
    let x = Tensor<Double>(shape: [1, 1, 2, 3], real: [1, 2, 3, 4, 5, 6])
    let weight = Tensor<Double>(shape: [1, 1, 2, 2], real: [1, 10, 100, 1000])
    let op = Conv2D(strides: [1, 2], padding: [0, 1, 1, 0], dilation: [1, 1], groups: 1)
    let result = try op.evaluate([.tensor(x), .tensor(weight)])[0].tensor
    #expect(result.shape == [1, 1, 2, 2])
    #expect(result.real == [4010, 6532, 40, 65])
  }

  @Test func averagePoolByHand() throws {
    let x = Tensor<Double>(shape: [1, 1, 2, 3], real: [1, 2, 3, 4, 5, 6])
    func run(_ includes: Bool, _ ceil: Bool) throws -> Tensor<Double> {
      try AveragePool(
        kernel: [2, 2], strides: [2, 2], padding: [1, 0, 0, 0], countIncludePad: includes, ceilMode: ceil
      )
      .evaluate([.tensor(x)])[0].tensor
    }
    // Rows -1..2; without rounding up only the window over rows -1 and 0, columns 0 and 1 is left.
    #expect(try run(true, false).real == [0.75])
    #expect(try run(false, false).real == [1.5])
    // Rounded up: the second column of windows has one column, the second row one row (4, 5, 6).
    #expect(try run(true, true).real == [0.75, 1.5, 4.5, 6])
    #expect(try run(false, true).real == [1.5, 3, 4.5, 6])
  }

  @Test func maxPoolByHand() throws {
    let x = Tensor<Double>(shape: [1, 1, 2, 3], real: [-1, -2, -3, -4, -5, -6])
    let op = MaxPool(kernel: [2, 2], strides: [1, 1], padding: [1, 1, 0, 0])
    #expect(try op.evaluate([.tensor(x)])[0].tensor.real == [-1, -1, -2, -1, -1, -2])
  }

  @Test func batchNormByHand() throws {
    let x = Tensor<Double>(shape: [1, 2, 1, 2], real: [1, 2, 3, 4])
    let parameters: [[Double]] = [[2, 3], [10, 20], [1, 2], [4, 9]]
    let operands = [x] + parameters.map { Tensor<Double>(shape: [2], real: $0) }
    #expect(try BatchNorm(epsilon: 0).evaluate(operands.map { .tensor($0) })[0].tensor.real == [10, 11, 21, 22])
  }

  @Test func globalAveragePoolByHand() throws {
    let x = Tensor<Double>(shape: [1, 2, 1, 3], real: [1, 2, 3, 4, 5, 9])
    let result = try GlobalAveragePool().evaluate([.tensor(x)])[0].tensor
    #expect(result.real == [2, 6] && result.shape == [1, 2, 1, 1])
  }
}
