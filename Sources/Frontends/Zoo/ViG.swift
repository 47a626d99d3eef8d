extension Zoo {
  /// ViG and Pyramid ViG (Han et al., 2022, arXiv:2206.00272): graphs of nearest neighbours among the features, at one
  /// resolution or in four stages, the first two of which look for neighbours in a pooled copy.
  ///
  /// Sizes, state-dict names and evaluation settings are those of the published code, vig_pytorch in
  /// huawei-noah/Efficient-AI-Backbones. So are the number of neighbours of each block and their dilation. At one
  /// resolution the number grows from 9 to 18. Dilation grows by one every four blocks of the whole network, as long as
  /// the ranks it spans are not more than the fewest candidates.
  static let viG: [Entry] =
    [
      viG("vig_ti", channels: 192, blocks: 12), viG("vig_s", channels: 320, blocks: 16),
      viG("vig_b", channels: 640, blocks: 16),
    ] + [
      pyramidViG("pvig_ti", channels: [48, 96, 240, 384], blocks: [2, 2, 6, 2]),
      pyramidViG("pvig_s", channels: [80, 160, 400, 640], blocks: [2, 2, 6, 2]),
      pyramidViG("pvig_m", channels: [96, 192, 384, 768], blocks: [2, 2, 16, 2]),
      pyramidViG("pvig_b", channels: [128, 256, 512, 1024], blocks: [2, 2, 18, 2], resize: 235),
    ]

  private static let neighbors = 9

  private static func viG(_ name: String, channels: Int, blocks: Int) -> Entry {
    let graphers = (0..<blocks).map { block in
      let k = neighbors + neighbors * block / (blocks - 1)
      return nearestNeighborGrapher(k: k, block: block, candidates: 196, mostNeighbors: 2 * neighbors, more: "")
    }
    return isotropic(name, family: "ViG", channels: channels, graphers: graphers)
  }

  private static func pyramidViG(_ name: String, channels: [Int], blocks: [Int], resize: Int = 248) -> Entry {
    pyramid(name, family: "Pyramid ViG", channels: channels, blocks: blocks, resize: resize) { block, reduction in
      nearestNeighborGrapher(
        k: neighbors, block: block, candidates: 49, mostNeighbors: neighbors,
        more: ", reduction: \(reduction), relative_positions: true")
    }
  }

  private static func nearestNeighborGrapher(
    k: Int, block: Int, candidates: Int, mostNeighbors: Int, more: String
  ) -> String {
    let dilation = min(block / 4 + 1, candidates / mostNeighbors)
    return "{kind: dynamic_grapher, construction: {kind: knn, k: \(k), dilation: \(dilation)}, "
      + "aggregation: {kind: max_relative, direction: neighbor_minus_self}\(more), groups: 4}"
  }
}

// MARK: The networks around the graphers, which ViHGNN shares

extension Zoo {
  /// A network at one resolution, of 14x14 pixels at the published input size; a grapher a block.
  static func isotropic(_ name: String, family: String, channels: Int, graphers: [String]) -> Entry {
    let stem = [channels / 8, channels / 4, channels / 2, channels, channels]
    let yaml =
      head(name, family: family, stem: stem, strides: [2, 2, 2, 2, 1], resize: 248)
      + graphers.map(block).joined() + tail
    return Entry(name: name, family: family, yaml: yaml)
  }

  /// A network in stages, of 56x56 pixels and then half as many rows and columns each. `grapher` is given the number of
  /// its block in the whole network and how much the stage's candidates are reduced.
  static func pyramid(
    _ name: String, family: String, channels: [Int], blocks: [Int], resize: Int,
    grapher: (_ block: Int, _ reduction: Int) -> String
  ) -> Entry {
    let stem = [channels[0] / 2, channels[0], channels[0]]
    var yaml = head(name, family: family, stem: stem, strides: [2, 2, 1], resize: resize)
    var number = 0
    for (stage, (count, reduction)) in zip(blocks, [4, 2, 1, 1]).enumerated() {
      if stage > 0 {
        yaml +=
          "      - {kind: convolutions, within: conv, channels: \(channels[stage]), stride: 2, activation: none}\n"
      }
      for _ in 0..<count {
        yaml += block(grapher(number, reduction))
        number += 1
      }
    }
    return Entry(name: name, family: family, yaml: yaml + tail)
  }

  private static func head(_ name: String, family: String, stem: [Int], strides: [Int], resize: Int) -> String {
    """
    name: \(name)
    family: \(family)
    input: {channels: 3, height: 224, width: 224}
    classes: 1000
    normalization:
      mean: [0.5, 0.5, 0.5]
      std: [0.5, 0.5, 0.5]
      resize: \(resize)
      crop: 224
      interpolation: bicubic
    modules:
      - kind: convolutions
        path: stem
        within: convs
        channels: \(stem)
        stride: \(strides)
        activation: gelu
        last_activation: none
      - {kind: positions, path: pos_embed}
      - kind: sequence
        path: backbone
        of:

    """
  }

  private static func block(_ grapher: String) -> String {
    """
          - kind: sequence
            of:
              - \(grapher)
              - {kind: feed_forward, expansion: 4}

    """
  }

  private static let tail = "  - {kind: prediction, path: prediction, channels: 1024}\n"
}
