import IR

/// Tensors that are a function of their state-dict name, shape and a seed: the same float32 bits in every language.
///
/// They stand in for published weights wherever numbers must be compared across programs. The definition:
///
///     base  = fnv1a64(name) + seed * golden                     (mod 2^64)
///     z_i   = splitmix64 finaliser of base + (i + 1) * golden
///     u_i   = (z_i >> 40) * 2^-23 - 1                            in [-1, 1), exact in float32
///     value = offset + scale * u_i                               product rounded, then the sum: no fma
public struct SyntheticWeights: Hashable, Sendable {
  public var seed: UInt64

  private static let golden: UInt64 = 0x9E37_79B9_7F4A_7C15

  public init(seed: UInt64 = 0) {
    self.seed = seed
  }

  /// `count` float32 values in [-1, 1), without offset or scale: inputs, under the name `input`.
  public func uniform(_ name: String, count: Int) -> [Float] {
    values(name, count: count) { $0 }
  }

  /// The value of the parameter or buffer called `name`: int64 zeros for a batch counter, else float32.
  public func tensor(_ name: String, shape: [Int]) -> TensorData {
    let leaf = name.split(separator: ".").last.map(String.init) ?? name
    let count = shape.reduce(1, *)
    if leaf == "num_batches_tracked" {
      return TensorData(element: .i64, shape: shape, bytes: [UInt8](repeating: 0, count: 8 * count))
    }
    let (offset, scale) = Self.offsetAndScale(leaf: leaf, shape: shape)
    return TensorData(shape: shape, floats: values(name, count: count) { Self.sum(offset, scale * $0) })
  }

  /// Kept out of line so that no optimiser contracts the product and the sum into a fused multiply-add.
  @inline(never)
  private static func sum(_ offset: Float, _ product: Float) -> Float { offset + product }

  private static func offsetAndScale(leaf: String, shape: [Int]) -> (Float, Float) {
    if leaf == "running_var" { return (1, 0.5) }
    if leaf == "running_mean" { return (0, 0.1) }
    if leaf.hasPrefix("layer_scale") { return (0.5, 0.25) }
    guard leaf == "weight" else { return (0, 0.1) }
    if shape.count == 1 { return (1, 0.1) }
    // In double and rounded once: a float32 square root differs in the last bit for some fan-ins.
    let fanIn = shape.dropFirst().reduce(1, *)
    return (0, Float((3 / Double(max(1, fanIn))).squareRoot()))
  }

  private func values(_ name: String, count: Int, _ transform: (Float) -> Float) -> [Float] {
    let base = fnv1a64(name.utf8) &+ seed &* Self.golden
    return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      var state = base
      for i in 0..<count {
        state &+= Self.golden
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        z ^= z >> 31
        buffer[i] = transform(Float(z >> 40) * 0x1p-23 - 1)
      }
      initialized = count
    }
  }
}

/// The 64-bit FNV-1a hash of some bytes.
public func fnv1a64(_ bytes: some Sequence<UInt8>) -> UInt64 {
  bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
}
