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
    var result = [
      LoweringCandidate(
        GatedMaxRelativeKernel.Lowering.direct.rawValue, cost: Double(measuring * (offsets.count + 1) + 1),
        reason: "\(offsets.count) rolls measured and read in place")
    ]
    let measured = SharedDistances(offsets, height: height, width: width).measured.count
    if measured < offsets.count {
      // Every roll loads and compares a distance; the neighbours it admits are read from memory once more.
      result.append(
        LoweringCandidate(
          GatedMaxRelativeKernel.Lowering.symmetric.rawValue,
          cost: Double(measuring * (measured + 1) + 1 + offsets.count),
          reason: "\(measured) of \(offsets.count) rolls measured, the others' distances shared"))
    }
    return result
  }
}
