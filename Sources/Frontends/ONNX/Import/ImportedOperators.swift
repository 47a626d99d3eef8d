import IR

/// An operator of ONNX that is read: its name, what of it is not, and what its nodes become.
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
  /// Empty where all of it is supported; otherwise what is not, for the documentation.
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
    + rearrangingOperators + attentionOperators + recurrentOperators + statefulOperators
    + controlOperators + sequenceOperators + dataSizedOperators

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  static func named(_ name: String) -> ImportedOperator? { byName[name] }

  /// What helps with operators that are not supported but often met.
  static let wayOut: [String: String] = [
    "QuantizeLinear": "export the model in float32",
    "DequantizeLinear": "export the model in float32",
  ]
}
