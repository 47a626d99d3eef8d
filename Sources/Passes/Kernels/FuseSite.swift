import IR

/// A fuse at its place in a graph: its body, and what the graph around it says of the values that it reads.
///
/// Values of the body and values outside have separate numbers; `outside` maps the ones to the others. A site shows the
/// graph as it was when the site was made: a pass that changes the graph makes a new one.
struct FuseSite: Sendable {
  let fuse: Fuse
  /// The values outside that the body's inputs stand for, in order.
  let operands: [ValueID]
  /// The values outside that the fuse makes.
  let results: [ValueID]
  /// The published name of the module it is in.
  let layer: String
  let location: Diagnostic.Location?
  private let graph: Graph
  private let definitions: [ValueID: Int]
  /// The inputs of the body, and what they stand for.
  private let outer: [ValueID: ValueID]

  init(
    _ fuse: Fuse, operands: [ValueID], results: [ValueID] = [], layer: String, location: Diagnostic.Location?,
    in graph: Graph, definitions: [ValueID: Int]
  ) {
    self.fuse = fuse
    self.operands = operands
    self.results = results
    self.layer = layer
    self.location = location
    self.graph = graph
    self.definitions = definitions
    outer = Dictionary(zip(fuse.body.inputs, operands)) { first, _ in first }
  }

  /// The fuse that a node is; nil for another op.
  /// - Parameter definitions: the position of the node that makes each value of `graph`.
  init?(_ node: Node, in graph: Graph, definitions: [ValueID: Int]) {
    guard let fuse = node.op as? Fuse else { return nil }
    self.init(
      fuse, operands: node.operands, results: node.results, layer: node.layer, location: node.location, in: graph,
      definitions: definitions)
  }

  var body: Graph { fuse.body }

  /// The fuse inside the body that `node` is. The body's own values that it reads are never in memory: they get numbers
  /// that no value of the graph has.
  func nested(_ node: Node) -> FuseSite? {
    guard let inner = node.op as? Fuse else { return nil }
    let operands = node.operands.map { outer[$0] ?? ValueID(graph.values.count + $0.index) }
    return FuseSite(
      inner, operands: operands, layer: node.layer, location: node.location ?? location, in: graph,
      definitions: definitions)
  }

  /// The same place with another fuse.
  func with(_ fuse: Fuse, operands: [ValueID]) -> FuseSite {
    FuseSite(
      fuse, operands: operands, results: results, layer: layer, location: location, in: graph, definitions: definitions)
  }

  /// What an input of the body stands for; nil for a value that the body makes.
  func outside(_ value: ValueID) -> ValueID? { outer[value] }

  /// The node of the body that makes a value; nil for its inputs.
  func producer(_ value: ValueID) -> Node? { body.nodes.first { $0.results.contains(value) } }

  /// The tensor type of a value of the body; nil for a neighbourhood.
  func tensor(_ value: ValueID) -> TensorType? { body.type(of: value).tensor }

  private func definition(_ value: ValueID) -> Node? {
    guard let operand = outer[value] else { return producer(value) }
    return definitions[operand].map { graph.nodes[$0] }
  }

  /// Whether a value of the body is a float32 constant, made inside or outside.
  func isConstant(_ value: ValueID) -> Bool {
    (definition(value)?.op as? Constant).map { $0.type.element == .f32 } ?? false
  }

  /// Whether a value of the body is a float32 constant once constants are folded: nothing that it is computed from is an
  /// input of the graph.
  func becomesConstant(_ value: ValueID) -> Bool {
    guard tensor(value)?.element == .f32, let node = definition(value) else { return false }
    if node.op is Constant { return true }
    // A body's own values are computed in the kernel, which does not fold constants.
    guard let outer = outer[value] else { return false }
    var seen: Set<ValueID> = []
    var pending = [outer]
    while let next = pending.popLast() {
      guard let position = definitions[next] else { return false }
      pending += graph.nodes[position].operands.filter { seen.insert($0).inserted }
    }
    return true
  }

  /// Contents of a float32 constant in double; nil if the value is not one, or its contents are not loaded.
  func contents(_ value: ValueID) -> [Double]? { definition(value).flatMap { graph.contents(of: $0) } }

  /// The schedule of the fuse.
  /// - Throws: A `Diagnostic` if an attribute is missing, unknown or of the wrong type.
  func schedule<Schedule: KernelSchedule>(_ type: Schedule.Type = Schedule.self) throws -> Schedule {
    var reader = AttributeReader(fuse.schedule, owner: "the kernel \(fuse.kernel)")
    let schedule = try Schedule(&reader)
    try reader.finish()
    return schedule
  }

  func diagnostic(_ message: String, notes: [String] = []) -> Diagnostic {
    Diagnostic("the kernel \(fuse.kernel) \(message)", at: location, notes: notes)
  }

  /// Checks what holds in every kernel's body: each result is computed in the body, once, and everything that the body
  /// reads or computes is used for one of them.
  func checkBody() throws {
    let made = Set(body.nodes.flatMap(\.results))
    for (place, output) in body.outputs.enumerated() {
      let name = body.values[output.index].name
      guard made.contains(output) else { throw diagnostic("gives %\(name), which its body only reads") }
      guard !body.outputs[..<place].contains(output) else { throw diagnostic("gives %\(name) twice") }
    }
    let read = Set(body.nodes.flatMap(\.operands) + body.outputs)
    for node in body.nodes where !node.results.contains(where: read.contains) {
      throw diagnostic("computes %\(body.values[node.results[0].index].name), which nothing reads")
    }
    for input in body.inputs where !read.contains(input) {
      throw diagnostic("has the operand %\(body.values[input.index].name), which nothing reads")
    }
  }

  /// The one node of the body besides constants, whose results are the body's.
  func onlyNode<O: Op>(_ type: O.Type) throws -> (op: O, node: Node) {
    let nodes = body.nodes.filter { !($0.op is Constant) }
    guard nodes.count == 1, let op = nodes[0].op as? O, body.outputs == nodes[0].results else {
      throw diagnostic("runs one \(type.mnemonic), and the body holds \(held)")
    }
    return (op, nodes[0])
  }

  /// The ops of the body for a message.
  private var held: String {
    let names = body.nodes.map { $0.op.mnemonic }
    return names.isEmpty ? "nothing" : names.joined(separator: ", ")
  }

  /// An operand of a body's node that has to be an input of the body: what it stands for.
  func outerOperand(_ place: Int, of node: Node) throws -> ValueID {
    guard node.operands.indices.contains(place), let value = outer[node.operands[place]] else {
      throw diagnostic("reads operand \(place) of \(node.op.mnemonic) from outside the body")
    }
    return value
  }
}

extension GraphRewriter {
  /// The fuse that a rebuilt node is; nil for another op.
  func site(_ node: Node) -> FuseSite? { FuseSite(node, in: graph, definitions: definitions) }
}
