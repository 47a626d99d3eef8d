extension Zoo {
  /// MobileViGv2 (Avery et al., 2024): every stage but the first ends in graph mixers over MGC graphs.
  ///
  /// Sizes, state-dict names and evaluation settings are those of the published code, SLDGroup/MobileViGv2.
  static let mobileViGv2 = [
    mobileViGv2("mobilevigv2_ti", local: [2, 2, 6, 2], mixers: 2, channels: [32, 64, 128, 256], embedding: 512),
    mobileViGv2("mobilevigv2_s", local: [3, 3, 9, 3], mixers: 3, channels: [32, 64, 128, 256], embedding: 512),
    mobileViGv2("mobilevigv2_m", local: [3, 3, 9, 3], mixers: 3, channels: [32, 64, 192, 384], embedding: 512),
    mobileViGv2("mobilevigv2_b", local: [3, 3, 9, 3], mixers: 3, channels: [64, 128, 256, 512], embedding: 768),
  ]

  private static func mobileViGv2(
    _ name: String, local: [Int], mixers: Int, channels: [Int], embedding: Int
  ) -> Entry {
    let stages = [0, 8, 4, 2].enumerated().map { index, step in
      MixerStage(
        channels: channels[index],
        residual: "{kind: separable_residual, repeat: \(local[index]), layer_scale: layer_scale_1}",
        mixers: step == 0 ? 0 : mixers, construction: "{kind: mgc, step: \(step)}", scaleShape: "image")
    }
    return Entry(
      name: name, family: "MobileViGv2",
      yaml: mixerNetwork(name, family: "MobileViGv2", stages: stages, embedding: embedding))
  }
}
