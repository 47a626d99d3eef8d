import RealModule

/// Batch normalisation with fixed statistics: operands x [N, C, ...] and weight, bias, running_mean, running_var, each
/// [C]. (x - mean) / sqrt(var + epsilon) * weight + bias.
public struct BatchNorm: Op {
  public static let mnemonic = "batch_norm"

  public var epsilon: Double

  public init(epsilon: Double) {
    self.epsilon = epsilon
  }

  public init(_ reader: inout AttributeReader) throws {
    self.epsilon = try reader.float("epsilon")
  }

  public var attributes: [Attribute] { [Attribute("epsilon", .float(epsilon))] }

  /// With all operands zero; channels of padding take their parameters as zero.
  public var mapsZeroToZero: Bool { true }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x", "weight", "bias", "running_mean", "running_var"])
    let x = try checker.real(0)
    if x.rank < 2 { throw checker.failure(0, mustBe: "of rank 2 at least: images, channels, ...") }
    for index in 1..<5 { _ = try checker.real(index, shape: [x.shape[1]], meaning: "one number a channel") }
    if !(epsilon >= 0) { throw checker.problem("epsilon is \(epsilon); it must not be negative") }
    return [.tensor(x.with(shape: x.shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    let parameters = operands.dropFirst().map(\.tensor.real)
    let scales = zip(parameters[0], parameters[3]).map { weight, variance in
      weight / (variance + T(epsilon)).squareRoot()
    }
    let real = scalePlanes(
      x.real, plane: x.shape[2...].reduce(1, *), means: parameters[2], scales: scales, biases: parameters[1])
    return [.tensor(Tensor(element: x.element, shape: x.shape, real: real))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let type = x.computingType
    let result = results[0]
    builder.loops(over: Array(x.shape[..<2])) { builder, index in
      let channel = [index[1]]
      let deviation = LoopValue.unary(.squareRoot, operands[4].loadComputing(channel) + .literal(epsilon, type))
      let scale = builder.let("scale", type, operands[1].loadComputing(channel) / deviation)
      let bias = builder.let("bias", type, operands[2].loadComputing(channel))
      let mean = builder.let("mean", type, operands[3].loadComputing(channel))
      builder.loops(over: Array(x.shape[2...])) { builder, rest in
        let value = LoopValue.fma(x.loadComputing(index + rest) - mean, scale, bias)
        builder.storeComputed(result, index + rest, value)
      }
    }
  }
}

@specialized(where T == Float)
@specialized(where T == Double)
private func scalePlanes<T: Real & BinaryFloatingPoint & Sendable>(
  _ x: [T], plane: Int, means: [T], scales: [T], biases: [T]
) -> [T] {
  var result = x
  result.withUnsafeMutableBufferPointer { result in
    for first in stride(from: 0, to: result.count, by: plane) {
      let channel = first / plane % means.count
      let mean = means[channel]
      let scale = scales[channel]
      let bias = biases[channel]
      for index in first..<(first + plane) { result[index] = (result[index] - mean) * scale + bias }
    }
  }
  return result
}
