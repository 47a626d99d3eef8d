import IR

/// Rebuilds a graph node by node, so that a pass only says what replaces what.
///
/// Nodes are visited in order; when a node comes up, everything it reads has been rebuilt. A replaced node's old
/// producers stay until `finished()` drops what is not used.
struct GraphRewriter {
  private(set) var graph: Graph
  /// The graph as it was.
  let source: Graph
  private var substitutions: [ValueID: ValueID] = [:]
  private(set) var definitions: [ValueID: Int] = [:]
  private var useCounts: [ValueID: Int] = [:]

  private init(_ source: Graph) {
    graph = source
    self.source = source
    graph.nodes = []
    for node in source.nodes {
      for operand in node.operands { useCounts[operand, default: 0] += 1 }
    }
    for output in source.outputs { useCounts[output, default: 0] += 1 }
  }

  /// Rewrites `source`: `visit` gets each node with its operands already replaced and returns the values that take the
  /// place of its results, or nil to keep the node.
  static func rewrite(
    _ source: Graph, _ visit: (inout GraphRewriter, Node) throws -> [ValueID]?
  ) throws -> Graph {
    var rewriter = GraphRewriter(source)
    for node in source.nodes {
      var current = node
      current.operands = node.operands.map { rewriter.resolve($0) }
      if let replacement = try visit(&rewriter, current) {
        for (old, new) in zip(node.results, replacement) {
          rewriter.substitutions[old] = new
          // For a reader of the text, what a pass makes in a node's place is still that node.
          if new.index >= source.values.count { rewriter.graph.swapNames(old, new) }
          rewriter.useCounts[new] = rewriter.useCounts[old, default: 0]
        }
      } else {
        rewriter.append(current)
      }
    }
    rewriter.graph.outputs = source.outputs.map { rewriter.resolve($0) }
    return rewriter.graph.compacted()
  }

  private func resolve(_ value: ValueID) -> ValueID { substitutions[value] ?? value }

  private mutating func append(_ node: Node) {
    for result in node.results { definitions[result] = graph.nodes.count }
    graph.nodes.append(node)
  }

  /// The rebuilt node that makes a value; nil for inputs.
  func definition(of value: ValueID) -> Node? { definitions[value].map { graph.nodes[$0] } }

  /// How often the source graph uses the value, outputs counted.
  func useCount(_ value: ValueID) -> Int { useCounts[value, default: 0] }

  /// The op that makes a value, if it is an `O` that has no other users.
  func single<O: Op>(_ type: O.Type, _ value: ValueID) -> (op: O, node: Node)? {
    guard let node = definition(of: value), let op = node.op as? O, useCount(value) == 1 else { return nil }
    return (op, node)
  }

  /// Adds a node in the layer of another.
  mutating func add(_ op: any Op, _ operands: [ValueID], name: String = "", like node: Node) throws -> [ValueID] {
    let results = try graph.add(op, operands, name: name, layer: node.layer, location: node.location)
    for result in results { definitions[result] = graph.nodes.count - 1 }
    return results
  }

  /// Whether a value is a float32 constant whose contents are loaded.
  func isConstant(_ value: ValueID) -> Bool {
    guard let constant = definition(of: value)?.op as? Constant, constant.type.element == .f32 else { return false }
    switch constant.source {
    case .inline: return true
    case .named(let name): return graph.weights[name] != nil
    }
  }

  /// The contents of a float32 constant in double; nil when the value is not one.
  func constant(_ value: ValueID) -> [Double]? { definition(of: value).flatMap { graph.contents(of: $0) } }

  /// Adds a float32 constant under a name made from `hint`.
  mutating func addConstant(_ values: [Double], shape: [Int], hint: String, like node: Node) throws -> ValueID {
    try addConstant(TensorData(shape: shape, floats: values.map { Float($0) }), hint: hint, like: node)
  }

  /// Adds a constant of any type under a name made from `hint`.
  mutating func addConstant(_ data: TensorData, hint: String, like node: Node) throws -> ValueID {
    let name = graph.addWeights(data, hint: hint)
    return try add(Constant(type: data.type, source: .named(name)), [], name: name, like: node)[0]
  }
}

extension Graph {
  /// Adds contents for a constant under the hint, or the hint and a number, and returns their name.
  mutating func addWeights(_ data: TensorData, hint: String) -> String {
    var name = hint
    var suffix = 2
    while weights[name] != nil {
      name = "\(hint).\(suffix)"
      suffix += 1
    }
    weights[name] = data
    return name
  }

  /// The contents of a `constant` node of any element type, row-major; nil for another node or contents not loaded.
  func data(of node: Node) -> TensorData? {
    guard let constant = node.op as? Constant else { return nil }
    switch constant.source {
    case .inline(let values): return TensorData(constant.type.element, shape: constant.type.shape, values)
    case .named(let name): return weights[name]
    }
  }

  /// The contents of a float32 `constant` node, in double; nil for another node or contents not loaded.
  func contents(of node: Node) -> [Double]? {
    guard let constant = node.op as? Constant, constant.type.element == .f32 else { return nil }
    switch constant.source {
    case .inline(let values): return values
    case .named(let name): return weights[name].map { $0.floats.map(Double.init) }
    }
  }
}
