import IR

extension Graph {
  /// Whether a value, here or in a nested graph, has a layout that meets `condition`.
  func hasLayouts(where condition: (Layout) -> Bool) -> Bool {
    values.contains { $0.type.tensor.map { condition($0.layout) } ?? false }
      || nodes.contains { $0.op.region?.hasLayouts(where: condition) ?? false }
  }

  /// The same graph before layouts were assigned: values are row-major and nothing is converted. This way a graph that
  /// was laid out for one target, and written to a file, can be laid out for another.
  ///
  /// What a caller passes in keeps the layout that the graph says it has.
  func withoutLayouts() throws -> Graph {
    try GraphRewriter.rewrite(self) { rewriter, node in
      switch node.op {
      case is ConvertLayout: return node.operands
      case let fuse as Fuse:
        return try rewriter.add(
          fuse.withoutLayouts(node.operands.map(rewriter.graph.type(of:))), node.operands,
          name: rewriter.name(of: node), like: node)
      default: return try rewriter.add(node.op.withoutLayout, node.operands, name: rewriter.name(of: node), like: node)
      }
    }
  }
}

extension Fuse {
  fileprivate func withoutLayouts(_ inputs: [ValueType]) throws -> Fuse {
    var result = Graph(name: body.name)
    var map: [ValueID: ValueID] = [:]
    for (input, type) in zip(body.inputs, inputs) {
      map[input] = result.addInput(type, name: body.values[input.index].name)
    }
    for node in body.nodes {
      let operands = node.operands.compactMap { map[$0] }
      if node.op is ConvertLayout {
        map[node.results[0]] = operands.first
        continue
      }
      let op = try (node.op as? Fuse)?.withoutLayouts(operands.map(result.type(of:))) ?? node.op.withoutLayout
      let results = try result.add(
        op, operands, name: body.values[node.results[0].index].name, layer: node.layer, location: node.location)
      for (old, new) in zip(node.results, results) { map[old] = new }
    }
    result.outputs = body.outputs.compactMap { map[$0] }
    return Fuse(kernel: kernel, schedule: schedule, body: result)
  }
}

extension Op {
  /// For a constant the same one, row-major.
  fileprivate var withoutLayout: any Op {
    guard var constant = self as? Constant else { return self }
    constant.type.layout = .rowMajor
    return constant
  }
}
