import IR

/// What each lowering of max-relative over gated offsets costs, in vector operations a pixel and channel vector.
struct GatedOffsetsCost {
  var offsets: [Offset]
  var height: Int
  var width: Int
  /// Whether the gates are read elsewhere.
  var showsGates: Bool

  /// Every lowering that applies.
  var candidates: [LoweringCandidate] {
    // Measuring a neighbour takes two loads, a subtraction, an absolute value and an addition; the sample counts as one
    // more neighbour. Taking a neighbour is a branch that waits for its distance.
    let (measuring, branch) = (5, 2)
    var result = [
      LoweringCandidate(
        GatedMaxRelativeFunctions.Lowering.direct.rawValue,
        cost: Double(measuring * (offsets.count + 1) + 1 + branch * offsets.count),
        reason: "\(offsets.count) rolls measured and read in place")
    ]
    let measured = SharedDistances(offsets, height: height, width: width).measured.count
    if measured < offsets.count {
      // Every roll loads and compares a distance; the neighbours it admits are read from memory once more.
      result.append(
        LoweringCandidate(
          GatedMaxRelativeFunctions.Lowering.symmetric.rawValue,
          cost: Double(measuring * (measured + 1) + 1 + (branch + 1) * offsets.count),
          reason: "\(measured) of \(offsets.count) rolls measured, the others' distances shared"))
    }
    if !showsGates, let classes = ResidueClasses.of(offsets, height: height, width: width) {
      // Two pixels measured against two share their loads. Besides its pairs a class costs the copying together and the
      // listing of neighbours. Measured with 6, 12, 24 and 48 vectors of channels, `symmetric` was faster in two of the
      // four with classes of 4, and in none with classes of 5 (AVX2, inputs of 128 and 160 pixels a side).
      let (pair, axisAlone) = (4, 13.5)
      let sizes = classes.map { "\($0.step) classes of \($0.count)" }.joined(separator: " and ")
      result.append(
        LoweringCandidate(
          GatedMaxRelativeFunctions.Lowering.classPairs.rawValue,
          cost: Double(pair * offsets.count) / 2 + Double(measuring + 1) + axisAlone * Double(classes.count),
          reason: "\(sizes) pixels, whose pairs are measured once"))
    }
    return result
  }
}
