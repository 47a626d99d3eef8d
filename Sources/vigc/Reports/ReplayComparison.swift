import Codegen
import Frontends
import IR
import Passes

/// Compares a compiled model with the interpreter when both use the graphs that the compiled one chose.
///
/// A difference in the last bit can change a neighbour or a hyperedge, and everything after it: the outputs of two
/// correct implementations differ by percents. So the arithmetic and the choices are judged by themselves. A variant of
/// the library returns, besides the outputs, every data-dependent graph and what it was chosen from. The interpreter,
/// in double, runs on the same graphs, and the outputs must agree; and each graph must be one that rounding explains,
/// by the measure of its kind (`GraphConstruction.violation`), from the very features the library had.
struct ReplayComparison {
  var tolerance: Double
  var engine: Engine

  /// What came out: the outputs' relative L2 error, a table of the graphs, and what is wrong with them.
  struct Outcome {
    var error: Double
    var table: String
    var problems: [String]
  }

  func run(_ compilation: Compilation, _ inputs: [TensorData]) async throws -> Outcome {
    var probe = compilation
    var graph = compilation.model.graph
    var choices = graph.nodes.compactMap { Choice($0, in: graph) }
    if choices.isEmpty {
      // An exporter's graph makes its choices op by op; the compiled model has them as graphs.
      graph = try probe.run(Pipeline.raising, on: graph)
      probe.model.graph = graph
      choices = graph.nodes.compactMap { Choice($0, in: graph) }
    }
    guard !choices.isEmpty else {
      throw Diagnostic("\(compilation.name) has no graph that depends on data: leave out --replay")
    }
    for choice in choices {
      probe.model.graph.outputs += try probe.model.graph.add(Links(), [choice.value], layer: choice.layer)
    }
    // A tensor that several graphs were chosen from comes out once.
    let constants = Set(graph.nodes.filter { $0.op is Constant }.flatMap(\.results))
    let sources = Set(choices.flatMap(\.node.operands)).subtracting(constants).sorted()
    probe.model.graph.outputs += sources
    let outputs = try await probe.execute(engine, inputs)
    let links = outputs[graph.outputs.count...].prefix(choices.count)
    var tensors: [ValueID: Tensor<Double>] = [:]
    for (source, values) in zip(sources, outputs.suffix(sources.count)) {
      tensors[source] = Tensor(shape: graph.tensorType(of: source).shape, real: values)
    }
    for node in graph.nodes {
      if let constant = node.op as? Constant { tensors[node.results[0]] = try constant.contents(in: graph.weights) }
    }

    var table = Table(["graph", "form", "violation"], numbers: [2])
    var problems: [String] = []
    var forced: [ValueID: NeighborhoodValue] = [:]
    for (choice, numbers) in zip(choices, links) {
      let chosen = try choice.type.value(links: numbers.map { Int($0) })
      forced[choice.value] = chosen
      let operands = choice.node.operands.compactMap { tensors[$0] }
      let violation = try choice.construction.violation(of: chosen, x: operands[0], data: Array(operands.dropFirst()))
      table.add([choice.layer, "\(ValueType.neighborhood(choice.type))", short(violation)])
      if !(violation <= tolerance) {
        problems.append("\(choice.layer): the graph is \(short(violation)) from one that could be chosen")
      }
    }
    let replayed = try await Console.progress("interpreting \(compilation.name) on the same graphs") {
      try GraphInterpreter<Double>().run(graph, inputs: inputs.map { Tensor($0) }, forcing: forced).map(\.real)
    }
    let found = outputs.prefix(graph.outputs.count)
    return Outcome(
      error: relativeError(found.flatMap { $0 }, replayed.flatMap { $0 }), table: table.text, problems: problems)
  }

  /// A node that builds a graph out of data.
  private struct Choice {
    var node: Node
    var construction: any GraphConstruction
    var type: NeighborhoodType

    init?(_ node: Node, in graph: Graph) {
      guard let build = node.op as? BuildNeighborhood, let type = graph.type(of: node.results[0]).neighborhood,
        type.storage.map({ $0.count > 0 }) ?? false
      else { return nil }
      (self.node, construction, self.type) = (node, build.construction, type)
    }

    var value: ValueID { node.results[0] }
    var layer: String { node.layer }
  }
}
