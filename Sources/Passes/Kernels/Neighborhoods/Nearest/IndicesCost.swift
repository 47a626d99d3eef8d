import IR

/// What each lowering of a choice of nearest neighbours costs: floats a pixel that are read from beyond the first cache
/// or written there. Those from beyond the second cache, or from another worker's, count `farFactor` times. Products
/// and selection are the same work in both, so they are left out.
struct IndicesCost {
  var pixels: Int
  var candidates: Int
  var channels: Int

  /// Floats of the first cache that a block of pixels' features may take; half of 32 KiB, what every target has.
  private static let nearby = 4096
  /// Floats of the second cache that features, candidates or distances may take; half of 512 KiB, which the x86 targets have
  /// at least. `scalar` assumes 256 KiB and shares the figure.
  private static let second = 65536
  /// The cost of a float from beyond the second cache, or from another worker's, in floats from the second cache.
  /// Assumed, not measured.
  private static let farFactor = 4.0
  /// Candidates of one panel of the product.
  private static let panel = 16

  /// Both lowerings: they always apply.
  var lowerings: [LoweringCandidate] {
    let rows = NearestFunctions.blockPixels(pixels: pixels, candidates: candidates)
    return [
      LoweringCandidate(
        NearestLowering.streamed.rawValue, cost: cost(block: rows, distances: rows * candidates),
        reason: "candidates read once for \(rows) pixels, whose \(rows) x \(candidates) distances "
          + (rows * candidates > Self.second ? "lie behind the second cache" : "stay near")),
      LoweringCandidate(
        NearestLowering.fullMatrix.rawValue, cost: cost(block: pixels, distances: nil),
        reason: "candidates read once, \(pixels) x \(candidates) distances written by candidates and read by pixels"),
    ]
  }

  /// Floats a pixel, if `block` pixels meet all candidates at once. `distances` is how many distances they leave before
  /// neighbours are chosen; nil if one of several workers reads what another wrote.
  private func cost(block: Int, distances: Int?) -> Double {
    func price(_ floats: Int) -> Double { floats > Self.second ? Self.farFactor : 1 }
    // Each panel of candidates meets the features of all pixels of a block, which stay in the first cache if they are few.
    let features = block * channels
    let featureReads = features <= Self.nearby ? 0 : Double(channels * ceilDivide(candidates, Self.panel))
    let candidateReads = Double(candidates * channels) / Double(block)
    return candidateReads * price(candidates * channels) + featureReads * price(features)
      + 2 * Double(candidates) * (distances.map(price) ?? Self.farFactor)
  }
}
