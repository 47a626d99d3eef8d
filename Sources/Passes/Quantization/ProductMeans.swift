import IR

/// What products read on average over calibration inputs, element by element: as it is in float32, and as eight bits
/// round it.
///
/// Biases are corrected by them. A product is linear, so the mean of its results is its result on the mean; what rounding
/// does to the mean of each output channel follows from the two means and from the weights, whatever the inputs' number.
struct ProductMeans: Sendable {
  struct Mean: Sendable {
    var float: Tensor<Float>
    var rounded: Tensor<Float>
  }

  private struct Sums: Sendable {
    var float: [Float]
    var rounded: [Float]
  }

  private let graph: Graph
  private let quantizations: [ValueID: Quantization]
  private var sums: [ValueID: Sums] = [:]
  private var runs = 0

  /// - Parameter quantizations: Of the values whose means are wanted: one scale each.
  init(_ graph: Graph, quantizations: [ValueID: Quantization]) {
    self.graph = graph
    self.quantizations = quantizations
    for value in quantizations.keys {
      let zeros = [Float](repeating: 0, count: graph.tensorType(of: value).count)
      sums[value] = Sums(float: zeros, rounded: zeros)
    }
  }

  mutating func add(_ inputs: [Tensor<Float>]) throws {
    var sums = sums
    self.sums = [:]
    defer { self.sums = sums }
    try graph.visitReals(inputs) { value, reals in
      guard let quantization = quantizations[value], var sum = sums.removeValue(forKey: value) else { return }
      let (scale, zero) = (Float(quantization.scales[0]), Float(quantization.zeroPoints[0]))
      let (least, most) = (-128 - zero, 127 - zero)
      for place in reals.indices {
        sum.float[place] += reals[place]
        let steps = (reals[place] / scale).rounded(.toNearestOrEven)
        sum.rounded[place] += min(max(steps, least), most) * scale
      }
      sums[value] = sum
    }
    runs += 1
  }

  func mean(of value: ValueID) -> Mean? {
    guard let sum = sums[value], runs > 0 else { return nil }
    let shape = graph.tensorType(of: value).shape
    let factor = 1 / Float(runs)
    func mean(_ sums: [Float]) -> Tensor<Float> { Tensor(shape: shape, real: sums.map { $0 * factor }) }
    return Mean(float: mean(sum.float), rounded: mean(sum.rounded))
  }
}
