import IR

/// What each lowering of a choice of nearest neighbours costs: floats read from beyond the first cache or written there, a
/// pixel. Products and selection are the same work in both, so they are left out.
struct IndicesCost {
  var pixels: Int
  var candidates: Int
  var channels: Int

  /// Floats of the first cache that a block of pixels' features may take; half of 32 KiB, what every target has.
  private static let nearby = 4096
  /// Floats of the second cache that distances may take; half of 512 KiB, the least a target has.
  private static let second = 65536
  /// A float from behind the second cache, in floats of it. Assumed, not measured.
  private static let farFactor = 4.0
  /// Candidates of one panel of the product.
  private static let panel = 16

  /// Both lowerings: they always apply.
  var lowerings: [LoweringCandidate] {
    let rows = NearestKernel.blockPixels(pixels: pixels, candidates: candidates)
    let panels = Double(ceilDivide(candidates, Self.panel))
    // Each panel of candidates meets the features of all pixels of a block, which stay in the first cache if they are few.
    func features(_ count: Int) -> Double { count * channels <= Self.nearby ? 0 : Double(channels) * panels }
    let distances = 2 * Double(candidates)
    let streamed = Double(candidates * channels) / Double(rows) + features(rows) + distances
    let isFar = pixels * candidates > Self.second
    let full =
      Double(candidates * channels) / Double(pixels) + features(pixels) + distances * (isFar ? Self.farFactor : 1)
    return [
      LoweringCandidate(
        NearestLowering.streamed.rawValue, cost: streamed,
        reason: "candidates read once for \(rows) pixels, whose \(rows) x \(candidates) distances stay near"),
      LoweringCandidate(
        NearestLowering.fullMatrix.rawValue, cost: full,
        reason: "candidates read once, \(pixels) x \(candidates) distances written and read back"
          + (isFar ? " from behind the second cache" : "")),
    ]
  }
}
