extension Zoo {
  /// GreedyViG (Munir et al., 2024): every stage ends in graph mixers over DAGC graphs.
  ///
  /// Sizes, state-dict names and evaluation settings are those of the published code, SLDGroup/GreedyViG.
  static let greedyViG = [
    greedyViG("greedyvig_s", local: [2, 2, 6, 2], mixers: [2, 2, 2, 2], channels: [48, 96, 192, 384]),
    greedyViG("greedyvig_m", local: [3, 3, 9, 3], mixers: [3, 3, 3, 3], channels: [56, 112, 224, 448]),
    greedyViG("greedyvig_b", local: [4, 4, 12, 3], mixers: [4, 4, 4, 3], channels: [64, 128, 256, 512]),
  ]

  private static func greedyViG(_ name: String, local: [Int], mixers: [Int], channels: [Int]) -> Entry {
    let stages = [8, 4, 2, 1].enumerated().map { index, step in
      MixerStage(
        channels: channels[index],
        residual:
          "{kind: separable_residual, repeat: \(local[index]), layer_scale: layer_scale_2, scale_shape: vector}",
        mixers: mixers[index], construction: "{kind: dagc, step: \(step)}", scaleShape: "vector")
    }
    return Entry(
      name: name, family: "GreedyViG", yaml: mixerNetwork(name, family: "GreedyViG", stages: stages, embedding: 768))
  }
}
