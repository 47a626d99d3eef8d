import IR

/// An operator of ONNX that is read: its name, what of it is not supported, and what its nodes become.
struct ImportedOperator: Sendable {
  typealias Build = @Sendable (inout ImportBuilder, ImportCall) throws -> [ImportedValue]
  typealias BuildWithTensors =
    @Sendable (inout ImportBuilder, ImportCall, inout ImportedTensors) throws -> [ImportedValue]

  let name: String
  /// Empty if all of it is supported; otherwise what is not, for the documentation.
  let limits: String
  let build: BuildWithTensors

  init(_ name: String, _ limits: String = "", _ build: @escaping Build) {
    self.name = name
    self.limits = limits
    self.build = { builder, call, _ in try build(&builder, call) }
  }

  /// For an operator whose attributes hold tensors.
  init(_ name: String, _ limits: String = "", withTensors build: @escaping BuildWithTensors) {
    self.name = name
    self.limits = limits
    self.build = build
  }
}

/// Every operator that is read. `Ops/` has them, a file a group.
enum ImportedOperators {
  static let all: [ImportedOperator] =
    elementwiseOperators + windowOperators + reductionOperators + shapeOperators + gatherOperators
    + knownOperators + patternOperators + resizeOperators + normOperators + samplingOperators
    + rearrangingOperators + attentionOperators + recurrentOperators + statefulOperators

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  static func named(_ name: String) -> ImportedOperator? { byName[name] }

  /// What helps with operators that are not supported but often met.
  static let wayOut: [String: String] = [
    "If": "branches are not compiled; export the model with fixed shapes, so that the exporter decides them",
    "Loop": "loops are not compiled; export the model with fixed shapes, so that the exporter unrolls them",
    "Scan": "loops are not compiled; export the model with fixed shapes, so that the exporter unrolls them",
    "QuantizeLinear": "export the model in float32",
    "DequantizeLinear": "export the model in float32",
  ]
}
