import IR
import Testing

@Suite struct ElementwiseTests {
  /// Values computed with 30 digits elsewhere.
  @Test func unaryValues() {
    func check(_ op: some UnaryOp, _ x: Double, _ expected: Double) {
      #expect(abs(op.apply(x) - expected) <= 1e-12 * max(1, abs(expected)), "\(op) of \(x)")
    }
    check(Gelu(), 1, 0.841344746068542949)
    check(Gelu(), -0.5, -0.154268769363139424)
    check(Gelu(approximation: .tanh), 1, 0.841191990607477)
    check(Relu(), -3, 0)
    check(Relu(), 3, 3)
    check(Relu6(), 7, 6)
    check(LeakyRelu(slope: 0.1), -3, -0.3)
    check(Sigmoid(), 2, 0.880797077977882444)
    check(Silu(), 2, 1.761594155955764888)
    check(Tanh(), 0.5, 0.462117157260009758)
    check(HardSigmoid(), 1, 2.0 / 3)
    check(HardSigmoid(alpha: 0.2, beta: 0.5), -9, 0)
    check(HardSwish(), 1, 2.0 / 3)
    check(HardSwish(), -4, 0)
    check(Elu(alpha: 2), -1, -1.264241117657115356)
    check(Softplus(), 1, 1.313261687518222834)
    check(Softplus(), 800, 800)
    check(Erf(), 0.5, 0.520499877813046538)
    check(Exp(), 1, 2.718281828459045235)
    check(Log(), 3, 1.098612288668109691)
    check(Sqrt(), 2, 1.414213562373095049)
    check(Reciprocal(), 8, 0.125)
    check(Negate(), 8, -8)
    check(Absolute(), -8, 8)
  }

  @Test func binaryValues() {
    #expect(Add().apply(3.0, 4.0) == 7)
    #expect(Subtract().apply(3.0, 4.0) == -1)
    #expect(Multiply().apply(3.0, 4.0) == 12)
    #expect(Divide().apply(3.0, 4.0) == 0.75)
    #expect(Minimum().apply(3.0, 4.0) == 3)
    #expect(Maximum().apply(3.0, 4.0) == 4)
    #expect(Power().apply(-2.0, 3.0) == -8)
    #expect(Power().apply(-3.0, 2.0) == 9)
    #expect(Power().apply(9.0, 0.5) == 3)
    #expect(Power().apply(0.0, 0.0) == 1)
    #expect(Power().apply(0.0, -1.0) == .infinity)
    #expect(Power().apply(-0.0, -1.0) == -.infinity)
    #expect(Power().apply(-0.0, -2.0) == .infinity)
    #expect(Power().apply(-1.0, .infinity) == 1)
    #expect(Power().apply(1.0, .nan) == 1)
    #expect(Power().apply(-Double.infinity, 0.5) == .infinity)
    #expect(Power().apply(-2.0, 0.3).isNaN)
    #expect(Power().apply(-2.0, -1.0) == -0.5)
  }

  @Test func notANumberIsHandledAsStated() {
    #expect(Relu().apply(Double.nan).isNaN)
    #expect(Relu6().apply(Double.nan).isNaN)
    #expect(Maximum().apply(Double.nan, 1.0).isNaN)
    #expect(Maximum().apply(1.0, Double.nan).isNaN)
    #expect(Minimum().apply(Double.nan, 1.0).isNaN)
    #expect(Minimum().apply(1.0, Double.nan).isNaN)
  }

  /// Every pair of broadcast shapes against indices taken modulo the extents.
  @Test func broadcastingAgreesWithIndexArithmetic() throws {
    let shapes: [[Int]] = [
      [], [5], [1], [4, 5], [4, 1], [1, 5], [3, 4, 5], [3, 1, 5], [1, 4, 1], [2, 3, 4, 5], [2, 1, 1, 5],
    ]
    let op = Subtract()
    for a in shapes {
      for b in shapes {
        let x: Tensor<Double> = randomTensor(a, seed: 1)
        let y: Tensor<Double> = randomTensor(b, seed: 2)
        let type = try op.resultTypes([.tensor(TensorType(.f32, a)), .tensor(TensorType(.f32, b))])[0].tensor
        let result = try op.evaluate([.tensor(x), .tensor(y)])[0].tensor
        let shape = try #require(type).shape
        #expect(result.shape == shape)
        func pick(_ tensor: Tensor<Double>, _ flat: Int) -> Double {
          var rest = flat
          var offset = 0
          var stride = 1
          for back in 1..<(shape.count + 1) {
            let place = rest % shape[shape.count - back]
            rest /= shape[shape.count - back]
            guard back <= tensor.shape.count else { continue }
            let extent = tensor.shape[tensor.shape.count - back]
            offset += place % extent * stride
            stride *= extent
          }
          return tensor.real[offset]
        }
        for flat in 0..<result.count { #expect(result.real[flat] == pick(x, flat) - pick(y, flat)) }
      }
    }
  }

  @Test func resultsTakeTheLayoutOfTheOperandThatHasTheirShape() throws {
    let image = TensorType(.f32, [1, 5, 3, 4], layout: .channelsLast(padding: 8))
    let scale = TensorType(.f32, [5, 1, 1])
    #expect(try Multiply().resultTypes([.tensor(scale), .tensor(image)]) == [.tensor(image)])
    #expect(try Relu().resultTypes([.tensor(image)]) == [.tensor(image)])
  }
}
