extension Zoo {
  /// One stage of a network of residual blocks and graph mixers.
  struct MixerStage {
    var channels: Int
    /// The local blocks, as one module of a spec.
    var residual: String
    /// How many graph mixers end the stage.
    var mixers: Int
    /// The graph construction of a mixer, as a mapping of a spec.
    var construction: String
    /// How the mixers' layer scales are stored.
    var scaleShape: String
  }

  /// The spec that MobileViGv2 and GreedyViG share: a stem, stages with a downsampling convolution between them, an
  /// embedding and two heads.
  static func mixerNetwork(_ name: String, family: String, stages: [MixerStage], embedding: Int) -> String {
    var backbone: [String] = []
    for (index, stage) in stages.enumerated() {
      backbone += ["- kind: sequence", "  of:"]
      if index > 0 {
        backbone.append(
          "    - {kind: convolutions, within: conv, channels: \(stage.channels), stride: 2, activation: none}")
      }
      backbone.append("    - \(stage.residual)")
      if stage.mixers == 0 { continue }
      backbone += [
        "    - kind: graph_mixer", "      repeat: \(stage.mixers)", "      construction: \(stage.construction)",
        "      aggregation: {kind: max_relative, direction: neighbor_minus_self, start: 0}",
        "      position_kernel: 7", "      expansion: 4", "      scale_shape: \(stage.scaleShape)",
      ]
    }
    let width = stages.first?.channels ?? 0
    return """
      name: \(name)
      family: \(family)
      input: {channels: 3, height: 224, width: 224}
      classes: 1000
      normalization:
        mean: [0.485, 0.456, 0.406]
        std: [0.229, 0.224, 0.225]
        resize: 248
        crop: 224
        interpolation: bicubic
      modules:
        - kind: convolutions
          path: stem
          within: stem
          channels: [\(width / 2), \(width)]
          stride: 2
          activation: gelu
        - kind: sequence
          path: backbone
          of:
      \(backbone.map { "      " + $0 }.joined(separator: "\n"))
        - {kind: embedding, path: prediction, first: 1, channels: \(embedding)}
        - {kind: classifiers, heads: [head, dist_head]}

      """
  }
}
