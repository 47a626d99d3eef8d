import Frontends
import Testing

/// The published test vectors of the synthetic weights; hashes are those of the names.
@Suite struct SyntheticWeightsTests {
  struct Vector: Sendable {
    var name: String
    var shape: [Int]
    var seed: UInt64
    var hash: UInt64
    var first: [Float]
  }

  static let vectors = [
    Vector(
      name: "stem.stem.0.weight", shape: [21, 3, 3, 3], seed: 0, hash: 0xd905_3392_4de7_fa91,
      first: [-0x1.f3786cp-5, 0x1.9d99b6p-4, 0x1.0e0bc8p-2]),
    Vector(
      name: "local_backbone.0.layer_scale_2", shape: [42, 1, 1], seed: 7, hash: 0xa76a_e370_3c94_4665,
      first: [0x1.72020cp-1, 0x1.72b994p-1, 0x1.7a48dap-1]),
    // A fused multiply-add would end the second value in 3e.
    Vector(
      name: "local_backbone.0.mlp.norm1.weight", shape: [168], seed: 0, hash: 0x5359_5b74_b45a_83e2,
      first: [0x1.efb762p-1, 0x1.11603cp+0, 0x1.ff6eeap-1]),
    // A float32 square root would end the first value in 1e.
    Vector(
      name: "backbone.0.2.mixer.cpe.pe.weight", shape: [48, 1, 7, 7], seed: 0, hash: 0x9256_9414_20a7_8424,
      first: [0x1.b53f1cp-4, -0x1.d0f828p-3, 0x1.c5d978p-6]),
  ]

  @Test(arguments: vectors) func vector(_ vector: Vector) {
    #expect(fnv1a64(vector.name.utf8) == vector.hash)
    let tensor = SyntheticWeights(seed: vector.seed).tensor(vector.name, shape: vector.shape)
    #expect(tensor.shape == vector.shape)
    #expect(Array(tensor.floats.prefix(3)) == vector.first)
  }

  /// Hashes of whole tensors' bytes, computed from the NumPy definition.
  @Test func wholeTensors() {
    let hashes: [UInt64] = [0x60f7_1c47_f502_5d82, 0x8617_edfc_31d3_c401, 0x8bc6_c6fd_45bf_dd81, 0x868d_f644_8ebd_9364]
    for (vector, hash) in zip(Self.vectors, hashes) {
      let tensor = SyntheticWeights(seed: vector.seed).tensor(vector.name, shape: vector.shape)
      #expect(fnv1a64(tensor.bytes) == hash)
    }
  }

  @Test func input() {
    #expect(fnv1a64("input".utf8) == 0x1ebb_ae8f_5810_b65b)
    let values = SyntheticWeights().uniform("input", count: 1000)
    #expect(Array(values.prefix(3)) == [-0x1.9bd584p-1, 0x1.3808b8p-2, -0x1.2f7d2p-1])
    #expect(fnv1a64(values.withUnsafeBytes { Array($0) }) == 0x39e1_3d27_6f29_faed)
  }

  @Test func seedShiftsByElements() {
    let base = SyntheticWeights(seed: 0).uniform("x", count: 20)
    #expect(SyntheticWeights(seed: 4).uniform("x", count: 16) == Array(base[4...]))
    _ = SyntheticWeights(seed: .max).uniform("x", count: 2)
  }

  @Test func countersAndScalars() {
    let counter = SyntheticWeights().tensor("a.num_batches_tracked", shape: [])
    #expect(counter.element == .i64)
    #expect(counter.bytes == [UInt8](repeating: 0, count: 8))
    #expect(SyntheticWeights().tensor("a.weight", shape: [0, 3]).count == 0)
    #expect(SyntheticWeights().tensor("", shape: [2]).count == 2)
  }
}
