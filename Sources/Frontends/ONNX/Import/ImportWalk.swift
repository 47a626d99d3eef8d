import Foundation
import IR

/// One walk over a model. Functions, and the graphs that nodes hold, are walked where they are used.
struct ImportWalk {
  /// How deep functions and graphs may be nested, and how many nodes and loop iterations a model may have in all.
  static let deepest = 64
  static let mostNodes = 1 << 20
  static let mostTurns = 1 << 16

  let model: Onnx_ModelProto
  let file: String
  var builder: ImportBuilder
  var tensors: ImportedTensors
  var problems: [Diagnostic] = []
  private var visited = 0
  private var turns = 0

  /// The names of a graph or of a function that is inlined.
  struct Scope {
    var values: [String: ImportedValue] = [:]
    /// The names of the graphs around this one, the outermost first. A graph inside a node may use them.
    var around: [[String: ImportedValue]] = []
    var versions: [String: Int64]
    /// What attributes that refer to the function's stand for.
    var attributes: [String: Onnx_AttributeProto] = [:]
    /// A prefix of the names of values and nodes, which keeps them apart.
    var prefix = ""
    var depth = 0

    /// What a name stands for in the innermost graph that has it.
    func value(_ name: String) -> ImportedValue? {
      values[name] ?? around.lazy.reversed().compactMap { $0[name] }.first
    }
  }

  init(_ model: Onnx_ModelProto, file: String, directory: String, name: String) {
    self.model = model
    self.file = file
    builder = ImportBuilder(name: name)
    tensors = ImportedTensors(directory: directory)
    builder.graph.weightSource = file
  }

  private var place: Diagnostic.Location { Diagnostic.Location(file: file) }

  func problem(_ message: String, notes: [String] = []) -> Diagnostic {
    Diagnostic(message, at: place, notes: notes)
  }

  mutating func run(_ dimensions: [String: Int], _ bindings: [String: InputSource]) throws -> Graph {
    var scope = Scope(versions: try versions(model.opsetImport))
    scope.values = try initializers(of: model.graph)
    try readInputs(dimensions, bindings, into: &scope)
    try walk(model.graph.node, &scope)
    if problems.isEmpty { try readOutputs(scope) }
    try DiagnosticList(problems).throwIfAny()
    return builder.graph.compacted()
  }

  private func versions(_ imports: [Onnx_OperatorSetIdProto]) throws -> [String: Int64] {
    var result: [String: Int64] = [:]
    for entry in imports { result[entry.domain == "ai.onnx" ? "" : entry.domain] = entry.version }
    let known = ONNXImporter.operatorSets
    if let version = result[""], !known.contains(version) {
      throw problem(
        "it is written in operator set \(version); \(known.lowerBound) to \(known.upperBound) are read",
        notes: ["onnx.version_converter.convert_version(model, 17) converts most models"])
    }
    return result
  }

  // MARK: Nodes

  /// Counts a turn of a loop.
  mutating func turn() throws {
    turns += 1
    if turns > Self.mostTurns { throw problem("its loops come to more than \(Self.mostTurns) turns") }
  }

  mutating func walk(_ nodes: [Onnx_NodeProto], _ scope: inout Scope) throws {
    for node in nodes {
      visited += 1
      if visited > Self.mostNodes { throw problem("it comes to more than \(Self.mostNodes) nodes") }
      var own: Set<String> = []
      for name in node.output where !name.isEmpty && (scope.values[name] != nil || !own.insert(name).inserted) {
        throw problem("'\(name)' is computed twice, the second time by \(label(node, scope))")
      }
      var inputs: [ImportedValue?] = []
      for name in node.input {
        if name.isEmpty {
          inputs.append(nil)
        } else if let value = scope.value(name) {
          inputs.append(value)
        } else {
          throw problem(
            "\(label(node, scope)) reads '\(name)', which nothing before it computes",
            notes: ["nodes must be in an order in which they can run"])
        }
      }
      var results: [ImportedValue]
      if inputs.contains(where: { $0?.isRefused ?? false }) {
        results = []
      } else {
        do {
          results = try evaluate(node, inputs, scope)
        } catch let diagnostic as Diagnostic where diagnostic.location == nil {
          results = []
          problems.append(refusal(node, inputs, scope, diagnostic))
        } catch let size as SizeOfData {
          results = []
          problems.append(refusal(node, inputs, scope, cut(size, node, inputs, scope)))
        }
      }
      for (index, name) in node.output.enumerated() where !name.isEmpty {
        scope.values[name] = index < results.count ? results[index] : .refused
      }
    }
  }

  private func label(_ node: Onnx_NodeProto, _ scope: Scope) -> String {
    let name = node.name.isEmpty ? node.output.first ?? "" : node.name
    return "the node '\(scope.prefix)\(name)' (\(node.opType))"
  }

  /// The diagnostic for a node that cannot be compiled, with its name, operator and operand types.
  private func refusal(
    _ node: Onnx_NodeProto, _ inputs: [ImportedValue?], _ scope: Scope, _ reason: Diagnostic
  ) -> Diagnostic {
    let shapes = inputs.map { input in
      if case .sequence(let parts)? = input { return "a sequence of \(parts.count)" }
      return input.flatMap { try? builder.type(of: $0) }.map { "\($0)" } ?? "nothing"
    }
    let over = shapes.isEmpty ? "" : " over \(shapes.joined(separator: ", "))"
    return problem("\(label(node, scope))\(over): \(reason.message)", notes: reason.notes)
  }

  /// Where to cut the model, before a node whose result has a size that depends on data.
  private func cut(
    _ size: SizeOfData, _ node: Onnx_NodeProto, _ inputs: [ImportedValue?], _ scope: Scope
  ) -> Diagnostic {
    let reason = "\(size.what) depends on the model's input, and sizes are fixed when a model is compiled"
    // Names inside functions and inside graphs of nodes are not names of the model.
    guard scope.depth == 0 else {
      return Diagnostic(reason, notes: ["cut the model before what holds this node, and compute the rest yourself"])
    }
    let computed = zip(node.input, inputs).compactMap { name, value -> String? in
      if case .computed? = value { name } else { nil }
    }
    let taken = model.graph.input.map(\.name).filter { scope.values[$0]?.known?.isInitializer != true }
    func list(_ names: [String]) -> String { "[" + names.map { "\"\($0)\"" }.joined(separator: ", ") + "]" }
    return Diagnostic(
      "\(reason): cut the model before it, at \(computed.map { "'\($0)'" }.joined(separator: " and ")), "
        + "and compute the rest yourself",
      notes: [
        "in Python: onnx.utils.extract_model(\"\(file)\", \"cut.onnx\", \(list(taken)), \(list(computed)))"
      ])
  }

  private mutating func evaluate(
    _ node: Onnx_NodeProto, _ inputs: [ImportedValue?], _ scope: Scope
  ) throws -> [ImportedValue] {
    var attributes: [String: Onnx_AttributeProto] = [:]
    for attribute in node.attribute {
      if attribute.refAttrName.isEmpty {
        attributes[attribute.name] = attribute
      } else if var given = scope.attributes[attribute.refAttrName] {
        given.name = attribute.name
        attributes[attribute.name] = given
      }
    }
    let domain = node.domain == "ai.onnx" ? "" : node.domain
    let function = model.functions.first {
      $0.name == node.opType && ($0.domain == "ai.onnx" ? "" : $0.domain) == domain && $0.overload == node.overload
    }
    if let function { return try inline(function, node, inputs, attributes, scope) }
    guard let handler = ImportedOperators.named(node.opType, in: domain) else {
      throw ImportedOperators.refusal(in: domain)
    }
    guard let version = scope.versions[""] else { throw problem("it does not say which operator set it is written in") }
    let reader = ImportAttributes(attributes)
    let plain =
      ImportedOperators.readsQuantized.contains(node.opType)
      ? inputs : try inputs.map { try $0.map { try builder.unquantized($0) } }
    let call = ImportCall(
      type: node.opType, name: node.name.isEmpty ? node.output.first ?? node.opType : node.name, version: Int(version),
      inputs: plain, hasOutput: node.output.map { !$0.isEmpty }, attributes: reader)
    let first = builder.graph.values.count
    builder.layer = scope.prefix + node.layerName
    builder.name = scope.prefix + (node.output.first ?? "")
    try builder.requireRoom()
    let results =
      switch handler.build {
      case .values(let build): try build(&builder, call, &tensors)
      case .graphs(let build): try build(&self, call, scope)
      }
    try reader.finish()
    for (result, name) in zip(results, node.output) {
      guard case .computed(let id) = result, id.index >= first, !name.isEmpty else { continue }
      if builder.graph.values[id.index].name != scope.prefix + name {
        builder.graph.rename(id, to: scope.prefix + name)
      }
    }
    return results
  }

  private mutating func inline(
    _ function: Onnx_FunctionProto, _ node: Onnx_NodeProto, _ inputs: [ImportedValue?],
    _ attributes: [String: Onnx_AttributeProto], _ outer: Scope
  ) throws -> [ImportedValue] {
    var scope = Scope(versions: try versions(function.opsetImport))
    scope.depth = try deeper(than: outer)
    let name = node.name.isEmpty ? node.output.first ?? function.name : node.name
    scope.prefix = "\(outer.prefix)\(name)/"
    for attribute in function.attributeProto { scope.attributes[attribute.name] = attribute }
    for name in function.attribute { scope.attributes[name] = attributes[name] }
    scope.attributes.merge(attributes.filter { scope.attributes[$0.key] != nil }) { $1 }
    for (name, input) in zip(function.input, inputs) { scope.values[name] = input }
    try walk(function.node, &scope)
    return try function.output.map { name in
      guard let value = scope.values[name] else {
        throw problem("the function \(function.name) returns '\(name)', which it computes nowhere")
      }
      return value
    }
  }
}
