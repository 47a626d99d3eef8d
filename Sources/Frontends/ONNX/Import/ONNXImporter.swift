import Foundation
import IR
import SwiftProtobuf

/// Reads ONNX models: a graph of the same computation, with the weights by the names they have there.
///
/// Nodes are walked in their order, functions inlined. What depends on shapes and constants alone is computed on the
/// way. Everything that cannot be compiled is reported together: each node with its operator, its inputs and, if there
/// is one, a way out.
public enum ONNXImporter {
  /// The operator sets whose meaning is known.
  public static let operatorSets: ClosedRange<Int64> = 7...27

  /// The operators that nodes may be of, in alphabetical order, each with what is not supported of it, or nothing.
  public static var supportedOperators: [(name: String, limits: String)] {
    ImportedOperators.all.map { ($0.name, $0.limits) }.sorted { $0.name < $1.name }
  }

  /// Reads a model.
  ///
  /// - Parameters:
  ///   - dimensions: The extents of the model's symbolic dimensions, by their names.
  ///   - bindings: Contents of inputs that are known already, by their names: they become constants.
  /// - Throws: A `Diagnostic` or a `DiagnosticList`.
  public static func read(
    _ path: String, dimensions: [String: Int] = [:], bindings: [String: InputSource] = [:]
  ) throws -> Graph {
    let url = URL(fileURLWithPath: path)
    return try read(
      bytes: readFile(path), file: path, directory: url.deletingLastPathComponent().path,
      name: url.deletingPathExtension().lastPathComponent, dimensions: dimensions, bindings: bindings)
  }

  /// The tensor in a file of its own, as ONNX's test data have it.
  public static func readTensor(_ path: String) throws -> TensorData {
    guard let proto = try? Onnx_TensorProto(serializedBytes: readFile(path)), proto.dataType != 0 else {
      throw Diagnostic("\(path) is not an ONNX tensor")
    }
    var tensors = ImportedTensors(directory: URL(fileURLWithPath: path).deletingLastPathComponent().path)
    do {
      return try tensors.read(proto)
    } catch is ImportedTensors.Empty {
      throw Diagnostic("\(path): its tensor has a shape and no contents")
    } catch let diagnostic as Diagnostic {
      throw Diagnostic("\(path): \(diagnostic.message)", notes: diagnostic.notes)
    }
  }

  /// Reads a model's bytes; `file` only names it in diagnostics, `directory` is where external data lies.
  static func read(
    bytes: [UInt8], file: String, directory: String, name: String, dimensions: [String: Int] = [:],
    bindings: [String: InputSource] = [:]
  ) throws -> Graph {
    let model: Onnx_ModelProto
    do {
      model = try Onnx_ModelProto(serializedBytes: bytes)
    } catch {
      throw Diagnostic("\(file) is not an ONNX model, or a part of one: \(bytes.count) bytes do not parse")
    }
    guard model.hasGraph, !model.graph.node.isEmpty else {
      throw Diagnostic("\(file) is no ONNX model, or one without a graph")
    }
    var walk = ImportWalk(model, file: file, directory: directory, name: name)
    return try walk.run(dimensions, bindings)
  }
}

/// One walk over a model.
private struct ImportWalk {
  /// How deep functions may call each other, and how many nodes all of them together may have.
  static let deepest = 64
  static let mostNodes = 1 << 20

  let model: Onnx_ModelProto
  let file: String
  var builder: ImportBuilder
  var tensors: ImportedTensors
  var problems: [Diagnostic] = []
  var visited = 0

  /// The names of a graph or of a function that is inlined.
  struct Scope {
    var values: [String: ImportedValue] = [:]
    var versions: [String: Int64]
    /// What attributes that refer to the function's stand for.
    var attributes: [String: Onnx_AttributeProto] = [:]
    /// A prefix of the names of values and nodes, which keeps them apart.
    var prefix = ""
    var depth = 0
  }

  init(_ model: Onnx_ModelProto, file: String, directory: String, name: String) {
    self.model = model
    self.file = file
    builder = ImportBuilder(name: name)
    tensors = ImportedTensors(directory: directory)
    builder.graph.weightSource = file
  }

  private var place: Diagnostic.Location { Diagnostic.Location(file: file) }

  private func problem(_ message: String, notes: [String] = []) -> Diagnostic {
    Diagnostic(message, at: place, notes: notes)
  }

  mutating func run(_ dimensions: [String: Int], _ bindings: [String: InputSource]) throws -> Graph {
    var scope = Scope(versions: try versions(model.opsetImport))
    try readInitializers(into: &scope)
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

  // MARK: What a graph begins with

  private mutating func readInitializers(into scope: inout Scope) throws {
    if !model.graph.sparseInitializer.isEmpty {
      throw problem("it has sparse weights, which are not read; store them as dense tensors")
    }
    var empty: [String] = []
    for proto in model.graph.initializer {
      if scope.values[proto.name] != nil {
        problems.append(problem("two initializers are called '\(proto.name)'"))
        continue
      }
      do {
        try builder.requireRoom()
        scope.values[proto.name] = builder.known(try tensors.read(proto), name: proto.name, isInitializer: true)
      } catch is ImportedTensors.Empty {
        empty.append(proto.name)
      } catch let diagnostic as Diagnostic {
        problems.append(problem("the initializer '\(proto.name)': \(diagnostic.message)", notes: diagnostic.notes))
      }
    }
    if !empty.isEmpty {
      let more = empty.count > 3 ? " and \(empty.count - 3) more" : ""
      throw problem(
        "\(empty.count) of \(model.graph.initializer.count) initializers have a shape and no contents: "
          + empty.prefix(3).joined(separator: ", ") + more,
        notes: ["the model was saved without its weights; export it again with them"])
    }
    try DiagnosticList(problems).throwIfAny()
  }

  // Long because each input goes through all checks in turn, and one that fails must not keep the others from being checked.
  private mutating func readInputs(
    _ dimensions: [String: Int], _ bindings: [String: InputSource], into scope: inout Scope
  ) throws {
    var used: Set<String> = []
    var names: [String] = []
    var bound: Set<String> = []
    for input in model.graph.input where scope.values[input.name]?.known?.isInitializer != true {
      guard case .tensorType(let tensor)? = input.type.value else {
        problems.append(problem("the input '\(input.name)' is not a tensor"))
        continue
      }
      guard tensor.hasShape else {
        problems.append(problem("the input '\(input.name)' has no shape; export the model with one"))
        continue
      }
      guard let element = ElementType(onnx: tensor.elemType) else {
        problems.append(
          problem("the input '\(input.name)' has elements of type \(tensor.elemType), which the graph has none for"))
        continue
      }
      var shape: [Int] = []
      for (axis, dimension) in tensor.shape.dim.enumerated() {
        if case .dimValue(let extent)? = dimension.value {
          shape.append(Int(extent))
          continue
        }
        // A dimension without a name is named after its place.
        let name = dimension.dimParam.isEmpty ? "\(input.name).\(axis)" : dimension.dimParam
        names.append(name)
        used.insert(name)
        if let extent = dimensions[name] {
          shape.append(extent)
        } else {
          problems.append(
            problem(
              "dimension \(axis) of the input '\(input.name)' is '\(name)', which has no size",
              notes: ["give it one: --dim \(name)=\(axis == 0 ? "1" : "224")"]))
          shape.append(1)
        }
      }
      let most = ImportBuilder.mostElements
      var count = 1
      for extent in shape { count = extent > 0 && extent <= most / count ? count * extent : most + 1 }
      // An empty tensor has no elements to compute with, so it counts as known.
      let isEmpty = shape.contains(0) && bindings[input.name] != nil
      if (count > most || shape.contains(where: { $0 < 1 }))
        && !(isEmpty && shape.allSatisfy { (0...most).contains($0) })
      {
        let limits = "extents are at least 1, elements at most \(most)"
        problems.append(problem("the input '\(input.name)' has the shape \(shape); \(limits)"))
        continue
      }
      if scope.values[input.name] != nil {
        problems.append(problem("two inputs are called '\(input.name)'"))
        continue
      }
      if let source = bindings[input.name] {
        bound.insert(input.name)
        do {
          let contents = try source.load(TensorType(element, shape), name: input.name)
          scope.values[input.name] = builder.known(contents, name: input.name)
        } catch let diagnostic as Diagnostic {
          problems.append(problem("the input '\(input.name)': \(diagnostic.message)", notes: diagnostic.notes))
        }
        continue
      }
      scope.values[input.name] = .computed(builder.graph.addInput(TensorType(element, shape), name: input.name))
    }
    for name in dimensions.keys.sorted() where !used.contains(name) {
      let known = Set(names).sorted().joined(separator: ", ")
      problems.append(
        problem("it has no dimension '\(name)'; " + (known.isEmpty ? "all are fixed" : "there is \(known)")))
    }
    for name in bindings.keys.sorted() where !bound.contains(name) && problems.isEmpty {
      let known = model.graph.input.map(\.name).filter { scope.values[$0]?.known?.isInitializer != true }
      problems.append(
        problem(
          "it has no input '\(name)' to bind; "
            + (known.isEmpty ? "it has none" : "there is \(known.joined(separator: ", "))")))
    }
    try DiagnosticList(problems).throwIfAny()
  }

  private mutating func readOutputs(_ scope: Scope) throws {
    if model.graph.output.isEmpty { problems.append(problem("it has no output")) }
    var seen: Set<String> = []
    for output in model.graph.output {
      if !seen.insert(output.name).inserted {
        problems.append(problem("two outputs are called '\(output.name)'"))
        continue
      }
      switch scope.values[output.name] {
      case .computed(let id)? where !builder.graph.inputs.contains(id) && !builder.graph.outputs.contains(id):
        builder.addOutput(id, as: output.name)
      case .computed(let id)?:
        // An input, or a value that is already an output, under a further name.
        let type = builder.graph.tensorType(of: id)
        let copy = try builder.graph.add(Reshape(shape: type.shape), [id], name: output.name)[0]
        builder.addOutput(copy, as: output.name)
      case .known(let tensor)?:
        // The value does not depend on an input: its contents are copied.
        let value = try builder.graphValue(.known(tensor))
        let shape = tensor.data.shape
        let copy = try builder.graph.add(Reshape(shape: shape), [value], name: output.name)[0]
        builder.addOutput(copy, as: output.name)
      case .refused?:
        problems.append(
          problem("the output '\(output.name)' depends on a further output of a node, which is not computed"))
      case nil: problems.append(problem("the output '\(output.name)' is computed nowhere"))
      }
    }
  }

  // MARK: Nodes

  private mutating func walk(_ nodes: [Onnx_NodeProto], _ scope: inout Scope) throws {
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
        } else if let value = scope.values[name] {
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

  /// A node that cannot be compiled, with all that helps to find it.
  private func refusal(
    _ node: Onnx_NodeProto, _ inputs: [ImportedValue?], _ scope: Scope, _ reason: Diagnostic
  ) -> Diagnostic {
    let shapes = inputs.map { input in
      input.flatMap { try? builder.type(of: $0) }.map { "\($0)" } ?? "nothing"
    }
    let over = shapes.isEmpty ? "" : " over \(shapes.joined(separator: ", "))"
    return problem("\(label(node, scope))\(over): \(reason.message)", notes: reason.notes)
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
      throw ImportedOperators.refusal(of: node.opType, in: domain)
    }
    guard let version = scope.versions[""] else { throw problem("it does not say which operator set it is written in") }
    let reader = ImportAttributes(attributes)
    let plain =
      ImportedOperators.readsQuantized.contains(node.opType)
      ? inputs : try inputs.map { try $0.map { try builder.unquantized($0) } }
    let call = ImportCall(
      type: node.opType, version: Int(version), inputs: plain, hasOutput: node.output.map { !$0.isEmpty },
      attributes: reader)
    let first = builder.graph.values.count
    builder.layer = scope.prefix + node.layerName
    builder.name = scope.prefix + (node.output.first ?? "")
    try builder.requireRoom()
    let results = try handler.build(&builder, call, &tensors)
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
    if outer.depth >= Self.deepest {
      throw problem("its functions call each other in a circle, or \(Self.deepest) deep")
    }
    var scope = Scope(versions: try versions(function.opsetImport))
    scope.depth = outer.depth + 1
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
