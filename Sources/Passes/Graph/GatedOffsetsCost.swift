import IR

/// What each lowering of max-relative over gated offsets costs, in vector operations a pixel and channel vector.
struct GatedOffsetsCost {
  var offsets: [Offset]
  var height: Int
  var width: Int

  /// Every lowering that applies.
  var candidates: [LoweringCandidate] {
    // To measure a neighbour is two loads, a subtraction, an absolute value and an addition; the sample is one more.
    let measuring = 5
    return [
      LoweringCandidate(
        GatedMaxRelativeKernel.Lowering.direct.rawValue, cost: Double(measuring * (offsets.count + 1) + 1),
        reason: "\(offsets.count) rolls measured and read in place")
    ]
  }
}
