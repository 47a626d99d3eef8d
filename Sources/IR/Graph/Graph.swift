/// A value of a graph, by its place in `Graph.values`.
public struct ValueID: Hashable, Comparable, Sendable {
  public var index: Int
  public init(_ index: Int) { self.index = index }
  public static func < (a: ValueID, b: ValueID) -> Bool { a.index < b.index }
}

/// A use of an op: operands in, results out, and the layer of the model it came from.
public struct Node: Sendable {
  public var op: any Op
  public var operands: [ValueID]
  public var results: [ValueID]
  /// The published module's name, like `backbone.0.0.fc1`, or empty. Kept through passes, shown in C and profiles.
  public var layer: String
  public var location: Diagnostic.Location?

  public init(
    op: any Op, operands: [ValueID], results: [ValueID], layer: String = "", location: Diagnostic.Location? = nil
  ) {
    self.op = op
    self.operands = operands
    self.results = results
    self.layer = layer
    self.location = location
  }
}

/// A typed SSA dataflow graph of static shapes. Nodes are in an order in which they can run.
///
/// A value type without parent pointers: passes take one and return another. Values are never removed from `values`
/// while a pass runs; `compacted()` renumbers them.
public struct Graph: Sendable {
  public struct Value: Hashable, Sendable {
    public var type: ValueType
    /// The name in the text form, without the `%`; unique in the graph.
    public var name: String

    public init(type: ValueType, name: String) {
      self.type = type
      self.name = name
    }
  }

  public var name: String
  public private(set) var values: [Value]
  private var takenNames: Set<String>
  public var inputs: [ValueID]
  public var nodes: [Node]
  public var outputs: [ValueID]
  /// Where named constants come from: `synthetic:0`, or a safetensors file beside the `.vir`.
  public var weightSource: String
  /// Contents of the named constants, by the name a `constant` op refers to.
  public var weights: [String: TensorData]

  public init(name: String) {
    self.name = name
    self.values = []
    self.takenNames = []
    self.inputs = []
    self.nodes = []
    self.outputs = []
    self.weightSource = ""
    self.weights = [:]
  }

  public func type(of value: ValueID) -> ValueType { values[value.index].type }

  /// A value's tensor type; a bug of ours when the value is not a tensor.
  public func tensorType(of value: ValueID) -> TensorType {
    guard let tensor = values[value.index].type.tensor else {
      preconditionFailure("%\(values[value.index].name) is not a tensor")
    }
    return tensor
  }

  /// Adds a value with a name made unique by a number if it is taken.
  public mutating func addValue(_ type: ValueType, name: String) -> ValueID {
    let unique = uniqueName(name)
    takenNames.insert(unique)
    values.append(Value(type: type, name: unique))
    return ValueID(values.count - 1)
  }

  /// Gives a value another type, as layout assignment does.
  public mutating func retype(_ value: ValueID, as type: ValueType) { values[value.index].type = type }

  /// Exchanges two values' names, so that a replacement can carry the name of what it replaces.
  public mutating func swapNames(_ a: ValueID, _ b: ValueID) {
    (values[a.index].name, values[b.index].name) = (values[b.index].name, values[a.index].name)
  }

  /// Gives a value another name, made unique by a number if it is taken.
  public mutating func rename(_ value: ValueID, to name: String) {
    takenNames.remove(values[value.index].name)
    let unique = uniqueName(name)
    takenNames.insert(unique)
    values[value.index].name = unique
  }

  public mutating func addInput(_ type: TensorType, name: String) -> ValueID { addInput(.tensor(type), name: name) }

  /// Adds an input of any type: a nested graph may read a neighbourhood.
  public mutating func addInput(_ type: ValueType, name: String) -> ValueID {
    let id = addValue(type, name: name)
    inputs.append(id)
    return id
  }

  /// Appends a node after typing it; its results are named after `name` (default: the mnemonic).
  @discardableResult
  public mutating func add(
    _ op: any Op, _ operands: [ValueID], name: String = "", layer: String = "",
    location: Diagnostic.Location? = nil
  ) throws -> [ValueID] {
    let types = try op.checkedResultTypes(operands.map(type(of:)))
    let base = name.isEmpty ? op.mnemonic : name
    let results = types.enumerated().map { index, type in
      addValue(type, name: index == 0 ? base : "\(base).\(index)")
    }
    nodes.append(Node(op: op, operands: operands, results: results, layer: layer, location: location))
    return results
  }

  private func uniqueName(_ name: String) -> String {
    guard takenNames.contains(name) else { return name }
    var suffix = 1
    while takenNames.contains("\(name).\(suffix)") { suffix += 1 }
    return "\(name).\(suffix)"
  }
}
