import Foundation
import IR

/// What ops are written into: nodes in the order in which they run, and constants.
struct ONNXBuilder {
  private(set) var initializers: [Onnx_TensorProto] = []
  private var nodes: [Onnx_NodeProto] = []
  /// The layer of each node.
  private var layers: [String] = []
  private var layer = ""
  private var taken: Set<String>
  private var nodeNames: Set<String> = []
  private var weights: [String: String] = [:]
  private var constants: [TensorData: String] = [:]
  private var rolls: [Roll: String] = [:]
  /// The first node of the op that is being written.
  private var start = 0
  private var outputs: Set<String> = []

  private struct Roll: Hashable {
    var image: String
    var shift: Int
    var axis: Int
  }

  /// - Parameter taken: Names that no value of the builder's own may have.
  init(taken: Set<String>) {
    self.taken = taken
  }

  /// Starts an op of a layer.
  mutating func begin(layer: String) {
    self.layer = layer
    start = nodes.count
  }

  // MARK: Nodes

  /// Adds a node and returns the name of its one result.
  mutating func add(_ type: String, _ operands: [String], _ attributes: [Onnx_AttributeProto] = []) -> String {
    add(type, operands, attributes, results: 1)[0]
  }

  /// Adds a node with several results.
  mutating func add(
    _ type: String, _ operands: [String], _ attributes: [Onnx_AttributeProto] = [], results: Int
  ) -> [String] {
    var node = Onnx_NodeProto()
    let base = layer.isEmpty ? type : "\(layer)/\(type)"
    node.name = Self.unique(base, among: &nodeNames)
    node.opType = type
    node.input = operands
    node.output = (0..<results).map { Self.unique($0 == 0 ? base : "\(base).\($0)", among: &taken) }
    node.attribute = attributes
    nodes.append(node)
    layers.append(layer)
    return node.output
  }

  /// A graph inside a node. What `body` returns are its outputs; values outside are read by their names.
  ///
  /// - Parameter inputs: Hints for the names of its inputs, and their types.
  mutating func nested(
    _ name: String, inputs: [(name: String, type: TensorType)], outputs types: [TensorType],
    _ body: (inout ONNXBuilder, _ inputs: [String]) -> [String]
  ) -> Onnx_GraphProto {
    let outer = (nodes, layers)
    (nodes, layers) = ([], [])
    var graph = Onnx_GraphProto()
    graph.name = name
    let names = inputs.map { Self.unique("\(layer)/\($0.name)", among: &taken) }
    graph.input = zip(names, inputs).map { Onnx_ValueInfoProto($0, $1.type) }
    graph.output = zip(body(&self, names), types).map { Onnx_ValueInfoProto($0, $1) }
    graph.node = nodes
    (nodes, layers) = outer
    return graph
  }

  /// Gives a value another name and returns true, if the op that is being written computed it.
  mutating func rename(_ value: String, to name: String) -> Bool {
    guard nodes[start...].contains(where: { $0.output.contains(value) }) else { return false }
    for position in start..<nodes.count {
      nodes[position].input = nodes[position].input.map { $0 == value ? name : $0 }
      nodes[position].output = nodes[position].output.map { $0 == value ? name : $0 }
    }
    for (roll, result) in rolls where result == value { rolls[roll] = name }
    return true
  }

  /// The name under which a value is an output of the model. A value that no node computes, or that is already an
  /// output, goes through an `Identity`.
  mutating func output(_ value: String) -> String {
    let isComputed = nodes.contains { $0.output.contains(value) }
    if isComputed && outputs.insert(value).inserted { return value }
    begin(layer: "")
    let copy = add("Identity", [value])
    outputs.insert(copy)
    return copy
  }

  /// The nodes; the last one of each layer has the layer's own name.
  var namedNodes: [Onnx_NodeProto] {
    var last: [String: Int] = [:]
    for (position, layer) in layers.enumerated() where !layer.isEmpty { last[layer] = position }
    var result = nodes
    for (layer, position) in last where !nodeNames.contains(layer) { result[position].name = layer }
    return result
  }

  private static func unique(_ name: String, among names: inout Set<String>) -> String {
    var result = name
    var suffix = 0
    while !names.insert(result).inserted {
      suffix += 1
      result = "\(name).\(suffix)"
    }
    return result
  }

  // MARK: Constants

  /// A weight of the model under its published name, written once.
  mutating func weight(_ data: TensorData, name: String) -> String {
    if let known = weights[name] { return known }
    let own = append(data, name: name)
    weights[name] = own
    return own
  }

  /// A constant; equal constants are shared.
  mutating func constant(_ data: TensorData, name: String) -> String {
    if let known = constants[data] { return known }
    let own = append(data, name: name)
    constants[data] = own
    return own
  }

  private mutating func append(_ data: TensorData, name: String) -> String {
    let own = Self.unique(name, among: &taken)
    initializers.append(Onnx_TensorProto(own, data))
    return own
  }

  /// A number of an element type.
  mutating func scalar(_ value: Double, _ element: ElementType) -> String {
    let data = TensorData(encoding: Tensor<Double>(element, shape: [], [value]))
    return constant(data, name: "\(element.rawValue).\(value)")
  }

  /// A list of int64, for shapes, axes and positions.
  mutating func integers(_ values: [Int]) -> String {
    let data = TensorData(
      encoding: Tensor<Double>(element: .i64, shape: [values.count], integer: values.map(Int64.init)))
    return constant(data, name: "i64.\(values.map(String.init).joined(separator: "."))")
  }

  // MARK: What many ops are made of

  mutating func reshape(_ x: String, _ shape: [Int]) -> String { add("Reshape", [x, integers(shape)]) }

  mutating func transpose(_ x: String, _ permutation: [Int]) -> String {
    add("Transpose", [x], [.integers("perm", permutation)])
  }

  mutating func slice(_ x: String, axis: Int, from start: Int, to end: Int, step: Int = 1) -> String {
    add("Slice", [x, integers([start]), integers([end]), integers([axis]), integers([step])])
  }

  /// A fold along axes that stay with extent 1; `type` is one whose axes are an attribute.
  mutating func fold(_ type: String, _ x: String, axes: [Int]) -> String {
    add(type, [x], [.integers("axes", axes), .integer("keepdims", 1)])
  }

  mutating func sum(_ x: String, axes: [Int]) -> String {
    add("ReduceSum", [x, integers(axes)], [.integer("keepdims", 1)])
  }

  /// Elements moved `shift` places towards the end of an axis of `extent`; those pushed out come in at the front.
  mutating func rolled(_ x: String, by shift: Int, axis: Int, extent: Int) -> String {
    let remainder = shift % extent
    let places = remainder < 0 ? remainder + extent : remainder
    if places == 0 { return x }
    let key = Roll(image: x, shift: places, axis: axis)
    if let known = rolls[key] { return known }
    let front = slice(x, axis: axis, from: extent - places, to: extent)
    let rest = slice(x, axis: axis, from: 0, to: extent - places)
    let result = add("Concat", [front, rest], [.integer("axis", axis)])
    rolls[key] = result
    return result
  }
}
