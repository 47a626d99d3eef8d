import IR
import Testing

@testable import Frontends

/// Parameters that have a number for each pixel, at the spec's own input size and at others.
@Suite struct PositionsTests {
  private static let spec = """
    name: small
    input: {height: 16, width: 24}
    classes: 5
    modules:
      - {kind: convolutions, path: stem, channels: 8, stride: 2, activation: gelu}
      - {kind: positions, path: pos_embed}
      - kind: sequence
        path: body
        of:
          - kind: dynamic_grapher
            construction: {kind: knn, k: 3, dilation: 2}
            aggregation: {kind: max_relative, direction: neighbor_minus_self}
            reduction: 2
            relative_positions: true
            groups: 4
          - {kind: hypergrapher, hyperedges: 3, groups: 2}
      - {kind: prediction, path: prediction, channels: 16}

    """

  private func model() throws -> ModelSpec { try ModelSpec(parsing: Self.spec, file: "s.yaml") }

  @Test func parametersComeBeforeThoseOfChildren() throws {
    let entries = try model().build().entries
    let first = entries.prefix(2).map { $0.name }
    #expect(first == ["pos_embed", "stem.0.weight"])
    #expect(entries.first { $0.name == "pos_embed" }?.shape == [1, 8, 8, 12])
    #expect(entries.first { $0.name == "body.0.relative_pos" }?.shape == [1, 96, 24])
  }

  @Test func anotherSizeNeedsResizing() throws {
    let spec = try model()
    #expect(
      message { try spec.build(height: 20, width: 24) }
        == "s.yaml:6:5: an input of 20x24 for small, whose pos_embed is for 16x24; "
        + "use that size, or let --resize-positions resize it")
    // As many pixels are left as at the published size.
    #expect(try spec.build(height: 15, width: 23).entries.allSatisfy { $0.resized == nil })
  }

  @Test func resizedPositionsRun() throws {
    var model = try model().build(height: 22, width: 18, batch: 2, resizePositions: true)
    #expect(model.entries.first { $0.name == "pos_embed" }?.shape == [1, 8, 8, 12])
    #expect(model.entries.first { $0.name == "pos_embed" }?.resized == [1, 8, 11, 9])
    #expect(model.entries.first { $0.name == "body.0.relative_pos" }?.resized == [1, 99, 20])
    let weights = try WeightSource.synthetic(seed: 0).load(model.entries, model: "small")
    #expect(weights["pos_embed"]?.shape == [1, 8, 11, 9])
    model.graph.weights.merge(weights) { _, loaded in loaded }
    let input: Tensor<Double> = Tensor(
      shape: [2, 3, 22, 18],
      real: SyntheticWeights(seed: 1).uniform("input", count: 2 * 3 * 22 * 18).map(Double.init))
    let logits = try #require(try GraphInterpreter<Double>().run(model.graph, inputs: [input]).first)
    #expect(logits.shape == [2, 5])
    let areFinite = logits.real.allSatisfy { $0.isFinite }
    #expect(areFinite)
  }

  @Test func positionsOfGigabytesAreRefused() throws {
    let text = message { try model().build(height: 800, width: 1344, resizePositions: true) }
    #expect(text.contains("body.0.relative_pos resized to an input of 800x1344 takes 72253440000 bytes"))
  }

  /// The interpolation of PyTorch's documentation: A = -0.75, between pixel centres, edges repeated.
  @Test func bicubicWeights() {
    let same = TensorData(shape: [1, 2, 3], floats: [1, 2, 3, 4, 5, 6])
    #expect(BicubicResize.resized(same, to: [1, 2, 3]) == same)
    // Halving meets the middle between two pixels: weights (-3, 19, 19, -3) / 32 over pixels clamped to the row.
    let half = BicubicResize.resized(TensorData(shape: [1, 4], floats: [0, 32, 64, 128]), to: [1, 2])
    #expect(half.floats == [19 - 6, -3 + 38 + 76 - 12])
    // Doubling meets quarters: 1.25 away from the first of four, then 0.25, 0.75 and 1.75.
    let weights: [Float] = [-0.10546875, 0.87890625, 0.26171875, -0.03515625]
    let ramp = TensorData(shape: [1, 4], floats: [0, 0, 1, 0])
    let twice = BicubicResize.resized(ramp, to: [1, 8])
    #expect(twice.floats[3] == weights[2])
    #expect(twice.floats[5] == weights[1])
    #expect(twice.floats[1] == weights[3])
  }

  @Test func membershipsAreMadeOfTheirSeed() throws {
    let first = try model().build().graph.weights
    #expect(first.keys.sorted() == ["memberships.0"])
    #expect(try model().build(membershipSeed: 1).graph.weights != first)
    let values = try #require(first["memberships.0"])
    #expect(values.shape == [1, 96, 3])
    let expected = SyntheticWeights().uniform("memberships.0", count: 3).map { ($0 + 1) / 2 }
    #expect(Array(values.floats.prefix(3)) == expected)
  }
}
