import IR

extension ModelBuilder {
  /// What fuzzy c-means starts from: [batch, pixels, hyperedges] in 0 ..< 1. The published code draws new ones in every
  /// run. Here they are a constant, made of the seed and the number of the hypergraph in the model.
  mutating func firstMemberships(of x: ValueID, hyperedges: Int, layer: String) throws -> ValueID {
    let image = graph.tensorType(of: x).shape
    let shape = [image[0], image[2] * image[3], hyperedges]
    let count = shape.reduce(1, *)
    guard count <= 1 << 28 else {
      throw problem("\(layer) would start from \(count) memberships; at most \(1 << 28) are possible")
    }
    let name = "memberships.\(nextHypergraph())"
    // Halving and adding 1 to a multiple of 2^-23 in -1 ..< 1 are exact.
    let values = SyntheticWeights(seed: membershipSeed).uniform(name, count: count).map { ($0 + 1) / 2 }
    return try constant(name, TensorData(shape: shape, floats: values), layer: layer)
  }
}
