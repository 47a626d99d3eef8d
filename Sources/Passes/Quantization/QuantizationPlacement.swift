import IR

/// Where pairs of quantize and dequantize stand in a float32 graph, and which of them have one quantisation.
///
/// A pair stands where a quantised op reads: the walk goes from products back to what they are made of. There is none
/// inside what one integer op will compute: between a product and its clamp, or between a product and the addition
/// that alone reads it.
///
///     conv2d -> relu -> *              * is a pair
///     conv2d -> * -> gelu -> *         a table of 256 entries; with float activations: conv2d -> gelu -> *
///     conv2d -> add(., other *) -> *
struct QuantizationPlacement: Sendable {
  /// A value that a region of float ops computes: inside the region, or its result with a pair after it.
  private enum Place: Sendable { case inside, paired }

  /// The products in integers, by their places in the graph's nodes.
  private(set) var products: Set<Int> = []
  private var places: [ValueID: Place] = [:]
  private var sets: DisjointSets
  /// What borders and constants add to the range of a value that they are joined to.
  private(set) var additions: [(value: ValueID, range: ClosedRange<Double>)] = []

  private let graph: Graph
  private let roles: [QuantizationRole]
  private let definitions: [ValueID: Int]
  private let users: [ValueID: [Int]]
  private let outputs: Set<ValueID>
  private let activations: ActivationForm
  private let kept: Set<Int>

  /// - Parameter kept: Products that stay float, by their places in the graph's nodes.
  init(_ graph: Graph, activations: ActivationForm, keeping kept: Set<Int> = []) {
    self.graph = graph
    self.activations = activations
    self.kept = kept
    let constants = Set(graph.nodes.filter { $0.op is Constant }.flatMap(\.results))
    roles = graph.nodes.map { QuantizationRole($0, in: graph, isConstant: constants.contains) }
    definitions = graph.definitions
    users = graph.users
    outputs = Set(graph.outputs)
    sets = DisjointSets(count: graph.values.count)
    for position in graph.nodes.indices.reversed() { visit(position) }
    for position in graph.nodes.indices { joinSides(position) }
  }

  /// Values with a pair after them, ascending.
  var paired: [ValueID] { places.filter { $0.value == .paired }.map(\.key).sorted() }

  func isPaired(_ value: ValueID) -> Bool { places[value] == .paired }

  /// The value that stands for all that have one quantisation.
  func representative(of value: ValueID) -> ValueID { ValueID(sets.representative(of: value.index)) }

  /// Products that could be in integers: by their places in the graph's nodes.
  static func candidates(_ graph: Graph) -> [Int] {
    let constants = Set(graph.nodes.filter { $0.op is Constant }.flatMap(\.results))
    return graph.nodes.indices.filter { position in
      switch QuantizationRole(graph.nodes[position], in: graph, isConstant: constants.contains) {
      case .product: true
      case .move, .relation, .clamp, .table, .arithmetic, .pool, .float: false
      }
    }
  }

  // MARK: The walk from products back

  private mutating func visit(_ position: Int) {
    let node = graph.nodes[position]
    switch roles[position] {
    case .product(let reads):
      if kept.contains(position) { return }
      products.insert(position)
      for place in reads { places[node.operands[place]] = .paired }
    case .move(let reads), .relation(let reads), .arithmetic(let reads):
      guard places[node.results[0]] != nil else { return }
      demand(reads.map { node.operands[$0] }, by: position)
    case .clamp(let read), .table(let read), .pool(let read):
      guard places[node.results[0]] != nil else { return }
      demand([node.operands[read]], by: position)
    case .float: return
    }
  }

  private mutating func demand(_ operands: [ValueID], by position: Int) {
    // One integer op has one product: of two that are added, the later one.
    let fused = operands.filter { isFusedProduct($0, by: position) }.max()
    for operand in operands {
      let isInside = operand == fused || isChained(operand, by: position)
      if places[operand] != .paired { places[operand] = isInside ? .inside : .paired }
    }
  }

  /// Whether nothing but the node at `position` reads a value, and that once.
  private func isOnlyRead(_ value: ValueID, by position: Int) -> Bool {
    users[value] == [position] && !outputs.contains(value)
      && graph.nodes[position].operands.filter { $0 == value }.count == 1
  }

  /// Whether the operand is a product that the addition at `position` is part of.
  private func isFusedProduct(_ operand: ValueID, by position: Int) -> Bool {
    let node = graph.nodes[position]
    guard node.op is Add, isOnlyRead(operand, by: position), let definition = definitions[operand],
      case .product = roles[definition]
    else { return false }
    return graph.type(of: operand) == graph.type(of: node.results[0])
  }

  /// Whether a function of one element at `position` is part of what makes its operand.
  private func isChained(_ operand: ValueID, by position: Int) -> Bool {
    guard isOnlyRead(operand, by: position), let definition = definitions[operand] else { return false }
    let isClamp: Bool
    switch roles[position] {
    case .clamp: isClamp = true
    case .table: isClamp = false
    case .product, .move, .relation, .arithmetic, .pool, .float: return false
    }
    switch roles[definition] {
    case .product:
      // A product that stays float has its activation in float too.
      return isClamp || activations == .float || kept.contains(definition)
    case .arithmetic: return isClamp || activations == .float
    case .table: return !isClamp
    case .move, .relation, .clamp, .pool, .float: return false
    }
  }

  // MARK: One quantisation on all sides

  private mutating func joinSides(_ position: Int) {
    let node = graph.nodes[position]
    guard isPaired(node.results[0]) else { return }
    switch roles[position] {
    case .move(let reads):
      for place in reads { sets.join(node.operands[place].index, node.results[0].index) }
      for operand in node.operands {
        guard let definition = definitions[operand], let values = graph.contents(of: graph.nodes[definition]),
          let low = values.min(), let high = values.max()
        else { continue }
        additions.append((node.results[0], low...high))
      }
      if let pad = node.op as? Pad, pad.mode == .constant { additions.append((node.results[0], pad.value...pad.value)) }
    case .relation(let reads):
      for place in reads.dropFirst() { sets.join(node.operands[place].index, node.operands[reads[0]].index) }
    case .product, .clamp, .table, .arithmetic, .pool, .float: break
    }
  }
}

/// What an activation after a product reads.
public enum ActivationForm: String, CaseIterable, Hashable, Sendable {
  /// Eight bits: the activation is a table.
  case table
  /// The product's result in float, which is not rounded in between.
  case float
}
