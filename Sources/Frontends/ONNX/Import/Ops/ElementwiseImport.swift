import Foundation
import IR

// Element-wise operators.

/// An operator of one operand that is one op.
private func unary(_ name: String, _ op: @escaping @Sendable (ImportCall) throws -> any Op) -> ImportedOperator {
  ImportedOperator(name) { builder, call in
    let x = try call.input(0)
    return [try builder.applyToAny(op(call), [x], result: builder.type(of: x).element)]
  }
}

/// An operator of two operands: an op, or arithmetic on integers that are known.
private func binary(_ name: String, _ op: any Op) -> ImportedOperator {
  ImportedOperator(name) { builder, call in
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
  if name == "Div" && a.known != nil { try refuseZeros(among: b) }
  if try builder.type(of: a).count == 0 || builder.type(of: b).count == 0 {
    return try builder.applyToAny(op, [a, b], result: builder.type(of: a).element)
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

/// An integer divisor that is known to be zero is a mistake of the model.
private func refuseZeros(among divisor: ImportedValue) throws {
  guard let known = divisor.known, !known.data.element.isFloat, known.tensor.integer.contains(0) else { return }
  throw Diagnostic("it divides integers by zero")
}

/// An operator on the bits of integers.
private func bitwise(_ name: String, _ kind: Bitwise.Kind) -> ImportedOperator {
  ImportedOperator(name) { builder, call in [try builder.apply(Bitwise(kind), [call.input(0), call.input(1)])] }
}

/// A value times a number; the value itself if the number is 1.
private func scaled(
  _ builder: inout ImportBuilder, _ x: ImportedValue, by factor: Double
) throws -> ImportedValue {
  if factor == 1 { return x }
  return try builder.apply(Multiply(), [x, builder.known(scalar: factor, builder.type(of: x).element)])
}

let elementwiseOperators: [ImportedOperator] = [
  binary("Add", Add()),
  binary("Sub", Subtract()),
  binary("Mul", Multiply()),
  binary("Div", Divide()),
  ImportedOperator("Pow") { builder, call in
    // The result has the base's type; the exponent may have another.
    let (base, exponent) = (try call.input(0), try call.input(1))
    let (from, to) = (try builder.type(of: base).element, try builder.type(of: exponent).element)
    if from.isFloat || !to.isFloat {
      return [try builder.apply(Power(), [base, converted(&builder, exponent, to: from)])]
    }
    let power = try builder.apply(Power(), [converted(&builder, base, to: to), exponent])
    return [try converted(&builder, power, to: from)]
  },
  ImportedOperator("Mod") { builder, call in
    let truncates = try call.attributes.flag("fmod") ?? false
    let (a, b) = (try call.input(0), try call.input(1))
    if a.known != nil { try refuseZeros(among: b) }
    let op = Modulo(sign: truncates ? .dividend : .divisor)
    return [try builder.applyToAny(op, [a, b], result: builder.type(of: a).element)]
  },
  variadic("Max", Maximum(), as: "Max"),
  variadic("Min", Minimum(), as: "Min"),
  variadic("Sum", Add(), as: "Add"),
  .single("Mean") { builder, call in
    let operands = try call.all()
    let sum = try operands.dropFirst().reduce(operands[0]) { try builder.apply(Add(), [$0, $1]) }
    let count = builder.known(scalar: Double(operands.count), try builder.type(of: sum).element)
    return [operands.count == 1 ? sum : try builder.apply(Divide(), [sum, count])]
  },
  bitwise("BitwiseAnd", .and),
  bitwise("BitwiseOr", .or),
  bitwise("BitwiseXor", .xor),
  unary("BitwiseNot") { _ in Not() },
  ImportedOperator("BitShift") { builder, call in
    let text = try call.attributes.string("direction") ?? ""
    guard let direction = ["LEFT": Shift.Direction.left, "RIGHT": .right][text] else {
      throw Diagnostic("its 'direction' is '\(text)'; it must be LEFT or RIGHT")
    }
    return [try builder.apply(Shift(direction), [call.input(0), call.input(1)])]
  },
  unary("IsNaN") { _ in IsNaN() },
  unary("IsInf") { call in
    IsInfinite(
      positive: try call.attributes.flag("detect_positive") ?? true,
      negative: try call.attributes.flag("detect_negative") ?? true)
  },
  unary("Sign") { _ in Sign() },
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
  unary("Sin") { _ in Trigonometric(.sin) },
  unary("Cos") { _ in Trigonometric(.cos) },
  unary("Tan") { _ in Trigonometric(.tan) },
  unary("Asin") { _ in Trigonometric(.asin) },
  unary("Acos") { _ in Trigonometric(.acos) },
  unary("Atan") { _ in Trigonometric(.atan) },
  unary("Sinh") { _ in Trigonometric(.sinh) },
  unary("Cosh") { _ in Trigonometric(.cosh) },
  unary("Asinh") { _ in Trigonometric(.asinh) },
  unary("Acosh") { _ in Trigonometric(.acosh) },
  unary("Atanh") { _ in Trigonometric(.atanh) },
  .single("Selu") { builder, call in
    let alpha = try call.attributes.float("alpha") ?? Double(Float(1.67326319217681884765625))
    let gamma = try call.attributes.float("gamma") ?? Double(Float(1.05070102214813232421875))
    let x = try call.input(0)
    return [try scaled(&builder, builder.apply(Elu(alpha: alpha), [x]), by: gamma)]
  },
  .single("Celu") { builder, call in
    let alpha = try call.attributes.float("alpha") ?? 1
    let x = try call.input(0)
    let unit = try builder.apply(Divide(), [x, builder.known(scalar: alpha, builder.type(of: x).element)])
    return [try scaled(&builder, builder.apply(Elu(), [unit]), by: alpha)]
  },
  .single("Mish") { builder, call in
    let x = try call.input(0)
    return [try builder.apply(Multiply(), [x, builder.apply(Tanh(), [builder.apply(Softplus(), [x])])])]
  },
  .single("Swish") { builder, call in
    let alpha = try call.attributes.float("alpha") ?? 1
    let x = try call.input(0)
    return [try builder.apply(Multiply(), [x, builder.apply(Sigmoid(), [scaled(&builder, x, by: alpha)])])]
  },
  .single("Softsign") { builder, call in
    let x = try call.input(0)
    let one = builder.known(scalar: 1, try builder.type(of: x).element)
    return [try builder.apply(Divide(), [x, builder.apply(Add(), [builder.apply(Absolute(), [x]), one])])]
  },
  ImportedOperator("ThresholdedRelu") { builder, call in
    let x = try call.input(0)
    let element = try builder.type(of: x).element
    let alpha = builder.known(scalar: try call.attributes.float("alpha") ?? 1, element)
    let isLarge = try builder.apply(Comparison(.greater), [x, alpha])
    return [try builder.apply(Select(), [isLarge, x, builder.known(scalar: 0, element)])]
  },
  .single("Shrink") { builder, call in
    let x = try call.input(0)
    let element = try builder.type(of: x).element
    let (bias, limit) = (try call.attributes.float("bias") ?? 0, try call.attributes.float("lambd") ?? 0.5)
    guard element.isFloat || (bias.rounded() == bias && limit.rounded() == limit) else {
      throw Diagnostic("its 'bias' \(bias) and 'lambd' \(limit) are no integers, as its operand's elements are")
    }
    func moved(_ op: any Op) throws -> ImportedValue {
      try builder.apply(op, [x, builder.known(scalar: bias, element)])
    }
    let isHigh = try builder.apply(Comparison(.greater), [x, builder.known(scalar: limit, element)])
    let isLow = try builder.apply(Comparison(.less), [x, builder.known(scalar: -limit, element)])
    let low = try builder.apply(Select(), [isLow, moved(Add()), builder.known(scalar: 0, element)])
    return [try builder.apply(Select(), [isHigh, moved(Subtract()), low])]
  },
  .single("PRelu") { builder, call in
    let (x, slope) = (try call.input(0), try call.input(1))
    let type = try builder.type(of: x)
    let isNegative = try builder.apply(Comparison(.less), [x, builder.known(scalar: 0, type.element)])
    let result = try builder.apply(Select(), [isNegative, builder.apply(Multiply(), [slope, x]), x])
    guard try builder.type(of: result).shape == type.shape else {
      throw Diagnostic("its slope does not broadcast to \(type)")
    }
    return [result]
  },
  ImportedOperator("Clip") { builder, call in
    var x = try call.input(0)
    let element = try builder.type(of: x).element
    func bound(_ index: Int, _ name: String) throws -> ImportedValue? {
      if let value = try call.attributes.float(name) { return builder.known(scalar: value, element) }
      guard call.has(index) else { return nil }
      let value = try call.input(index)
      let type = try builder.type(of: value)
      guard type.count == 1, type.element == element else {
        throw Diagnostic("its bound '\(name)' is \(type); it must be one \(element.rawValue)")
      }
      return type.rank == 0 ? value : try builder.apply(Reshape(shape: []), [value])
    }
    let (low, high) = (try bound(1, "min"), try bound(2, "max"))
    if element.isFloat {
      let from = low?.known.map { KnownArithmetic.numbers($0.tensor)[0] }
      let to = high?.known.map { KnownArithmetic.numbers($0.tensor)[0] }
      if from == 0 && to == 6 { return [try builder.apply(Relu6(), [x])] }
      if from == 0 {
        x = try builder.apply(Relu(), [x])
        return [try high.map { try builder.apply(Minimum(), [x, $0]) } ?? x]
      }
    }
    if let low { x = try builder.apply(Maximum(), [x, low]) }
    if let high { x = try builder.apply(Minimum(), [x, high]) }
    return [x]
  },
  ImportedOperator("Identity") { _, call in [try call.input(0)] },
  ImportedOperator("Dropout", "training") { builder, call in
    call.attributes.ignore("seed", "ratio")
    let x = try call.input(0)
    if let training = try call.scalar(2, "whether it trains"), training != 0,
      try call.scalar(1, "the ratio") ?? 0.5 != 0
    {
      throw Diagnostic("it trains; export the model for inference")
    }
    guard call.hasOutput.count > 1, call.hasOutput[1] else { return [x] }
    // The mask says that nothing is dropped.
    let type = try builder.type(of: x)
    let shape = try knownExtents(type.shape)
    let ones = [Double](repeating: 1, count: shape.reduce(1, *))
    let element = call.version >= 10 ? .bool : type.element
    return [x, builder.known(Tensor<Double>(element, shape: shape, ones))]
  },
]
