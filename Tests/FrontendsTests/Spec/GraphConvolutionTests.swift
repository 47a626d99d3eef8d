import Foundation
import IR
import Testing

@testable import Frontends

/// The graph convolutions of the published code of ViG, against what its formulas say pixel by pixel.
@Suite struct GraphConvolutionTests {
  private static func spec(_ aggregation: String, _ graph: String) -> String {
    """
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
  }

  private static let graphs = [
    "construction: {kind: knn, k: 3, dilation: 2}",
    "construction: {kind: knn, k: 4}, reduction: 2, relative_positions: true",
    "construction: {kind: svga, step: 2}", "construction: {kind: mgc, step: 3}",
    "construction: {kind: lsgc, base: 3}",
  ]

  private static let maxRelative = "kind: max_relative, direction: neighbor_minus_self"

  /// What a run of a model leaves for a look: features, candidates, their graph, and what goes into `fc2`.
  private struct Run {
    var features = Tensor<Double>(shape: [0], real: [])
    var candidates: Tensor<Double>?
    var graph: NeighborhoodValue?
    var result = Tensor<Double>(shape: [0], real: [])
    var weights: [String: TensorData] = [:]

    init(_ text: String) throws {
      var model = try ModelSpec(parsing: text, file: "s.yaml").build(height: 6, width: 10, batch: 2)
      weights = try WeightSource.synthetic(seed: 0).load(model.entries, model: "small")
      model.graph.weights.merge(weights) { _, loaded in loaded }
      let count = 2 * 3 * 6 * 10
      let input = Tensor<Double>(
        shape: [2, 3, 6, 10], real: SyntheticWeights(seed: 1).uniform("input", count: count).map(Double.init))
      var values: [ValueID: RuntimeValue<Double>] = [:]
      _ = try GraphInterpreter<Double>().run(model.graph, inputs: [input]) { node, results in
        for (value, result) in zip(node.results, results) { values[value] = result }
      }
      for node in model.graph.nodes {
        if node.op is BuildNeighborhood {
          features = try #require(values[node.operands[0]]).tensor
          if case .neighborhood(let value, _) = values[node.results[0]] { graph = value }
        }
        if node.op is AveragePool { candidates = try #require(values[node.results[0]]).tensor }
        if node.op is Conv2D, node.layer == "body.0.fc2.0" { result = try #require(values[node.operands[0]]).tensor }
      }
    }

    /// The features of the neighbours of a pixel of an image, in order.
    func neighbors(_ n: Int, _ pixel: Int) -> [[Double]] {
      switch graph {
      case .indices(let indices, let count):
        return (0..<count).map { row(candidates ?? features, n, indices[(n * 60 + pixel) * count + $0]) }
      case .offsets(let offsets):
        return offsets.map { offset in
          let y = (pixel / 10 - offset.dy + 60) % 6
          let x = (pixel % 10 - offset.dx + 60) % 10
          return row(features, n, y * 10 + x)
        }
      default: return []
      }
    }

    /// The channels of a pixel.
    func row(_ image: Tensor<Double>, _ n: Int, _ pixel: Int) -> [Double] {
      let plane = image.shape[2] * image.shape[3]
      return (0..<image.shape[1]).map { image.real[(n * image.shape[1] + $0) * plane + pixel] }
    }

    /// A pointwise convolution of 4 groups, batch norm and GELU of one pixel's channels.
    func convolution(_ name: String, _ x: [Double]) -> [Double] {
      func weight(_ suffix: String) -> [Double] {
        weights["body.0.graph_conv.gconv.\(name).\(suffix)"]?.floats.map(Double.init) ?? []
      }
      let (kernel, bias) = (weight("0.weight"), weight("0.bias"))
      let depth = x.count / 4
      return bias.indices.map { n in
        let first = n / (bias.count / 4) * depth
        let sum = (0..<depth).reduce(bias[n]) { $0 + kernel[n * depth + $1] * x[first + $1] }
        let normal = (sum - weight("1.running_mean")[n]) / (weight("1.running_var")[n] + 1e-5).squareRoot()
        let y = normal * weight("1.weight")[n] + weight("1.bias")[n]
        return y * 0.5 * (1 + erf(y / 2.0.squareRoot()))
      }
    }

    func check(_ expected: ([Double], [[Double]]) -> [Double]) {
      var worst = 0.0
      #expect(result.shape == [2, 16, 6, 10])
      for n in 0..<2 {
        for pixel in 0..<60 {
          let wanted = expected(row(features, n, pixel), neighbors(n, pixel))
          #expect(wanted.count == 16)
          worst = zip(wanted, row(result, n, pixel)).reduce(worst) { max($0, abs($1.0 - $1.1)) }
        }
      }
      #expect(worst < 1e-12)
    }
  }

  /// Channel by channel over rows of equal length.
  private static func fold(_ rows: [[Double]], _ combine: (Double, Double) -> Double) -> [Double] {
    rows.dropFirst().reduce(rows[0]) { zip($0, $1).map(combine) }
  }

  @Test(arguments: graphs) func edge(_ graph: String) throws {
    let run = try Run(Self.spec("kind: edge", graph))
    run.check { own, others in
      Self.fold(others.map { other in run.convolution("nn", own + zip(other, own).map(-)) }, max)
    }
  }

  @Test(arguments: graphs) func sage(_ graph: String) throws {
    let run = try Run(Self.spec("kind: sage", graph))
    run.check { own, others in
      run.convolution("nn2", own + Self.fold(others.map { run.convolution("nn1", $0) }, max))
    }
  }

  @Test(arguments: graphs) func gin(_ graph: String) throws {
    let run = try Run(Self.spec("kind: gin", graph))
    let eps = Double(try #require(run.weights["body.0.graph_conv.gconv.eps"]?.floats.first))
    #expect(eps != 0)
    run.check { own, others in
      run.convolution("nn", zip(own, Self.fold(others, +)).map { (1 + eps) * $0 + $1 })
    }
  }

  @Test(arguments: graphs) func maxRelative(_ graph: String) throws {
    let run = try Run(Self.spec(Self.maxRelative, graph))
    run.check { own, others in
      let most = Self.fold(others.map { zip($0, own).map(-) }, max)
      return run.convolution("nn", zip(own, most).flatMap { [$0, $1] })
    }
  }

  /// Names and shapes of the published state dict, in its order.
  @Test func stateDicts() throws {
    func entries(_ aggregation: String) throws -> [String] {
      let spec = try ModelSpec(parsing: Self.spec(aggregation, Self.graphs[0]), file: "s.yaml")
      return try spec.build().entries.filter { $0.name.contains("gconv") && !$0.name.contains(".1.") }
        .map { "\($0.name.dropFirst("body.0.graph_conv.gconv.".count)) \($0.shape)" }
    }
    #expect(try entries("kind: edge") == ["nn.0.weight [16, 4, 1, 1]", "nn.0.bias [16]"])
    #expect(try entries(Self.maxRelative) == ["nn.0.weight [16, 4, 1, 1]", "nn.0.bias [16]"])
    #expect(try entries("kind: gin") == ["eps [1]", "nn.0.weight [16, 2, 1, 1]", "nn.0.bias [16]"])
    #expect(
      try entries("kind: sage") == [
        "nn1.0.weight [8, 2, 1, 1]", "nn1.0.bias [8]", "nn2.0.weight [16, 4, 1, 1]", "nn2.0.bias [16]",
      ])
  }

  @Test func refusals() {
    func refusal(_ aggregation: String, _ graph: String = Self.graphs[0]) -> String {
      message { try ModelSpec(parsing: Self.spec(aggregation, graph), file: "s.yaml").build() }
    }
    #expect(refusal("kind: mean").contains("must be one of max_relative, max, sum, edge, gin, sage"))
    #expect(refusal("start: 0").contains("must be one of max_relative, max, sum, edge, gin, sage"))
    #expect(refusal("kind: edge, start: 0").contains("'aggregation' has no attribute 'start'"))
    for kind in ["edge", "sage", "gin"] {
      let gated = refusal("kind: \(kind)", "construction: {kind: dagc, step: 2}")
      #expect(gated.contains("a neighbour that is not admitted is not defined"), "\(gated)")
    }
  }
}
