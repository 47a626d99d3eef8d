extension Zoo {
  /// ViHGNN and Pyramid ViHGNN (Han et al., Vision HGNN, ICCV 2023): the networks of ViG with hyperedges for neighbours.
  ///
  /// Sizes, state-dict names and evaluation settings are those of the published code, VITA-Group/ViHGNN. At one
  /// resolution the hyperedges of the blocks grow from 25 to 50.
  static let viHGNN: [Entry] =
    [
      viHGNN("vihg_ti", channels: 192, blocks: 12), viHGNN("vihg_s", channels: 320, blocks: 16),
      viHGNN("vihg_b", channels: 640, blocks: 16),
    ] + [
      pyramidViHGNN("pvihg_ti", channels: [48, 96, 240, 384], blocks: [2, 2, 6, 2]),
      pyramidViHGNN("pvihg_s", channels: [80, 160, 400, 640], blocks: [2, 2, 6, 2]),
      pyramidViHGNN("pvihg_m", channels: [96, 192, 384, 768], blocks: [2, 2, 16, 2]),
      pyramidViHGNN("pvihg_b", channels: [128, 256, 512, 1024], blocks: [2, 2, 18, 2], resize: 235),
    ]

  private static let hyperedges = 25

  private static func viHGNN(_ name: String, channels: Int, blocks: Int) -> Entry {
    let graphers = (0..<blocks).map { block in
      "{kind: hypergrapher, hyperedges: \(hyperedges + hyperedges * block / (blocks - 1)), groups: 4}"
    }
    return isotropic(name, family: "ViHGNN", channels: channels, graphers: graphers)
  }

  private static func pyramidViHGNN(_ name: String, channels: [Int], blocks: [Int], resize: Int = 248) -> Entry {
    pyramid(name, family: "Pyramid ViHGNN", channels: channels, blocks: blocks, resize: resize) { _, reduction in
      "{kind: hypergrapher, hyperedges: \(hyperedges), reduction: \(reduction), relative_positions: true, groups: 4}"
    }
  }
}
