import IR

// What operators are composed of: other operators of the standard, as the standard's own function bodies are.

extension ImportBuilder {
  /// The operator set that composed operators are written in.
  private static let composedVersion = 22

  /// The results of an operator of the standard, by its name.
  mutating func nodes(
    _ type: String, _ inputs: [ImportedValue?], _ attributes: [Onnx_AttributeProto] = [], outputs: Int = 1
  ) throws -> [ImportedValue] {
    guard case .values(let build)? = ImportedOperators.named(type)?.build else {
      preconditionFailure("\(type) is not read, or holds graphs")
    }
    let values = Dictionary(uniqueKeysWithValues: attributes.map { ($0.name, $0) })
    let call = ImportCall(
      type: type, name: name, version: Self.composedVersion, inputs: inputs,
      hasOutput: [Bool](repeating: true, count: outputs), attributes: ImportAttributes(values))
    var tensors = ImportedTensors(directory: "")
    return try build(&self, call, &tensors)
  }

  /// The one result of an operator of the standard.
  mutating func node(
    _ type: String, _ inputs: ImportedValue?..., attributes: [Onnx_AttributeProto] = []
  ) throws -> ImportedValue {
    try nodes(type, inputs, attributes)[0]
  }

  /// A list of integers.
  mutating func integers(_ values: [Int]) -> ImportedValue {
    known(Tensor<Double>(element: .i64, shape: [values.count], integer: values.map(Int64.init)))
  }

  /// A number of an element type.
  mutating func number(_ value: Double, _ element: ElementType = .f32) -> ImportedValue {
    known(Tensor<Double>(element, shape: [], [value]))
  }

  /// Numbers of an element type.
  mutating func numbers(_ values: [Double], shape: [Int], _ element: ElementType = .f32) -> ImportedValue {
    known(Tensor<Double>(element, shape: shape, values))
  }

  mutating func shaped(_ x: ImportedValue, _ shape: [Int]) throws -> ImportedValue {
    try type(of: x).shape == shape ? x : apply(Reshape(shape: shape), [x])
  }

  mutating func permuted(_ x: ImportedValue, _ order: [Int]) throws -> ImportedValue {
    order == Array(order.indices) ? x : try apply(Transpose(permutation: order), [x])
  }

  mutating func joined(_ parts: [ImportedValue], along axis: Int) throws -> ImportedValue {
    parts.count == 1 ? parts[0] : try nodes("Concat", parts, [.integer("axis", axis)])[0]
  }

  mutating func folded(
    _ kind: Reduce.Kind, _ x: ImportedValue, _ axes: [Int], keeps: Bool = true
  ) throws -> ImportedValue {
    axes.isEmpty ? x : try apply(Reduce(kind: kind, axes: axes, keepDims: keeps), [x])
  }

  /// A border along each axis; negative widths cut off.
  mutating func bordered(
    _ x: ImportedValue, before: [Int], after: [Int], value: Double = 0
  ) throws -> ImportedValue {
    var x = x
    let widths = before + after
    guard widths.allSatisfy({ $0.magnitude <= Self.mostElements }) else {
      throw Diagnostic("its borders would be \(widths); at most \(Self.mostElements) elements are possible")
    }
    for (axis, extent) in try type(of: x).shape.enumerated() where before[axis] < 0 || after[axis] < 0 {
      let (start, end) = (max(0, -before[axis]), extent + min(0, after[axis]))
      guard start < end else { throw Diagnostic("nothing is left along axis \(axis) of \(try type(of: x))") }
      x = try slicedAlong(&self, x, axis: axis, from: start, to: end, step: 1)
    }
    let (before, after) = (before.map { max(0, $0) }, after.map { max(0, $0) })
    if (before + after).allSatisfy({ $0 == 0 }) { return x }
    return try apply(Pad(before: before, after: after, value: value), [x])
  }
}

extension ImportBuilder {
  /// An element-wise op over tensors that may have no elements; then the result has none either, only a shape.
  mutating func applyToAny(
    _ op: any Op, _ operands: [ImportedValue], result: ElementType
  ) throws -> ImportedValue {
    let types = try operands.map { try type(of: $0) }
    guard types.contains(where: { $0.count == 0 }) else { return try apply(op, operands) }
    return known(try KnownArithmetic.nothing(types.map(\.shape), result))
  }
}

extension ImportedOperator {
  /// An operator that becomes several nodes; the values between them are named after the operator.
  static func composed(_ name: String, _ limits: String = "", _ build: @escaping Build) -> ImportedOperator {
    single(name, limits) { builder, call in
      let own = builder.name
      builder.name = "\(own).\(name)"
      defer { builder.name = own }
      return try build(&builder, call)
    }
  }

  /// An operator that may become several ops. Half floats are computed with in float32 and rounded once, at the end.
  static func single(_ name: String, _ limits: String = "", _ build: @escaping Build) -> ImportedOperator {
    ImportedOperator(name, limits) { builder, call in
      func half(_ value: ImportedValue?) throws -> ElementType? {
        guard let value else { return nil }
        let element = try builder.type(of: value).element
        return element == .f16 || element == .bf16 ? element : nil
      }
      guard let element = try call.inputs.lazy.compactMap({ try half($0) }).first else {
        return try build(&builder, call)
      }
      let inputs = try call.inputs.map { value -> ImportedValue? in
        guard let value, try half(value) != nil else { return value }
        return try converted(&builder, value, to: .f32)
      }
      let results = try build(&builder, call.with(inputs))
      // The statistics of a norm stay in the type that they were computed in.
      let isNorm = ["LayerNormalization", "RMSNormalization"].contains(name)
      return try results.enumerated().map { place, value in
        guard try builder.type(of: value).element == .f32, !isNorm || place == 0 else { return value }
        return try converted(&builder, value, to: element)
      }
    }
  }
}

extension ImportBuilder {
  /// The elements in another type.
  mutating func cast(_ x: ImportedValue, to element: ElementType) throws -> ImportedValue {
    try node("Cast", x, attributes: [.integer("to", element.onnx.rawValue)])
  }
}
