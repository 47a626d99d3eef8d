extension Zoo {
  /// MobileViG (Munir et al., 2023): three local stages of inverted residuals, one global stage of SVGA graphers.
  ///
  /// Sizes, state-dict names and evaluation settings are those of the published code, SLDGroup/MobileViG.
  static let mobileViG = [
    mobileViG("mobilevig_ti", local: [2, 2, 6], channels: [42, 84, 168, 256], global: 2, embedding: 512),
    mobileViG("mobilevig_s", local: [3, 3, 9], channels: [42, 84, 176, 256], global: 3, embedding: 512),
    mobileViG("mobilevig_m", local: [3, 3, 9], channels: [42, 84, 224, 400], global: 3, embedding: 768),
    mobileViG("mobilevig_b", local: [5, 5, 15], channels: [42, 84, 240, 464], global: 5, embedding: 768),
  ]

  private static func mobileViG(
    _ name: String, local: [Int], channels: [Int], global: Int, embedding: Int
  ) -> Entry {
    let yaml = """
      name: \(name)
      family: MobileViG
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
          channels: [\(channels[0] / 2), \(channels[0])]
          stride: 2
          activation: gelu
        - kind: sequence
          path: local_backbone
          of:
            - {kind: inverted_residual, repeat: \(local[0]), expansion: 4}
            - {kind: convolutions, within: conv, channels: \(channels[1]), stride: 2, activation: none}
            - {kind: inverted_residual, repeat: \(local[1]), expansion: 4}
            - {kind: convolutions, within: conv, channels: \(channels[2]), stride: 2, activation: none}
            - {kind: inverted_residual, repeat: \(local[2]), expansion: 4}
            - {kind: convolutions, within: conv, channels: \(channels[3]), stride: 2, activation: none}
        - kind: sequence
          path: backbone
          of:
            - kind: sequence
              repeat: \(global)
              of:
                - kind: grapher
                  construction: {kind: svga, step: 2}
                  aggregation: {kind: max_relative, direction: self_minus_neighbor, start: 0}
                  expansion: 2
                - {kind: feed_forward, expansion: 4}
        - {kind: embedding, path: prediction, first: 1, channels: \(embedding)}
        - {kind: classifiers, heads: [head, dist_head]}

      """
    return Entry(name: name, family: "MobileViG", yaml: yaml)
  }
}
