import Foundation
import IR

/// A node as its operator's handler sees it.
struct ImportCall {
  let type: String
  /// The node's own name, or that of its first output.
  let name: String
  /// The version of the operator set that the node is written in.
  let version: Int
  /// Nil for an input that is left out.
  let inputs: [ImportedValue?]
  /// Which outputs may be read.
  let hasOutput: [Bool]
  let attributes: ImportAttributes

  /// The same call with other inputs.
  func with(_ inputs: [ImportedValue?]) -> ImportCall {
    ImportCall(type: type, name: name, version: version, inputs: inputs, hasOutput: hasOutput, attributes: attributes)
  }

  func has(_ index: Int) -> Bool { index < inputs.count && inputs[index] != nil }

  func input(_ index: Int) throws -> ImportedValue {
    guard index < inputs.count, let value = inputs[index] else {
      throw Diagnostic("it has no input \(index), which \(type) needs")
    }
    return value
  }

  /// All inputs of an operator that takes any number of them.
  func all() throws -> [ImportedValue] {
    if inputs.isEmpty { throw Diagnostic("it has no inputs") }
    return try inputs.indices.map(input)
  }

  /// An input that has to be known when the model is compiled.
  func known(_ index: Int, _ meaning: String) throws -> KnownTensor {
    guard let tensor = try input(index).known else {
      throw Diagnostic(
        "\(meaning) (input \(index)) depends on the model's input; it must be known when the model is compiled")
    }
    return tensor
  }

  /// The tensors of a sequence.
  func sequence(_ index: Int) throws -> [ImportedValue] {
    guard case .sequence(let parts) = try input(index) else { throw Diagnostic("its input \(index) is not a sequence") }
    return parts
  }

  /// One bool that has to be known; nil if it is left out.
  func truth(_ index: Int, _ meaning: String) throws -> Bool? {
    guard has(index) else { return nil }
    let tensor = try known(index, meaning)
    guard tensor.data.element == .bool, tensor.data.count == 1 else {
      throw Diagnostic("\(meaning) (input \(index)) is \(tensor.data.type); it must be one bool")
    }
    return tensor.tensor.integer[0] != 0
  }

  /// A list of integers (or one) that has to be known; nil if it is left out.
  func integers(_ index: Int, _ meaning: String) throws -> [Int]? {
    guard has(index) else { return nil }
    let tensor = try known(index, meaning)
    guard !tensor.data.element.isFloat, tensor.data.shape.count <= 1 else {
      throw Diagnostic("\(meaning) (input \(index)) is \(tensor.data.type); it must be a list of integers")
    }
    return tensor.tensor.integer.map { Int($0) }
  }

  /// One number that has to be known; nil if it is left out.
  func scalar(_ index: Int, _ meaning: String) throws -> Double? {
    guard has(index) else { return nil }
    let tensor = try known(index, meaning)
    guard tensor.data.count == 1 else {
      throw Diagnostic("\(meaning) (input \(index)) is \(tensor.data.type); it must be one number")
    }
    switch tensor.tensor.storage {
    case .real(let values): return values[0]
    case .integer(let values): return Double(values[0])
    }
  }

  /// Axes, an attribute of older operator sets and an input of newer ones; nil if they are left out.
  func axes(_ index: Int = 1, rank: Int) throws -> [Int]? {
    let given = try integers(index, "the axes") ?? attributes.integers("axes")
    return try given.map { axes in
      let resolved = try axes.map { try axis($0, rank: rank) }
      if Set(resolved).count != resolved.count { throw Diagnostic("the axes \(axes) name an axis twice") }
      return resolved
    }
  }

  /// An axis counted from the front.
  func axis(_ axis: Int, rank: Int) throws -> Int {
    guard (-rank..<rank).contains(axis) else {
      throw Diagnostic("axis \(axis) is not in a tensor of rank \(rank)")
    }
    return axis < 0 ? axis + rank : axis
  }

  /// Refuses a node if more of its outputs than the first are read.
  func requireOneOutput() throws {
    if let other = hasOutput.dropFirst().firstIndex(of: true) {
      throw Diagnostic("its output \(other) is read, and only the first is computed")
    }
  }
}

/// A node's attributes; each is asked for by name, and `finish` complains about those that were not asked for.
final class ImportAttributes {
  private let values: [String: Onnx_AttributeProto]
  private var asked: Set<String> = []

  init(_ values: [String: Onnx_AttributeProto]) {
    self.values = values
  }

  private func take(_ name: String, _ type: Onnx_AttributeProto.AttributeType) throws -> Onnx_AttributeProto? {
    asked.insert(name)
    guard let value = values[name] else { return nil }
    if value.type != type { throw Diagnostic("its attribute '\(name)' has another type than the standard gives it") }
    return value
  }

  func has(_ name: String) -> Bool { values[name] != nil }

  func integer(_ name: String) throws -> Int? { try take(name, .int).map { Int($0.i) } }
  func integers(_ name: String) throws -> [Int]? { try take(name, .ints).map { $0.ints.map { Int($0) } } }
  func float(_ name: String) throws -> Double? { try take(name, .float).map { Double($0.f) } }
  func floats(_ name: String) throws -> [Double]? { try take(name, .floats).map { $0.floats.map(Double.init) } }
  func tensor(_ name: String) throws -> Onnx_TensorProto? { try take(name, .tensor)?.t }

  /// A graph that the node must hold.
  func graph(_ name: String) throws -> Onnx_GraphProto {
    guard let graph = try take(name, .graph)?.g else { throw Diagnostic("it has no '\(name)'") }
    return graph
  }

  func string(_ name: String) throws -> String? {
    try take(name, .string).map { String(decoding: $0.s, as: UTF8.self) }
  }

  func strings(_ name: String) throws -> [String]? {
    try take(name, .strings).map { $0.strings.map { String(decoding: $0, as: UTF8.self) } }
  }

  func flag(_ name: String) throws -> Bool? { try integer(name).map { $0 != 0 } }

  /// Says that an attribute means nothing here.
  func ignore(_ names: String...) { asked.formUnion(names) }

  func finish() throws {
    if let name = values.keys.filter({ !asked.contains($0) }).min() {
      throw Diagnostic("its attribute '\(name)' is not known")
    }
  }
}
