import IR

/// What each lowering of max-relative over fixed offsets costs, in vector loads, stores and comparisons a pixel.
struct OffsetsCost {
  var offsets: [Offset]
  var height: Int
  var width: Int
  var startsAtZero: Bool

  /// Every lowering that applies.
  var candidates: [LoweringCandidate] {
    // A roll is a load and a comparison; self, the subtraction and the store come on top.
    var result = [
      candidate(.fusedRolls, cost: Double(2 * offsets.count + 3), reason: "\(offsets.count) rolls read in place")
    ]
    guard startsAtZero, let steps = MaxRelativeFunction.steps(offsets, height: height, width: width) else {
      return result
    }
    let windows = (y: ceilDivide(height, steps.y), x: ceilDivide(width, steps.x))
    let passes = [windows.y, windows.x].reduce(0) { $0 + Int(Double($1).logarithm2Ceiling) }
    // A doubling pass is two loads, a comparison and a store.
    result.append(
      candidate(
        .windowed, cost: Double(4 * passes + 6),
        reason: "windows of \(windows.y) and \(windows.x) steps in \(passes) doubling passes"))
    if height % steps.y == 0, width % steps.x == 0 {
      // Each axis reads every pixel once and compares once; the class extremes are shared.
      result.append(
        candidate(
          .classReduced, cost: 2 + 2 + 5 + Double(steps.y) / Double(height),
          reason: "the steps \(steps.y) and \(steps.x) divide \(height) x \(width): one extreme a residue class"))
    }
    return result
  }

  private func candidate(
    _ lowering: MaxRelativeFunction.Lowering, cost: Double, reason: String
  ) -> LoweringCandidate {
    LoweringCandidate(lowering.rawValue, cost: cost, reason: reason)
  }
}

extension Double {
  /// The least integer p with 2^p at least self.
  fileprivate var logarithm2Ceiling: Double {
    var power = 0.0
    var reach = 1.0
    while reach < self {
      reach *= 2
      power += 1
    }
    return power
  }
}
