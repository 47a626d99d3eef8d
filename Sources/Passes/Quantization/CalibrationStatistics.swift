import IR

/// How the values of a float32 graph are distributed over calibration inputs. One input's values at a time are in memory.
struct CalibrationStatistics: Sendable {
  private let graph: Graph
  private(set) var histograms: [ValueID: ValueHistogram] = [:]

  /// - Parameter values: Whose distributions are wanted.
  init(_ graph: Graph, values: some Sequence<ValueID>) {
    self.graph = graph
    for value in values { histograms[value] = ValueHistogram() }
  }

  /// Runs the graph on one input and takes its values into account.
  ///
  /// - Parameter what: The input, for a message.
  mutating func add(_ inputs: [Tensor<Float>], what: String) throws {
    // Moved out for the run, so that the closure changes them in place.
    var histograms = histograms
    self.histograms = [:]
    defer { self.histograms = histograms }
    var problem: Diagnostic?
    try graph.visitReals(inputs) { value, reals in
      guard histograms[value] != nil, problem == nil else { return }
      if let bad = reals.first(where: { !$0.isFinite }) {
        problem = Diagnostic(
          "on \(what) the float model computes \(bad) for %\(graph.values[value.index].name); "
            + "eight bits hold finite numbers")
        return
      }
      histograms[value]?.add(reals)
    }
    if let problem { throw problem }
  }
}

extension Graph {
  /// Runs the graph in float32 and hands over its inputs and the results of its nodes, as far as they are reals.
  func visitReals(_ inputs: [Tensor<Float>], _ body: (ValueID, [Float]) -> Void) throws {
    for (value, tensor) in zip(self.inputs, inputs) {
      if case .real(let reals) = tensor.storage { body(value, reals) }
    }
    // The interpreter's closure may escape as far as its type says; it does not outlive the run.
    try withoutActuallyEscaping(body) { body in
      _ = try GraphInterpreter<Float>().run(self, inputs: inputs) { node, results in
        for (value, result) in zip(node.results, results) {
          if case .tensor(let tensor) = result, case .real(let reals) = tensor.storage { body(value, reals) }
        }
      }
    }
  }
}
