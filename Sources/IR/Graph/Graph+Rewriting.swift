/// What passes ask of a graph and do to it.
extension Graph {
  /// Throws a `Diagnostic` if an input or an output is a neighbourhood: a caller cannot pass one, since it has no bytes
  /// of its own.
  public func requireTensorBoundary() throws {
    for (what, list) in [("input", inputs), ("output", outputs)] {
      for value in list where type(of: value).tensor == nil {
        throw Diagnostic(
          "the \(what) %\(values[value.index].name) of \(name) is \(type(of: value)), and only tensors go in and out")
      }
    }
  }

  /// For each value, the positions in `nodes` of those that read it, ascending, each once. Outputs are not users.
  public var users: [ValueID: [Int]] {
    var users: [ValueID: [Int]] = [:]
    for (position, node) in nodes.enumerated() {
      for operand in Set(node.operands) { users[operand, default: []].append(position) }
    }
    return users
  }

  /// For each value that a node computes, that node's position in `nodes`.
  public var definitions: [ValueID: Int] {
    var definitions: [ValueID: Int] = [:]
    for (position, node) in nodes.enumerated() {
      for result in node.results { definitions[result] = position }
    }
    return definitions
  }

  /// Lets everything that reads `old`, outputs too, read `new`. The caller makes sure that `new` is computed before
  /// them.
  public mutating func replaceUses(of old: ValueID, with new: ValueID) {
    replaceUses([old: new])
  }

  /// Replaces many values at once; if a replacement is itself replaced, the last one is taken.
  public mutating func replaceUses(_ replacements: [ValueID: ValueID]) {
    func final(_ value: ValueID) -> ValueID {
      var value = value
      var steps = 0
      while let next = replacements[value], steps <= replacements.count {
        value = next
        steps += 1
      }
      precondition(steps <= replacements.count, "values that replace each other in a circle")
      return value
    }
    for position in nodes.indices { nodes[position].operands = nodes[position].operands.map(final) }
    outputs = outputs.map(final)
  }

  /// The graph without nodes that no output depends on, without values that nothing defines and without contents no
  /// constant names; values are numbered in the order they are defined. Inputs stay.
  public func compacted() -> Graph {
    var needed = Set(outputs)
    var kept: [Node] = []
    for node in nodes.reversed() where node.results.contains(where: needed.contains) {
      needed.formUnion(node.operands)
      kept.append(node)
    }
    var result = Graph(name: name)
    result.weightSource = weightSource
    var numbers: [ValueID: ValueID] = [:]
    func renumbered(_ value: ValueID) -> ValueID {
      guard let number = numbers[value] else { preconditionFailure("%\(values[value.index].name) is not defined") }
      return number
    }
    func define(_ value: ValueID) -> ValueID {
      let number = result.addValue(type(of: value), name: values[value.index].name)
      numbers[value] = number
      return number
    }
    result.inputs = inputs.map(define)
    for node in kept.reversed() {
      var copy = node
      copy.operands = node.operands.map(renumbered)
      copy.results = node.results.map(define)
      if var fuse = node.op as? Fuse {
        fuse.body = fuse.body.compacted()
        copy.op = fuse
      }
      result.nodes.append(copy)
    }
    result.outputs = outputs.map(renumbered)
    let names = result.namedConstants
    result.weights = weights.filter { names.contains($0.key) }
    return result
  }

  /// The names under which constants, those in nested graphs too, look up their contents.
  public var namedConstants: Set<String> {
    var names: Set<String> = []
    for node in nodes {
      if let constant = node.op as? Constant, case .named(let name) = constant.source { names.insert(name) }
      if let region = node.op.region { names.formUnion(region.namedConstants) }
    }
    return names
  }
}
