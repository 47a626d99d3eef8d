import IR

// Operators that carry a state from one call to the next: models of sequences are made of them since operator set 27.

private func causalConvolution(_ builder: inout ImportBuilder, _ call: ImportCall) throws -> [ImportedValue] {
  let x = try builder.type(of: call.input(0))
  let weight = try builder.type(of: call.input(1))
  let activation = try call.attributes.string("activation") ?? "none"
  guard ["none", "silu", "swish"].contains(activation) else {
    throw Diagnostic("there is no activation '\(activation)'; none, silu and swish are known")
  }
  guard x.rank == 3, weight.rank == 3, weight.shape[..<2] == [x.shape[1], 1] else {
    throw Diagnostic("its operand is \(x), and its weight \(weight); they must be [N, C, L] and [C, 1, k]")
  }
  let past = weight.shape[2] - 1
  let length = x.shape[2]
  var sequence = try call.input(0)
  if call.has(3), try builder.type(of: call.input(3)).count > 0 {
    guard try builder.type(of: call.input(3)).shape == [x.shape[0], x.shape[1], past] else {
      throw Diagnostic("its state is \(try builder.type(of: call.input(3)))")
    }
    sequence = try builder.joined([call.input(3), sequence], along: 2)
  } else {
    sequence = try builder.bordered(sequence, before: [0, 0, past], after: [0, 0, 0])
  }
  let inputs = [sequence, try call.input(1), call.has(2) ? try call.input(2) : nil]
  var result = try builder.nodes("Conv", inputs, [.integer("group", x.shape[1])])[0]
  if activation != "none" { result = try builder.node("Mul", result, builder.node("Sigmoid", result)) }
  let state = try slicedAlong(&builder, sequence, axis: 2, from: length, to: length + past, step: 1)
  return [result, state]
}

private let mostSteps = 512

// Long because it follows the definition of the operator step by step.
private func linearAttention(_ builder: inout ImportBuilder, _ call: ImportCall) throws -> [ImportedValue] {
  call.attributes.ignore("chunk_size")
  let rule = try call.attributes.string("update_rule") ?? "gated_delta"
  guard ["linear", "gated", "delta", "gated_delta"].contains(rule) else {
    throw Diagnostic("there is no update rule '\(rule)'")
  }
  let (isGated, isDelta) = (rule.hasPrefix("gated"), rule.hasSuffix("delta"))
  let queryHeads = try call.attributes.integer("q_num_heads") ?? 0
  let heads = try call.attributes.integer("kv_num_heads") ?? 0
  let types = try (0..<3).map { try builder.type(of: call.input($0)) }
  guard heads >= 1, queryHeads >= heads, queryHeads % heads == 0, types.allSatisfy({ $0.rank == 3 }),
    types.allSatisfy({ Array($0.shape[..<2]) == Array(types[0].shape[..<2]) }), types[1].shape[2] % heads == 0,
    types[2].shape[2] % heads == 0, types[0].shape[2] * heads == types[1].shape[2] * queryHeads
  else {
    throw Diagnostic("its operands are \(types[0]), \(types[1]) and \(types[2]), with \(queryHeads) and \(heads) heads")
  }
  let (batch, steps, element) = (types[0].shape[0], types[0].shape[1], types[0].element)
  let (size, width, shared) = (types[1].shape[2] / heads, types[2].shape[2] / heads, queryHeads / heads)
  if steps > mostSteps {
    throw Diagnostic("it takes \(steps) steps; at most \(mostSteps) are compiled, each on its own")
  }
  let given = try call.attributes.float("scale") ?? 0
  let scale = builder.number(given == 0 ? 1 / Double(size).squareRoot() : given, element)
  let stateShape = [batch, heads, size, width]
  var state: ImportedValue
  if call.has(3) {
    state = try call.input(3)
    guard try builder.type(of: state).shape == stateShape else {
      throw Diagnostic("its state is \(try builder.type(of: state)); it must be \(stateShape)")
    }
  } else {
    let zeros = [Double](repeating: 0, count: try knownExtents(stateShape).reduce(1, *))
    state = builder.numbers(zeros, shape: stateShape, element)
  }
  /// The part of an operand [batch, steps, ..] for one step, under another shape.
  func part(_ index: Int, _ step: Int, _ shape: [Int], _ meaning: String) throws -> ImportedValue {
    let type = try builder.type(of: call.input(index))
    guard type.rank == 3, type.shape[..<2] == [batch, steps], type.shape[2] * batch == shape.reduce(1, *) else {
      throw Diagnostic("\(meaning) (input \(index)) is \(type)")
    }
    return try builder.shaped(
      slicedAlong(&builder, call.input(index), axis: 1, from: step, to: step + 1, step: 1), shape)
  }
  var outputs: [ImportedValue] = []
  for step in 0..<steps {
    let query = try part(0, step, [batch, heads, shared, size], "the query")
    let key = try part(1, step, [batch, heads, size, 1], "the key")
    var value = try part(2, step, [batch, heads, 1, width], "the value")
    if isGated {
      let isWhole = try builder.type(of: call.input(4)).shape.last == heads
      let decay = try part(4, step, [batch, heads, isWhole ? 1 : size, 1], "the decay")
      state = try builder.node("Mul", state, builder.node("Exp", decay))
    }
    if isDelta {
      let isCommon = try builder.type(of: call.input(5)).shape.last == 1
      let rate = try part(5, step, [batch, isCommon ? 1 : heads, 1, 1], "the rate")
      let known = try builder.node("MatMul", builder.shaped(key, [batch, heads, 1, size]), state)
      value = try builder.node("Mul", rate, builder.node("Sub", value, known))
    }
    state = try builder.node("Add", state, builder.node("Mul", key, value))
    let read = try builder.node("MatMul", builder.node("Mul", query, scale), state)
    outputs.append(try builder.shaped(read, [batch, 1, queryHeads * width]))
  }
  return [try builder.joined(outputs, along: 1), state]
}

let statefulOperators: [ImportedOperator] = [
  .composed("CausalConvWithState") { try causalConvolution(&$0, $1) },
  .composed("LinearAttention", "more than 512 steps") { try linearAttention(&$0, $1) },
]
