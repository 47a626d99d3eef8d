import IR

// Graphs inside nodes: branches and the bodies of loops. They are walked in the node's place, once for each iteration.

/// A graph inside a node, with its weights, which all iterations share.
struct HeldGraph {
  let graph: Onnx_GraphProto
  fileprivate let weights: [String: ImportedValue]
}

extension ImportWalk {
  /// How deep in functions and graphs something within this scope is.
  func deeper(than scope: Scope) throws -> Int {
    if scope.depth >= Self.deepest {
      throw problem("its functions and graphs lie in each other in a circle, or \(Self.deepest) deep")
    }
    return scope.depth + 1
  }

  /// Reads the weights of a graph that the node of `call` holds.
  mutating func held(_ attribute: String, by call: ImportCall, in scope: Scope) throws -> HeldGraph {
    let graph = try call.attributes.graph(attribute)
    return HeldGraph(
      graph: graph, weights: try initializers(of: graph, prefix: "\(scope.prefix)\(call.name)/"))
  }

  /// The results of a held graph for these inputs; nil if a node in it was refused.
  ///
  /// - Parameter turn: The iteration of a loop, which keeps the names of its values apart.
  mutating func outputs(
    of held: HeldGraph, by call: ImportCall, turn: Int? = nil, given inputs: [ImportedValue] = [], in outer: Scope
  ) throws -> [ImportedValue]? {
    let graph = held.graph
    let formal = graph.input.map(\.name)
    guard formal.count == inputs.count else {
      throw Diagnostic("its graph '\(graph.name)' takes \(formal.count) inputs, and it gives \(inputs.count)")
    }
    var scope = outer
    scope.depth = try deeper(than: outer)
    scope.prefix = "\(outer.prefix)\(call.name)/" + (turn.map { "\($0)/" } ?? "")
    scope.around.append(outer.values)
    scope.values = held.weights
    for (name, value) in zip(formal, inputs) { scope.values[name] = value }
    let (name, layer) = (builder.name, builder.layer)
    defer { (builder.name, builder.layer) = (name, layer) }
    let before = problems.count
    try walk(graph.node, &scope)
    if problems.count > before { return nil }
    let results = try graph.output.map { output in
      guard let value = scope.value(output.name) else {
        throw problem("the graph '\(graph.name)' returns '\(output.name)', which it computes nowhere")
      }
      return value
    }
    return results.contains(where: \.isRefused) ? nil : results
  }
}
