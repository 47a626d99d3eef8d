import Foundation
import IR

// Element-wise operators.

/// An operator of one operand that is one op.
private func unary(_ name: String, _ op: @escaping @Sendable (ImportCall) throws -> any Op) -> ImportedOperator {
  ImportedOperator(name) { builder, call in [try builder.apply(op(call), [call.input(0)])] }
}

/// An operator of two operands: an op, or arithmetic on integers that are known.
private func binary(_ name: String, _ op: any Op) -> ImportedOperator {
  ImportedOperator(name) { builder, call in
    call.attributes.ignore("fmod")
    return [try combined(&builder, name, op, call.input(0), call.input(1))]
  }
}

/// An operator of any number of operands, from the left.
private func variadic(_ name: String, _ op: any Op, as type: String) -> ImportedOperator {
  ImportedOperator(name) { builder, call in
    let operands = try call.all()
    return [try operands.dropFirst().reduce(operands[0]) { try combined(&builder, type, op, $0, $1) }]
  }
}

private func combined(
  _ builder: inout ImportBuilder, _ name: String, _ op: any Op, _ a: ImportedValue, _ b: ImportedValue
) throws -> ImportedValue {
  if let a = a.known, let b = b.known, !a.data.element.isFloat, !b.data.element.isFloat {
    return builder.known(try KnownArithmetic.integers(name, a.tensor, b.tensor))
  }
  for (x, other) in [(a, b), (b, a)] where name == "Add" {
    // An index plus nothing: exporters add where each image of the batch starts, and the first starts at 0.
    guard let zeros = other.known, !zeros.data.element.isFloat, zeros.data.bytes.allSatisfy({ $0 == 0 }),
      try builder.type(of: x).element == zeros.data.element,
      try builder.broadcast([x, other]) == builder.type(of: x).shape
    else { continue }
    return x
  }
  return try builder.apply(op, builder.beforeRepetition([a, b]))
}

let elementwiseOperators: [ImportedOperator] = [
  binary("Add", Add()),
  binary("Sub", Subtract()),
  binary("Mul", Multiply()),
  binary("Div", Divide()),
  ImportedOperator("Pow", "bases and exponents of float32 only") { builder, call in
    [try builder.apply(Power(), [call.input(0), call.input(1)])]
  },
  variadic("Max", Maximum(), as: "Max"),
  variadic("Min", Minimum(), as: "Min"),
  variadic("Sum", Add(), as: "Add"),
  unary("Abs") { _ in Absolute() },
  unary("Erf") { _ in Erf() },
  unary("Exp") { _ in Exp() },
  unary("HardSwish") { _ in HardSwish() },
  unary("Log") { _ in Log() },
  unary("Neg") { _ in Negate() },
  unary("Reciprocal") { _ in Reciprocal() },
  unary("Relu") { _ in Relu() },
  unary("Sigmoid") { _ in Sigmoid() },
  unary("Softplus") { _ in Softplus() },
  unary("Sqrt") { _ in Sqrt() },
  unary("Tanh") { _ in Tanh() },
  unary("Elu") { call in Elu(alpha: try call.attributes.float("alpha") ?? 1) },
  unary("LeakyRelu") { call in LeakyRelu(slope: try call.attributes.float("alpha") ?? Double(Float(0.01))) },
  unary("HardSigmoid") { call in
    HardSigmoid(
      alpha: try call.attributes.float("alpha") ?? Double(Float(0.2)), beta: try call.attributes.float("beta") ?? 0.5)
  },
  unary("Gelu") { call in
    let text = try call.attributes.string("approximate") ?? "none"
    guard let approximation = Gelu.Approximation(rawValue: text) else {
      throw Diagnostic("there is no approximation '\(text)'; none and tanh are known")
    }
    return Gelu(approximation: approximation)
  },
  ImportedOperator("Clip", "bounds that depend on the input") { builder, call in
    let low = try call.scalar(1, "the lower bound") ?? call.attributes.float("min")
    let high = try call.scalar(2, "the upper bound") ?? call.attributes.float("max")
    var x = try call.input(0)
    if low == 0 && high == 6 { return [try builder.apply(Relu6(), [x])] }
    if low == 0 { x = try builder.apply(Relu(), [x]) }
    if let low, low != 0 { x = try builder.apply(Maximum(), [x, builder.known(scalar: low)]) }
    if let high { x = try builder.apply(Minimum(), [x, builder.known(scalar: high)]) }
    return [x]
  },
  ImportedOperator("Identity") { _, call in [try call.input(0)] },
  ImportedOperator("Dropout", "training") { builder, call in
    call.attributes.ignore("seed", "ratio")
    try call.requireOneOutput()
    if let training = try call.scalar(2, "whether it trains"), training != 0 {
      throw Diagnostic("it trains; export the model for inference")
    }
    return [try call.input(0)]
  },
]
