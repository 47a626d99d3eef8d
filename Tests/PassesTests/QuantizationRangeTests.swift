import IR
import Testing

@testable import Passes

/// The range that eight bits cover, on values whose answer is known.
@Suite struct QuantizationRangeTests {
  private func histogram(_ parts: [Float]...) -> ValueHistogram {
    var histogram = ValueHistogram()
    for part in parts { histogram.add(part) }
    return histogram
  }

  /// 1000 values, evenly from -500 up to 499.
  private let even = (-500..<500).map(Float.init)

  @Test func leastAndGreatest() {
    #expect(RangeMethod.minmax.range(of: histogram(even)) == -500...499)
    // Zero belongs to every range.
    #expect(RangeMethod.minmax.range(of: histogram([3, 5])) == 0...5)
    #expect(RangeMethod.minmax.range(of: histogram([-3, -5])) == -5...0)
    #expect(RangeMethod.minmax.range(of: histogram()) == 0...0)
  }

  @Test func percentilesLeaveOutAsMuchOnEitherSide() {
    let range = RangeMethod.percentile(90).range(of: histogram(even))
    #expect(abs(range.lowerBound + 450) <= 1 && abs(range.upperBound - 450) <= 1)
    #expect(RangeMethod.percentile(100).range(of: histogram(even)) == -500...499)
  }

  /// Of n values that are even in [-1, 1] and one at 4, a range up to h rounds with an error of n ((h + 1) / 255)^2 / 12
  /// and clips with one of (4 - h)^2: for a million the sum is least at h = 1.32.
  @Test func leastErrorClipsWhatIsFarOut() {
    let count = 1_000_000
    let many = (0..<count).map { Float($0) / Float(count) * 2 - 1 }
    let range = RangeMethod.mse.range(of: histogram(many, [4]))
    #expect(abs(range.upperBound - 1.32) < 0.1, "\(range)")
    #expect(abs(range.lowerBound + 1) < 0.02, "\(range)")
    // A few values are not worth clipping any.
    #expect(RangeMethod.mse.range(of: histogram([-1, 1, 4])) == -1...4)
  }

  /// Bins merge when values outside come, in whatever order they do.
  @Test func orderDoesNotMatter() {
    let large = (0..<1000).map { Float($0) * 37.5 - 9000 }
    let (first, second) = (histogram(even, large, [0.001]), histogram([0.001], large, even))
    #expect(first.counts == second.counts && first.width == second.width)
    #expect(first.total == 2001)
    #expect(first.counts.reduce(0, +) == 2001)
    for method in [RangeMethod.minmax, .percentile(99), .mse] {
      #expect(method.range(of: first) == method.range(of: second))
    }
  }

  @Test func zeroIsExact() {
    let quantization = Quantization(covering: -1...3)
    #expect(quantization.scales == [Double(Float(4.0 / 255))])
    #expect(quantization.zeroPoints == [-64])
    #expect(Quantization(covering: 0...0) == Quantization(scales: [1], zeroPoints: [-128]))
    #expect(Quantization(covering: 0...255).zeroPoints == [-128])
    #expect(Quantization(covering: -255...0).zeroPoints == [127])
    #expect(Quantization(covering: 2...255) == Quantization(covering: 0...255))
  }

  @Test func methodsByName() throws {
    #expect(try RangeMethod(parsing: "minmax") == .minmax)
    #expect(try RangeMethod(parsing: "mse") == .mse)
    #expect(try RangeMethod(parsing: "percentile:99.9") == .percentile(99.9))
    for wrong in ["percentile", "percentile:50", "percentile:101", "percentile:nan", "mse:1", "most", ""] {
      #expect(throws: Diagnostic.self) { try RangeMethod(parsing: wrong) }
    }
  }

  @Test func weightsAreSymmetricForEachChannel() {
    let data = TensorData(shape: [2, 2, 1, 1], floats: [1.27, 0.5, -0.635, 0.1])
    let weights = QuantizedWeights(data, axis: 0, inputScale: 0.01, bias: [0.25, -0.5])
    #expect(Tensor<Double>(weights.integers).integer == [127, 50, -127, 20])
    #expect(weights.quantization.zeroPoints == [0, 0] && weights.quantization.axis == 0)
    #expect(weights.quantization.scales == [Double(Float(1.27) / 127), Double(Float(0.635) / 127)])
    let bias = QuantizedBias(
      [0.25, -0.5], shape: [2], axis: 0, inputScale: 0.01, weightScales: weights.quantization.scales)
    #expect(Tensor<Double>(bias.integers).integer == [2500, -10000])
    #expect(bias.quantization.scales[0] == Double(Float(0.01) * (Float(1.27) / 127)))
    // Columns of a matrix: the channels run along the last axis.
    let columns = QuantizedWeights(
      TensorData(shape: [2, 2], floats: [1.27, 0.1, -0.5, 0.254]), axis: 1, inputScale: 1, bias: nil)
    #expect(Tensor<Double>(columns.integers).integer == [127, 50, -50, 127])
  }

  /// A channel of tiny weights has a scale at which its bias still fits 32 bits; one of zeros has any.
  @Test func biasesFit() {
    let data = TensorData(shape: [3, 1, 1, 1], floats: [1e-12, 0, 0])
    let weights = QuantizedWeights(data, axis: 0, inputScale: 0.01, bias: [5, 3, 0])
    let bias = QuantizedBias(
      [5, 3, 0], shape: [3], axis: 0, inputScale: 0.01, weightScales: weights.quantization.scales)
    let integers = Tensor<Double>(bias.integers).integer
    for (place, expected) in [5.0, 3, 0].enumerated() {
      #expect(abs(Double(integers[place]) * bias.quantization.scales[place] - expected) < 1e-5)
      #expect(abs(integers[place]) <= 1 << 30)
    }
  }
}
