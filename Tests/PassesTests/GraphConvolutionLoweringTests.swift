import Frontends
import IR
import Testing

@testable import Passes

/// Every graph convolution over graphs of every form that has it, as kernels and loops against the graph interpreter.
@Suite struct GraphConvolutionLoweringTests {
  private static let aggregations = [
    "kind: edge", "kind: sage", "kind: gin", "kind: max_relative, direction: neighbor_minus_self",
    "kind: max_relative, direction: self_minus_neighbor, start: 0", "kind: max", "kind: sum",
  ]

  private static let graphs = [
    "construction: {kind: knn, k: 3, dilation: 2}",
    "construction: {kind: knn, k: 4}, reduction: 2, relative_positions: true", "construction: {kind: svga, step: 2}",
  ]

  @Test(arguments: LoweringTests.targets, graphs) func agree(_ target: String, _ graph: String) throws {
    for aggregation in Self.aggregations {
      let text = """
        name: small
        input: {height: 6, width: 10}
        classes: 5
        modules:
          - {kind: convolutions, path: stem, channels: 8, activation: gelu}
          - kind: sequence
            path: body
            of:
              - {kind: dynamic_grapher, aggregation: {\(aggregation)}, \(graph), groups: 4}
          - {kind: prediction, path: prediction, channels: 16}

        """
      var model = try ModelSpec(parsing: text, file: "s.yaml").build(height: 6, width: 10, batch: 2)
      let weights = try WeightSource.synthetic(seed: 0).load(model.entries, model: "small")
      model.graph.weights.merge(weights) { _, loaded in loaded }
      #expect(try LoweringTests.error(model.graph, target: target, workers: 2) < 2e-6, "\(aggregation)")
    }
  }
}
