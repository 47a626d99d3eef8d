import RealModule

/// What a convolution over a graph's edges reads: for every pixel i and neighbour j the features of i and then x_j - x_i,
/// [N, 2 C, H * W, neighbours] (EdgeConv, Wang et al., arXiv:1801.07829, as in the published code of ViG).
///
/// Operands as for `aggregate`: x [N, C, H, W], a neighbourhood of its pixels and, if the neighbours are not those
/// pixels themselves, the candidates' features [N, C, h, w].
public struct EdgeFeatures: ParameterlessOp {
  public static let mnemonic = "edge_features"

  public init() {}

  public var mapsZeroToZero: Bool { true }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x", "neighborhood", "candidates?"])
    let x = try checker.real(0, rank: 4)
    let count = try checker.neighborCount(over: x)
    try checker.refuseGates("a convolution over edges")
    if count == 0 { throw checker.failure(1, mustBe: "of one neighbour at least") }
    let shape = [x.shape[0], 2 * x.shape[1], x.shape[2] * x.shape[3], count]
    try checker.checkShape(shape)
    return [.tensor(TensorType(x.element, shape))]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    let x = operands[0].tensor
    guard case .neighborhood(let graph, _) = operands[1] else { preconditionFailure("typing wants a neighbourhood") }
    let candidates = operands.count > 2 ? operands[2].tensor : x
    let (batch, channels, plane) = (x.shape[0], x.shape[1], x.shape[2] * x.shape[3])
    let total = candidates.shape[2] * candidates.shape[3]
    var result: [T] = []
    var count = 0
    for n in 0..<batch {
      let places = graph.places(image: n, height: x.shape[2], width: x.shape[3])
      count = places.count
      result.reserveCapacity(batch * 2 * channels * plane * count)
      for half in 0..<2 {
        for channel in (n * channels)..<((n + 1) * channels) {
          for pixel in 0..<plane {
            let own = x.real[channel * plane + pixel]
            for neighbors in places {
              result.append(half == 0 ? own : candidates.real[channel * total + neighbors[pixel]] - own)
            }
          }
        }
      }
    }
    return [.tensor(Tensor(element: x.element, shape: [batch, 2 * channels, plane, count], real: result))]
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    try requireFloat32(operands + results)
    let neighbors = NeighborLoops(operands)
    let x = operands[0]
    let result = results[0]
    builder.loops(over: x.shape) { builder, index in
      let own = builder.let("own", .f32, x.load(index))
      let pixel = index[2] * x.shape[3] + index[3]
      neighbors.forEach(&builder, at: index) { builder, place, other in
        builder.store(result.buffer, result.offset([index[0], index[1], pixel, place]), own)
        let difference = [index[0], index[1] + .constant(x.shape[1]), pixel, place]
        builder.store(result.buffer, result.offset(difference), other - own)
      }
    }
  }
}
