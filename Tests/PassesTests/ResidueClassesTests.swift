import IR
import Testing

@testable import Passes

/// Rolls that join whole residue classes, and when measuring those by pairs is the cheapest.
@Suite struct ResidueClassesTests {
  @Test func classesAreRollsThatJoinAllOfThem() {
    func classes(_ rolls: [(Int, Int)], _ height: Int, _ width: Int) -> [ResidueClasses]? {
      ResidueClasses.of(rolls.map { Offset(dy: $0.0, dx: $0.1) }, height: height, width: width)
    }
    let both = [
      ResidueClasses(axis: .vertical, step: 2, count: 3), ResidueClasses(axis: .horizontal, step: 3, count: 2),
    ]
    #expect(classes([(2, 0), (4, 0), (0, 3)], 6, 6) == both)
    // Two steps back of three are one forward.
    #expect(classes([(-2, 0), (0, 3), (-4, 0)], 6, 6) == both)
    #expect(classes([(0, 1), (0, 2)], 4, 3) == [ResidueClasses(axis: .horizontal, step: 1, count: 3)])
    // A step that does not divide, a class with a gap, a roll twice, one along no axis or along both.
    let others = [
      [(2, 0), (4, 0), (6, 0)], [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)], [(0, 2), (0, 4), (0, 2)], [(0, 0)], [(1, 1)],
      [],
    ]
    for rolls in others { #expect(classes(rolls, 7, 6) == nil) }
    // As long as a class may be, and longer.
    for (count, found) in [(128, [ResidueClasses(axis: .vertical, step: 1, count: 128)]), (129, nil)] {
      #expect(classes((1..<count).map { ($0, 0) }, count, 3) == found)
    }
  }

  @Test func longClassesAreMeasuredByPairs() {
    func cheapest(_ side: Int, _ step: Int) -> String? {
      let steps = Array(stride(from: step, to: side, by: step))
      return GatedOffsetsCost(
        offsets: steps.map { Offset(dy: $0, dx: 0) } + steps.map { Offset(dy: 0, dx: $0) }, height: side, width: side,
        showsGates: false
      ).candidates.min { $0.cost < $1.cost }?.name
    }
    #expect(cheapest(32, 8) == "symmetric")
    #expect(cheapest(40, 8) == "class_pairs")
    #expect(cheapest(56, 8) == "class_pairs")
    #expect(cheapest(256, 8) == "class_pairs")
    #expect(cheapest(65, 8) == "direct")
  }
}
