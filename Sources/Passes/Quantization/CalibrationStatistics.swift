import IR

/// What the float32 graph computes over calibration inputs, as far as quantisation needs it: how values are distributed,
/// and the mean of what each product reads. One input's values at a time are in memory.
struct CalibrationStatistics: Sendable {
  private let graph: Graph
  private(set) var histograms: [ValueID: ValueHistogram] = [:]
  /// Sums over the inputs, element by element.
  private var sums: [ValueID: [Float]] = [:]
  private var runs = 0

  /// - Parameters:
  ///   - values: Whose distributions are wanted.
  ///   - means: Whose means are wanted.
  init(_ graph: Graph, values: some Sequence<ValueID>, means: some Sequence<ValueID>) {
    self.graph = graph
    for value in values { histograms[value] = ValueHistogram() }
    for value in means { sums[value] = [Float](repeating: 0, count: graph.tensorType(of: value).count) }
  }

  /// Runs the graph on one input and takes its values into account.
  ///
  /// - Parameter what: The input, for a message.
  mutating func add(_ inputs: [Tensor<Float>], what: String) throws {
    var copy = self
    self.histograms = [:]
    self.sums = [:]
    var problem: Diagnostic?
    for (value, tensor) in zip(graph.inputs, inputs) { problem = problem ?? copy.take(value, tensor, what) }
    if let problem { throw problem }
    _ = try GraphInterpreter<Float>().run(graph, inputs: inputs) { node, results in
      for (value, result) in zip(node.results, results) {
        if case .tensor(let tensor) = result, problem == nil { problem = copy.take(value, tensor, what) }
      }
    }
    if let problem { throw problem }
    copy.runs += 1
    self = copy
  }

  /// Takes one value into account; returns what is wrong with it.
  private mutating func take(_ value: ValueID, _ tensor: Tensor<Float>, _ what: String) -> Diagnostic? {
    guard case .real(let values) = tensor.storage, histograms[value] != nil || sums[value] != nil else { return nil }
    if let bad = values.first(where: { !$0.isFinite }) {
      return Diagnostic(
        "on \(what) the float model computes \(bad) for %\(graph.values[value.index].name); eight bits hold finite numbers")
    }
    histograms[value]?.add(values)
    if var sum = sums.removeValue(forKey: value) {
      for place in sum.indices { sum[place] += values[place] }
      sums[value] = sum
    }
    return nil
  }

  /// The mean of a value over the inputs.
  func mean(of value: ValueID) -> Tensor<Float>? {
    guard let sum = sums[value], runs > 0 else { return nil }
    let factor = 1 / Float(runs)
    return Tensor(shape: graph.tensorType(of: value).shape, real: sum.map { $0 * factor })
  }
}
