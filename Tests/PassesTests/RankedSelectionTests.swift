import Frontends
import IR
import Testing

@testable import Passes

/// The choice of a pixel's neighbours out of its distances, alone: what a stable sort gives, whatever the distances.
@Suite struct RankedSelectionTests {
  /// Candidates, neighbours, ranks from one to the next: thresholds kept by the lanes, searched, and none at all.
  static let selections = [
    (196, 9, 1), (196, 9, 2), (196, 14, 3), (49, 9, 3), (49, 9, 5), (200, 18, 4), (23, 5, 1), (16, 9, 1), (1, 1, 1),
    (1000, 12, 1),
  ]

  /// Distances by name, made of numbers in -1 ..< 1: each is where some way to a threshold could go wrong.
  static let distances: [(name: String, make: @Sendable (_ place: Int, _ count: Int, _ number: Float) -> Float)] = [
    ("any", { _, _, number in number }),
    ("the least in one lane, which keeps too few", { place, _, number in (place % 16 == 3 ? 0 : 5) + number }),
    ("lane by lane", { place, _, number in Float(place % 16) + number / 100 }),
    ("some at minus infinity", { _, _, number in number < -0.8 ? -.infinity : number }),
    ("many at minus infinity", { _, _, number in number < 0.3 ? -.infinity : number }),
    ("falling", { place, count, number in Float(count - place) + number / 4 }),
    ("few that differ", { _, _, number in (2 * number).rounded() }),
    ("all alike", { _, _, _ in 0.75 }),
    ("zeros of both signs", { _, _, number in number < 0 ? 0 : -0.0 }),
    ("neighbours among the floats", { _, _, number in Float(bitPattern: 0x3F80_0000 + UInt32(20 * (1 + number))) }),
    (
      "all magnitudes",
      { _, _, number in number * Float(sign: .plus, exponent: Int(number * 8192) % 127, significand: 1) }
    ),
    ("few that are finite", { _, _, number in number < -0.75 ? number : .infinity }),
    ("none that is finite", { _, _, _ in .infinity }),
  ]

  @Test(arguments: LoweringTests.targets, selections)
  func choosesAsASortWould(_ name: String, _ shape: (candidates: Int, count: Int, step: Int)) throws {
    let target = try Target.named(name)
    let selection = NearestSelection(count: shape.count, step: shape.step, leastNorm: 1e-12)
    let kernel = TopKSelection(candidates: shape.candidates, selection: selection, lanes: target.lanes)
    var builder = ProgramBuilder(name: "selection", target: target, workers: 1)
    let function = kernel.function(in: &builder)
    let program = builder.finished()
    try program.verify(target: target)
    let interpreter = try LoopInterpreter(program: program, target: target)
    for (what, make) in Self.distances {
      for seed in 0..<4 {
        let numbers = SyntheticWeights(seed: UInt64(seed)).uniform(what, count: shape.candidates)
        let distances = numbers.enumerated().map { make($0.offset, shape.candidates, $0.element) }
        let padding = roundUp(shape.candidates, toMultipleOf: target.lanes) - shape.candidates
        let given = distances + [Float](repeating: .infinity, count: padding)
        // What the memory holds before must not matter, allowed or not.
        func memory(_ count: Int) -> LoopInterpreterArgument { .view([UInt8](repeating: 0xFF, count: 4 * count)) }
        let results = try interpreter.call(
          function, [.view(given.bytes)] + kernel.scratch.map { memory($0.count) } + [memory(shape.count)])
        let found = try #require(results.last).withUnsafeBytes { $0.bindMemory(to: Int32.self).map(Int.init) }
        let order = distances.indices.filter { distances[$0] < .infinity }
          .sorted { (distances[$0], $0) < (distances[$1], $1) }
        let expected = (0..<shape.count).map { $0 * shape.step < order.count ? order[$0 * shape.step] : 0 }
        #expect(found == expected, "\(what)")
      }
    }
  }
}

extension [Float] {
  fileprivate var bytes: [UInt8] { withUnsafeBytes(Array<UInt8>.init) }
}
