import RealModule

/// Runs a graph node by node with each op's reference semantics: the oracle that everything else is compared with.
///
/// `T` is what the reals of every float type are computed in. Values are freed after their last use.
public struct GraphInterpreter<T: Real & BinaryFloatingPoint & Sendable>: Sendable {
  public init() {}

  /// Runs `graph` on one tensor an input and returns one an output.
  ///
  /// - Parameters:
  ///   - forcing: Graphs to take in place of those that nodes would choose, by the value they are.
  ///   - observe: Called after each node with its results.
  /// - Throws: A `Diagnostic` when an input does not have the type the graph declares, or a constant has no contents.
  public func run(
    _ graph: Graph, inputs: [Tensor<T>], forcing: [ValueID: NeighborhoodValue] = [:],
    observe: ((Node, [RuntimeValue<T>]) -> Void)? = nil
  ) throws -> [Tensor<T>] {
    let names = graph.inputs.map { graph.values[$0.index].name }
    if inputs.count != graph.inputs.count {
      throw Diagnostic(
        "\(graph.name) takes \(graph.inputs.count) inputs (\(names.joined(separator: ", "))), not \(inputs.count)")
    }
    for (place, input) in graph.inputs.enumerated() {
      let found = TensorType(inputs[place].element, inputs[place].shape)
      guard let type = graph.type(of: input).tensor, type.shape == found.shape,
        type.element.isFloat == found.element.isFloat
      else { throw Diagnostic("the input \(names[place]) is \(graph.type(of: input)), not \(found)") }
    }
    try graph.requireTensorBoundary()
    try MemoryLimit.require(Self.peakBytes(graph), for: "the values of \(graph.name) as the interpreter keeps them")
    let results = try run(
      graph, values: inputs.map { .tensor($0) }, weights: graph.weights, forcing: forcing, observe: observe)
    return results.map(\.tensor)
  }

  /// Runs a graph, nested or not, on values of the right types; named constants come from `weights`.
  func run(
    _ graph: Graph, values inputs: [RuntimeValue<T>], weights: [String: TensorData],
    forcing: [ValueID: NeighborhoodValue] = [:], observe: ((Node, [RuntimeValue<T>]) -> Void)?
  ) throws -> [RuntimeValue<T>] {
    var values = [RuntimeValue<T>?](repeating: nil, count: graph.values.count)
    for (id, value) in zip(graph.inputs, inputs) { values[id.index] = value }
    let lastUses = Self.lastUses(graph)
    func value(_ id: ValueID) -> RuntimeValue<T> {
      guard let value = values[id.index] else { preconditionFailure("%\(graph.values[id.index].name) is not computed") }
      return value
    }
    for (position, node) in graph.nodes.enumerated() {
      let operands = node.operands.map(value)
      let results: [RuntimeValue<T>]
      do {
        if let forced = forcing[node.results[0]], let type = graph.type(of: node.results[0]).neighborhood {
          results = [.neighborhood(forced, type)]
        } else {
          results = try evaluate(node, operands, weights: weights)
        }
      } catch var diagnostic as Diagnostic {
        if diagnostic.location == nil { diagnostic.location = node.location }
        throw diagnostic
      }
      for (id, result) in zip(node.results, results) { values[id.index] = result }
      observe?(node, results)
      for id in lastUses[position] { values[id.index] = nil }
    }
    return graph.outputs.map(value)
  }

  private func evaluate(
    _ node: Node, _ operands: [RuntimeValue<T>], weights: [String: TensorData]
  ) throws -> [RuntimeValue<T>] {
    // The two ops that need more than their operands: the weights.
    if let constant = node.op as? Constant { return [.tensor(try constant.contents(in: weights))] }
    if let fuse = node.op as? Fuse { return try run(fuse.body, values: operands, weights: weights, observe: nil) }
    return try node.op.evaluate(operands)
  }
}
