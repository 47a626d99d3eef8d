import IR

/// Changes to graphs that keep their types right: an input has another extent, an op another attribute, and all types
/// after it follow. Text alone seldom gets so far: it says the type of every value.
enum GraphMutation {
  static func mutate(_ bytes: [UInt8], _ generator: inout Generator, others: [[UInt8]]) -> [UInt8] {
    let text = String(decoding: bytes, as: UTF8.self)
    guard !generator.oneIn(4), let graph = try? GraphParser.parse(text, file: "seed") else {
      return TextMutation.mutate(bytes, &generator, others: others)
    }
    return Array(GraphPrinter.print(changed(graph, &generator)).utf8)
  }

  /// As much of the graph as there is with the changes; its last value is an output then.
  private static func changed(_ graph: Graph, _ generator: inout Generator) -> Graph {
    var result = Graph(name: graph.name)
    result.weightSource = graph.weightSource
    var values: [ValueID: ValueID] = [:]
    let place = generator.below(graph.nodes.count + 1)
    for input in graph.inputs {
      var type = graph.type(of: input)
      if case .tensor(var tensor) = type, place == graph.nodes.count || generator.oneIn(6) {
        change(&tensor, &generator)
        type = .tensor(tensor)
      }
      values[input] = result.addInput(type, name: graph.values[input.index].name)
    }
    for (position, node) in graph.nodes.enumerated() {
      var op = node.op
      if position == place || generator.oneIn(12) { op = changed(op, &generator) }
      var operands = node.operands.compactMap { values[$0] }
      if generator.oneIn(20), !operands.isEmpty, let other = values.values.sorted().randomElement(using: &generator) {
        operands[generator.below(operands.count)] = other
      }
      guard operands.count == node.operands.count,
        let made = try? result.add(op, operands, name: graph.values[node.results[0].index].name, layer: node.layer)
      else { break }
      for (old, new) in zip(node.results, made) { values[old] = new }
    }
    result.outputs = graph.outputs.compactMap { values[$0] }
    if result.outputs.isEmpty { result.outputs = result.nodes.last?.results ?? [] }
    return result
  }

  private static func change(_ type: inout TensorType, _ generator: inout Generator) {
    if generator.oneIn(8) { type.element = generator.pick(ElementType.allCases) }
    if generator.oneIn(10) { type.shape.append(1 + generator.below(4)) }
    if generator.oneIn(10) { _ = type.shape.popLast() }
    guard !type.shape.isEmpty else { return }
    let extents = [
      1, 2, 3, 5, 7, 8, 9, 16, 31, 64, 255, 1024, 65536, 1 << 20, 1 << 24, (1 << 31) - 1, 1 << 31, 1 << 36,
    ]
    type.shape[generator.below(type.shape.count)] = generator.pick(extents)
  }

  private static func changed(_ op: any Op, _ generator: inout Generator) -> any Op {
    if let constant = op as? Constant {
      var type = constant.type
      change(&type, &generator)
      return Constant(type: type, source: constant.source)
    }
    var attributes = op.attributes
    guard !attributes.isEmpty, op.region == nil else { return op }
    let place = generator.below(attributes.count)
    func small() -> Int { generator.oneIn(2) ? generator.below(9) - 2 : Int(generator.integer()) }
    switch attributes[place].value {
    case .bool(let value): attributes[place].value = .bool(!value)
    case .integer: attributes[place].value = .integer(small())
    case .float:
      attributes[place].value = .float(generator.pick([0, -1, 1e300, .nan, .infinity, -.infinity, 1e-300, 0.5]))
    case .string: break
    case .integers(var values):
      if values.isEmpty || generator.oneIn(6) {
        values.append(small())
      } else {
        values[generator.below(values.count)] = small()
      }
      attributes[place].value = .integers(values)
    case .floats(var values):
      if !values.isEmpty { values[generator.below(values.count)] = generator.pick([0, -1, 1e300, .nan, .infinity]) }
      attributes[place].value = .floats(values)
    }
    return (try? OpRegistry.make(op.mnemonic, attributes)) ?? op
  }
}
