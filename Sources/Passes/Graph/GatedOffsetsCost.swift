import IR

/// What each lowering of max-relative over gated offsets costs, in vector operations a pixel and channel vector.
struct GatedOffsetsCost {
  var offsets: [Offset]
  var height: Int
  var width: Int
  /// Somebody looks at which neighbours are admitted.
  var showsGates: Bool

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
    if !showsGates, let classes = ResidueClasses.of(offsets, height: height, width: width) {
      // A class's features and extremes are read and written once, its extremes written back. Three more decide between 12
      // rolls, where `symmetric` was faster, and 14, where both took equal time (56 x 56 and 64 x 64 pixels, AVX2).
      let sizes = classes.map { "\($0.step) classes of \($0.count)" }.joined(separator: " and ")
      result.append(
        LoweringCandidate(
          GatedMaxRelativeKernel.Lowering.classPairs.rawValue,
          cost: Double(measuring) * (Double(offsets.count) / 2 + 1) + 1 + Double(5 * classes.count + 3),
          reason: "\(sizes) pixels, whose pairs are measured once"))
    }
    return result
  }
}
