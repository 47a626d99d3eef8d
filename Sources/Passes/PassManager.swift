import IR

/// Runs passes in order, verifies the graph after each, and keeps the time and, on request, the text after each.
public struct PassManager {
  public struct Report: Sendable {
    public var pass: String
    public var milliseconds: Double
    /// Nodes after the pass.
    public var nodes: Int
  }

  /// Called after each pass with its name and result, for `--print-ir-after`.
  public var observe: ((String, Graph) throws -> Void)?
  public private(set) var reports: [Report] = []

  public init(observe: ((String, Graph) throws -> Void)? = nil) { self.observe = observe }

  /// - Throws: A `DiagnosticList` if the graph is invalid to begin with, and any error of a pass. A graph that a pass
  ///   left invalid is a bug of ours and stops the process, naming the pass.
  public mutating func run(_ passes: [any Pass], on graph: Graph) throws -> Graph {
    try GraphVerifier.verify(graph, fuses: Kernels.rules)
    var current = graph
    let clock = ContinuousClock()
    for pass in passes {
      let start = clock.now
      current = try pass.run(current)
      let elapsed = clock.now - start
      do {
        try GraphVerifier.verify(current, fuses: Kernels.rules)
      } catch {
        // Not a precondition: optimised builds drop its message, and the pass's name is what matters.
        fatalError("the pass '\(pass.name)' left an invalid graph:\n\(error)")
      }
      let (seconds, attoseconds) = elapsed.components
      reports.append(
        Report(
          pass: pass.name, milliseconds: Double(seconds) * 1e3 + Double(attoseconds) / 1e15,
          nodes: current.nodes.count))
      try observe?(pass.name, current)
    }
    return current
  }
}
