import Frontends
import IR
import Testing

/// Computed relative positions against the published ones, by the hashes and by single values of the tensors that the
/// published PyTorch model holds when it is exported.
@Suite struct RelativePositionsTests {
  struct Published: Sendable {
    var name: String
    var shape: [Int]
    /// FNV-1a over the little-endian float32 bytes.
    var hash: UInt64
    /// At (0, 0), (1, 2) and (last, last but one).
    var values: [Float]
  }

  static let published = [
    Published(
      name: "backbone.0.0.relative_pos", shape: [1, 3136, 196], hash: 0x7b10_389f_af52_a58c,
      values: [-0x1.aaf2bcp-1, -0x1.89cfc8p-1, -0x1.90db42p-1]),
    Published(
      name: "backbone.3.0.relative_pos", shape: [1, 784, 196], hash: 0x2eb5_2dd4_3fd6_646d,
      values: [-0x1.eca40ep-1, -0x1.ab9b1ep-1, -0x1.bc81dep-1]),
    Published(
      name: "backbone.6.0.relative_pos", shape: [1, 196, 196], hash: 0xdbb7_28c7_153e_3825,
      values: [-1, -0x1.f84ed2p-1, -0x1.f84ed2p-1]),
    Published(
      name: "backbone.13.0.relative_pos", shape: [1, 49, 49], hash: 0x48a5_c32c_d874_dd80,
      values: [-1, -0x1.f8b42p-1, -0x1.f8b42p-1]),
  ]

  @Test func computedAsPublished() throws {
    let entries = try Zoo.spec(named: "pvig_ti").build().entries
    for expected in Self.published {
      let entry = try #require(entries.first { $0.name == expected.name })
      let found = try #require(entry.computed)
      #expect(found.shape == expected.shape)
      let floats = found.floats
      let columns = expected.shape[2]
      let values = [floats[0], floats[columns + 2], floats[floats.count - 2]]
      #expect(values == expected.values, "\(expected.name)")
      #expect(fnv1a64(found.bytes) == expected.hash, "\(expected.name)")
    }
    #expect(Set(entries.filter { $0.computed != nil }.map(\.name)).count == 12)
  }

  @Test func synthesisLeavesThemAlone() throws {
    let model = try ModelLoader.load(model: "pvig_ti", weights: .synthetic(seed: 3))
    let positions = try #require(model.graph.weights["backbone.13.0.relative_pos"])
    #expect(fnv1a64(positions.bytes) == 0x48a5_c32c_d874_dd80)
  }
}
