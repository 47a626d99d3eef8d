import IR

/// A nested graph under construction: the body of a `fuse`, with the outer values it reads as its inputs.
struct FuseBody {
  private(set) var body: Graph
  /// The outer values, in the order of the body's inputs.
  private(set) var operands: [ValueID] = []
  private var inner: [ValueID: ValueID] = [:]

  init(name: KernelName) { body = Graph(name: name.description) }

  /// Starts from an existing fuse, to be extended: what it reads and makes outside.
  init(extending fuse: Fuse, operands: [ValueID], results: [ValueID]) {
    body = fuse.body
    self.operands = operands
    for (outer, input) in zip(operands, fuse.body.inputs) { inner[outer] = input }
    if let result = results.first, let output = fuse.body.outputs.first { inner[result] = output }
  }

  /// The body's value for an outer one; a new input if it is not made inside.
  mutating func value(of outer: ValueID, in graph: Graph) -> ValueID {
    if let known = inner[outer] { return known }
    let input = body.addInput(graph.type(of: outer), name: graph.values[outer.index].name)
    inner[outer] = input
    operands.append(outer)
    return input
  }

  /// Copies a node into the body; its result becomes the body's output.
  mutating func add(_ node: Node, in graph: Graph) throws {
    let values = node.operands.map { value(of: $0, in: graph) }
    let results = try body.add(
      node.op, values, name: graph.values[node.results[0].index].name, layer: node.layer, location: node.location)
    for (outer, result) in zip(node.results, results) { inner[outer] = result }
    body.outputs = [results[0]]
  }

  /// Makes further added values results of the fuse, after the last node's.
  mutating func expose(_ results: [ValueID]) { body.outputs += results.compactMap { inner[$0] } }

  /// The fuse op over what was added.
  func fuse(kernel: KernelName, schedule: [Attribute] = []) -> Fuse {
    var finished = body
    finished.name = kernel.description
    return Fuse(kernel: kernel, schedule: schedule, body: finished)
  }
}

extension Fuse {
  /// The same fuse over operands of other types (another layout), its body typed again.
  /// - Parameters:
  ///   - appending: ops after the result, one after the other.
  ///   - padded: the layout of images in kernels. If a convolution reads an image of another layout, its result is
  ///     converted right after it, so that the epilogue sees one layout; nil leaves it.
  func retyped(_ inputs: [ValueType], appending: [any Op] = [], padded: Layout? = nil) throws -> Fuse {
    var result = Graph(name: body.name)
    var map: [ValueID: ValueID] = [:]
    for (input, type) in zip(body.inputs, inputs) {
      map[input] = result.addInput(type, name: body.values[input.index].name)
    }
    for node in body.nodes {
      let operands = node.operands.compactMap { map[$0] }
      var op = node.op
      if let nested = node.op as? Fuse { op = try nested.retyped(operands.map(result.type(of:)), padded: padded) }
      var results = try result.add(
        op, operands, name: body.values[node.results[0].index].name, layer: node.layer, location: node.location)
      if let padded, node.op is Conv2D, result.tensorType(of: results[0]).layout != padded, !converts(to: padded) {
        results = try result.add(ConvertLayout(layout: padded), results, name: "padded", layer: node.layer)
      }
      for (old, new) in zip(node.results, results) { map[old] = new }
    }
    result.outputs = body.outputs.compactMap { map[$0] }
    for op in appending {
      result.outputs = try result.add(op, result.outputs, layer: body.nodes.last?.layer ?? "")
    }
    return Fuse(kernel: kernel, schedule: schedule, body: result)
  }

  private func converts(to layout: Layout) -> Bool {
    body.nodes.contains { ($0.op as? ConvertLayout)?.layout == layout }
  }
}
