import IR

/// Weights as signed eight bits, symmetric around zero, with a scale for each output channel.
struct QuantizedWeights: Sendable {
  /// The most that a bias takes of a sum of 32 bits.
  private static let mostBias = Float(1 << 30)

  var integers: TensorData
  var quantization: Quantization
  /// What the integers stand for.
  var rounded: [Float]

  /// - Parameters:
  ///   - axis: That of the output channels.
  ///   - inputScale: Of what the weights are multiplied with.
  ///   - bias: A scale is large enough for the bias to fit 32 bits at the product of both scales.
  init(_ data: TensorData, axis: Int, inputScale: Float, bias: [Float]?) {
    let weights = data.floats
    let channels = data.shape[axis]
    let inner = data.shape[(axis + 1)...].reduce(1, *)
    var most = [Float](repeating: 0, count: channels)
    for (place, weight) in weights.enumerated() {
      let channel = place / inner % channels
      most[channel] = max(most[channel], abs(weight))
    }
    let scales = most.indices.map { channel in
      let ofBias = (bias.map { abs($0[channel]) } ?? 0) / inputScale / Self.mostBias
      let scale = max(most[channel] / 127, ofBias)
      return scale == 0 ? 1 : max(scale, Float(0x1p-100))
    }
    var numbers = [Double](repeating: 0, count: weights.count)
    rounded = weights
    for (place, weight) in weights.enumerated() {
      let scale = scales[place / inner % channels]
      let step = min(max((weight / scale).rounded(.toNearestOrEven), -127), 127)
      numbers[place] = Double(step)
      rounded[place] = step * scale
    }
    integers = TensorData(.i8, shape: data.shape, numbers)
    quantization = Quantization(
      scales: scales.map(Double.init), zeroPoints: [Int](repeating: 0, count: channels), axis: axis)
  }
}

/// A bias as integers of 32 bits at the product of the input's scale and each channel's.
struct QuantizedBias: Sendable {
  var integers: TensorData
  var quantization: Quantization

  /// - Parameter axis: Along which the bias has its channels.
  init(_ bias: [Float], shape: [Int], axis: Int, inputScale: Float, weightScales: [Double]) {
    // QLinearConv multiplies the scales in float32.
    let scales = weightScales.map { inputScale * Float($0) }
    let numbers = zip(bias, scales).map { value, scale in
      Double(value / scale).rounded(.toNearestOrEven)
    }
    integers = TensorData(.i32, shape: shape, numbers)
    quantization = Quantization(
      scales: scales.map(Double.init), zeroPoints: [Int](repeating: 0, count: scales.count), axis: axis)
  }
}
