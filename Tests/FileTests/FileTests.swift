import Frontends
import IR
import Passes
import Testing

/// `// opt --passes a,b [--target T] [--mean ... --std ...]`: a graph, then `// expect` and the graph that must come out.
///
/// Beyond the text, each case holds that the result verifies, that running the passes again changes nothing, and that
/// the graph still computes what it did.
@Suite struct FileTests {
  @Test(arguments: FileCase.cases(of: .opt)) func fileCase(_ path: String) throws {
    let file = try FileCase(path)
    let passes = try Passes(of: file)
    let before = try file.graph()
    let after = try passes.run(before)
    let printed = GraphPrinter.print(after)
    try file.expect(printed)
    try GraphVerifier.verify(after)
    if passes.areIdempotent { #expect(GraphPrinter.print(try passes.run(after)) == printed) }
    try expectSameResults(before, after, passes)
  }

  private func expectSameResults(_ before: Graph, _ after: Graph, _ passes: Passes) throws {
    var inputs: [Tensor<Double>] = []
    for (index, input) in before.inputs.enumerated() {
      let shape = before.tensorType(of: input).shape
      let values = SyntheticWeights(seed: UInt64(index)).uniform("input", count: shape.reduce(1, *))
      inputs.append(Tensor(shape: shape, real: values.map(Double.init)))
    }
    let old = try GraphInterpreter<Double>().run(before, inputs: passes.normalized(inputs))
    let new = try GraphInterpreter<Double>().run(after, inputs: inputs)
    #expect(old.count == new.count)
    for (a, b) in zip(old, new) {
      #expect(a.shape == b.shape && a.element == b.element)
      if !a.element.isFloat {
        #expect(a.integer == b.integer)
        continue
      }
      let scale = a.real.map(abs).max() ?? 1
      for (x, y) in zip(a.real, b.real) { #expect(abs(x - y) <= 1e-6 * max(1, scale)) }
    }
  }
}

/// What the first line of an `opt` case asks for.
private struct Passes {
  var passes: [any Pass]
  var mean: [Double]?
  var deviation: [Double]?

  /// Putting the normalisation in front twice normalises twice; every other pass may run twice.
  var areIdempotent: Bool { mean == nil }

  init(of file: FileCase) throws {
    func numbers(_ name: String) -> [Double]? { file.option(name)?.split(separator: ",").compactMap { Double($0) } }
    mean = numbers("mean")
    deviation = numbers("std")
    var registry = Pipeline.registry(for: try file.target("avx2"))
    if let mean, let deviation { registry.append(NormalizeInput(mean: mean, standardDeviation: deviation)) }
    passes = try file.passes(from: registry)
  }

  func run(_ graph: Graph) throws -> Graph {
    var manager = PassManager()
    return try manager.run(passes, on: graph)
  }

  /// What the graph without normalisation must be given to compute what the graph with it does.
  func normalized(_ inputs: [Tensor<Double>]) -> [Tensor<Double>] {
    guard let mean, let deviation, let first = inputs.first else { return inputs }
    let plane = first.shape[2] * first.shape[3]
    let values = first.real.enumerated().map { index, value in
      (value - mean[index / plane % mean.count]) / deviation[index / plane % mean.count]
    }
    return [Tensor(shape: first.shape, real: values)] + inputs.dropFirst()
  }
}
