import IR

/// An operator of ONNX that is read: its name, what of it is not supported, and what its nodes become.
struct ImportedOperator: Sendable {
  typealias Build = @Sendable (inout ImportBuilder, ImportCall) throws -> [ImportedValue]
  typealias BuildWithTensors =
    @Sendable (inout ImportBuilder, ImportCall, inout ImportedTensors) throws -> [ImportedValue]
  typealias BuildWithGraphs = @Sendable (inout ImportWalk, ImportCall, ImportWalk.Scope) throws -> [ImportedValue]

  enum Kind: Sendable {
    case values(BuildWithTensors)
    /// For nodes that hold graphs, which see the names around the node.
    case graphs(BuildWithGraphs)
  }

  let name: String
  /// Empty if all of it is supported; otherwise what is not, for the documentation.
  let limits: String
  let build: Kind

  init(_ name: String, _ limits: String = "", _ build: @escaping Build) {
    self.name = name
    self.limits = limits
    self.build = .values { builder, call, _ in try build(&builder, call) }
  }

  /// For an operator whose attributes hold tensors.
  init(_ name: String, _ limits: String = "", withTensors build: @escaping BuildWithTensors) {
    self.name = name
    self.limits = limits
    self.build = .values(build)
  }

  init(_ name: String, _ limits: String = "", withGraphs build: @escaping BuildWithGraphs) {
    self.name = name
    self.limits = limits
    self.build = .graphs(build)
  }
}

/// Every operator that is read. `Ops/` has them, a file a group.
enum ImportedOperators {
  static let all: [ImportedOperator] =
    elementwiseOperators + windowOperators + reductionOperators + shapeOperators + gatherOperators
    + knownOperators + patternOperators + resizeOperators + normOperators + samplingOperators
    + rearrangingOperators + attentionOperators + recurrentOperators + statefulOperators + quantizationOperators
    + controlOperators + sequenceOperators + dataSizedOperators

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  /// An operator of the standard by its name.
  static func named(_ name: String) -> ImportedOperator? { byName[name] }

  /// The operator of a node, by its type and its domain. In the list, operators of other domains have the domain before
  /// their name. `QuantizeLinear` and `DequantizeLinear` mean the same in Microsoft's domain as in ONNX's.
  static func named(_ type: String, in domain: String) -> ImportedOperator? {
    let isPair = ["QuantizeLinear", "DequantizeLinear"].contains(type) && domain == "com.microsoft"
    return byName[domain.isEmpty || isPair ? type : "\(domain).\(type)"]
  }

  /// Why nodes of a type are not read.
  static func refusal(in domain: String) -> Diagnostic {
    if domain.isEmpty {
      return Diagnostic(
        "the operator is not supported", notes: ["docs/OnnxSupport.md lists the operators that are"])
    }
    return Diagnostic(
      "the operators of '\(domain)' are not ONNX's own", notes: ["export the model with standard operators only"])
  }

  /// Operators that get quantised tensors as they are. All others get plain integers, without scale and zero point.
  static let readsQuantized: Set<String> = [
    "DequantizeLinear", "Reshape", "Transpose", "Slice", "Split", "Squeeze", "Unsqueeze", "Flatten", "Identity",
    "Gather", "MaxPool",
  ]
}
