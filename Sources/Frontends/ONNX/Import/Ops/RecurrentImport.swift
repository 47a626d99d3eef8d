import IR

// Recurrent layers, step by step: the sequence is as long as its axis, so that every step is known.

/// More steps than a graph should have nodes for.
private let mostSteps = 512

/// What the recurrent operators share: operands in the order sequence, batch, features, and their attributes.
private struct Recurrence {
  var x: ImportedValue
  let steps: Int
  let batch: Int
  let hidden: Int
  /// Whether each direction runs backwards.
  let directions: [Bool]
  let activations: [String]
  let clip: Double?
  let isBatchFirst: Bool
  let element: ElementType

  init(_ builder: inout ImportBuilder, _ call: ImportCall, gates: Int, activations defaults: [String]) throws {
    let attributes = call.attributes
    isBatchFirst = try attributes.integer("layout") ?? 0 != 0
    x = try call.input(0)
    let type = try builder.type(of: x)
    guard type.rank == 3 else { throw Diagnostic("its operand is \(type); it must be of rank 3") }
    if isBatchFirst { x = try builder.permuted(x, [1, 0, 2]) }
    let shape = try builder.type(of: x).shape
    (steps, batch, element) = (shape[0], shape[1], type.element)
    let direction = try attributes.string("direction") ?? "forward"
    switch direction {
    case "forward": directions = [false]
    case "reverse": directions = [true]
    case "bidirectional": directions = [false, true]
    default: throw Diagnostic("there is no direction '\(direction)'")
    }
    let recurrent = try builder.type(of: call.input(2))
    guard recurrent.rank == 3, let width = recurrent.shape.last,
      recurrent.shape == [directions.count, gates * width, width],
      try builder.type(of: call.input(1)).shape == [directions.count, gates * width, shape[2]]
    else {
      throw Diagnostic(
        "its weights are \(try builder.type(of: call.input(1))) and \(recurrent); they must be [directions, "
          + "\(gates) * hidden, features] and [directions, \(gates) * hidden, hidden]")
    }
    hidden = width
    if let given = try attributes.integer("hidden_size"), given != width {
      throw Diagnostic("its 'hidden_size' is \(given), and its weights have \(width)")
    }
    let names = try attributes.strings("activations") ?? directions.flatMap { _ in defaults }
    guard names.count == defaults.count * directions.count else {
      throw Diagnostic("it has \(names.count) activations; it needs \(defaults.count * directions.count)")
    }
    let known = ["Sigmoid", "Tanh", "Relu", "Softplus", "Softsign"]
    if let other = names.first(where: { name in !known.contains { $0.lowercased() == name.lowercased() } }) {
      throw Diagnostic("the activation '\(other)' is not supported here; \(known.joined(separator: ", ")) are")
    }
    activations = names.map { name in known.first { $0.lowercased() == name.lowercased() } ?? name }
    attributes.ignore("activation_alpha", "activation_beta")
    clip = try attributes.float("clip")
    guard steps * directions.count <= mostSteps else {
      throw Diagnostic("it takes \(steps) steps; at most \(mostSteps) are compiled, each on its own")
    }
    if call.has(4) {
      let lengths = try call.integers(4, "the lengths") ?? []
      guard lengths.allSatisfy({ $0 == steps }) else {
        throw Diagnostic("its sequences have lengths of their own, \(lengths); only whole ones are supported")
      }
    }
  }

  /// The part of an operand that belongs to a direction, without that axis.
  func part(_ builder: inout ImportBuilder, _ value: ImportedValue, _ direction: Int) throws -> ImportedValue {
    let shape = try builder.type(of: value).shape
    let own = try slicedAlong(&builder, value, axis: 0, from: direction, to: direction + 1, step: 1)
    return try builder.shaped(own, Array(shape[1...]))
  }

  /// An initial state [batch, hidden], zeros if there is none.
  func state(_ builder: inout ImportBuilder, _ call: ImportCall, _ index: Int, _ direction: Int) throws -> ImportedValue
  {
    guard call.has(index) else {
      let zeros = [Double](repeating: 0, count: try knownExtents([batch, hidden]).reduce(1, *))
      return builder.numbers(zeros, shape: [batch, hidden], element)
    }
    var value = try call.input(index)
    if isBatchFirst { value = try builder.permuted(value, [1, 0, 2]) }
    guard try builder.type(of: value).shape == [directions.count, batch, hidden] else {
      throw Diagnostic("its state (input \(index)) is \(try builder.type(of: call.input(index)))")
    }
    return try part(&builder, value, direction)
  }

  /// The columns of a gate in [batch, gates * hidden].
  func gate(_ builder: inout ImportBuilder, _ value: ImportedValue, _ place: Int) throws -> ImportedValue {
    let last = try builder.type(of: value).rank - 1
    return try slicedAlong(&builder, value, axis: last, from: place * hidden, to: (place + 1) * hidden, step: 1)
  }

  func activated(_ builder: inout ImportBuilder, _ value: ImportedValue, _ place: Int, _ direction: Int) throws
    -> ImportedValue
  {
    var value = value
    if let clip {
      value = try builder.node("Max", value, builder.number(-clip, element))
      value = try builder.node("Min", value, builder.number(clip, element))
    }
    return try builder.node(activations[direction * (activations.count / directions.count) + place], value)
  }

  /// x * weights^T for every step at once, [steps, batch, rows], plus a bias.
  func projected(_ builder: inout ImportBuilder, _ weight: ImportedValue, _ bias: ImportedValue?) throws
    -> ImportedValue
  {
    let product = try builder.node("MatMul", x, builder.permuted(weight, [1, 0]))
    return try bias.map { try builder.node("Add", product, $0) } ?? product
  }

  /// Runs `step` over the sequence in each direction. It gets the direction, the inputs of a step and the states before
  /// it, and gives the states after it, the first of which are the outputs.
  func run(
    _ builder: inout ImportBuilder, _ inputs: [ImportedValue], _ states: [[ImportedValue]],
    _ step: (inout ImportBuilder, Int, ImportedValue, [ImportedValue]) throws -> [ImportedValue]
  ) throws -> [ImportedValue] {
    var outputs = [[ImportedValue]](repeating: [], count: directions.count)
    var last: [[ImportedValue]] = []
    for (direction, isReverse) in directions.enumerated() {
      var current = states[direction]
      let order = isReverse ? Array((0..<steps).reversed()) : Array(0..<steps)
      var found = [ImportedValue?](repeating: nil, count: steps)
      for place in order {
        let shape = try builder.type(of: inputs[direction]).shape
        let row = try slicedAlong(&builder, inputs[direction], axis: 0, from: place, to: place + 1, step: 1)
        current = try step(&builder, direction, builder.shaped(row, Array(shape[1...])), current)
        found[place] = try builder.shaped(current[0], [1, 1, batch, hidden])
      }
      outputs[direction] = found.compactMap { $0 }
      last.append(current)
    }
    let columns = try outputs.map { try builder.joined($0, along: 0) }
    var results = [try builder.joined(columns, along: 1)]
    for place in states[0].indices {
      let parts = try last.map { try builder.shaped($0[place], [1, batch, hidden]) }
      results.append(try builder.joined(parts, along: 0))
    }
    if !isBatchFirst { return results }
    return try results.enumerated().map { try builder.permuted($1, $0 == 0 ? [2, 0, 1, 3] : [1, 0, 2]) }
  }

  /// The bias of a direction as two halves, of the input's side and of the state's.
  func biases(_ builder: inout ImportBuilder, _ call: ImportCall, gates: Int, _ direction: Int) throws
    -> (input: ImportedValue, state: ImportedValue)?
  {
    guard call.has(3) else { return nil }
    let type = try builder.type(of: call.input(3))
    guard type.shape == [directions.count, 2 * gates * hidden] else {
      throw Diagnostic("its bias is \(type); it must be [\(directions.count), \(2 * gates * hidden)]")
    }
    let own = try part(&builder, call.input(3), direction)
    let half = gates * hidden
    return (
      try slicedAlong(&builder, own, axis: 0, from: 0, to: half, step: 1),
      try slicedAlong(&builder, own, axis: 0, from: half, to: 2 * half, step: 1)
    )
  }
}

private func elmanNetwork(_ builder: inout ImportBuilder, _ call: ImportCall) throws -> [ImportedValue] {
  let layer = try Recurrence(&builder, call, gates: 1, activations: ["Tanh"])
  var inputs: [ImportedValue] = []
  var states: [[ImportedValue]] = []
  var weights: [ImportedValue] = []
  for direction in layer.directions.indices {
    let bias = try layer.biases(&builder, call, gates: 1, direction)
    let sum = try bias.map { try builder.node("Add", $0.input, $0.state) }
    inputs.append(try layer.projected(&builder, layer.part(&builder, call.input(1), direction), sum))
    weights.append(try builder.permuted(layer.part(&builder, call.input(2), direction), [1, 0]))
    states.append([try layer.state(&builder, call, 5, direction)])
  }
  return try layer.run(&builder, inputs, states) { builder, direction, x, states in
    let sum = try builder.node("Add", x, builder.node("MatMul", states[0], weights[direction]))
    return [try layer.activated(&builder, sum, 0, direction)]
  }
}

private func gatedUnit(_ builder: inout ImportBuilder, _ call: ImportCall) throws -> [ImportedValue] {
  let resetsLast = try call.attributes.integer("linear_before_reset") ?? 0 != 0
  let layer = try Recurrence(&builder, call, gates: 3, activations: ["Sigmoid", "Tanh"])
  var inputs: [ImportedValue] = []
  var states: [[ImportedValue]] = []
  var weights: [ImportedValue] = []
  var stateBiases: [ImportedValue?] = []
  for direction in layer.directions.indices {
    let bias = try layer.biases(&builder, call, gates: 3, direction)
    inputs.append(try layer.projected(&builder, layer.part(&builder, call.input(1), direction), bias?.input))
    weights.append(try builder.permuted(layer.part(&builder, call.input(2), direction), [1, 0]))
    stateBiases.append(bias?.state)
    states.append([try layer.state(&builder, call, 5, direction)])
  }
  return try layer.run(&builder, inputs, states) { builder, direction, x, states in
    /// A state times the weights of a gate, and its bias.
    func product(_ state: ImportedValue, _ gate: Int) throws -> ImportedValue {
      let own = try builder.node("MatMul", state, layer.gate(&builder, weights[direction], gate))
      guard let bias = stateBiases[direction] else { return own }
      return try builder.node("Add", own, layer.gate(&builder, bias, gate))
    }
    let old = states[0]
    let update = try layer.activated(
      &builder, builder.node("Add", layer.gate(&builder, x, 0), product(old, 0)), 0, direction)
    let reset = try layer.activated(
      &builder, builder.node("Add", layer.gate(&builder, x, 1), product(old, 1)), 0, direction)
    let recalled =
      resetsLast
      ? try builder.node("Mul", reset, product(old, 2)) : try product(builder.node("Mul", reset, old), 2)
    let new = try layer.activated(
      &builder, builder.node("Add", layer.gate(&builder, x, 2), recalled), 1, direction)
    // (1 - update) * new + update * old.
    let rest = try builder.node("Sub", builder.number(1, layer.element), update)
    return [
      try builder.node("Add", builder.node("Mul", rest, new), builder.node("Mul", update, old))
    ]
  }
}

private func longShortTermMemory(_ builder: inout ImportBuilder, _ call: ImportCall) throws -> [ImportedValue] {
  let couples = try call.attributes.integer("input_forget") ?? 0 != 0
  let layer = try Recurrence(&builder, call, gates: 4, activations: ["Sigmoid", "Tanh", "Tanh"])
  var inputs: [ImportedValue] = []
  var states: [[ImportedValue]] = []
  var weights: [ImportedValue] = []
  var peepholes: [ImportedValue?] = []
  for direction in layer.directions.indices {
    let bias = try layer.biases(&builder, call, gates: 4, direction)
    let sum = try bias.map { try builder.node("Add", $0.input, $0.state) }
    inputs.append(try layer.projected(&builder, layer.part(&builder, call.input(1), direction), sum))
    weights.append(try builder.permuted(layer.part(&builder, call.input(2), direction), [1, 0]))
    states.append([
      try layer.state(&builder, call, 5, direction), try layer.state(&builder, call, 6, direction),
    ])
    if call.has(7) {
      let type = try builder.type(of: call.input(7))
      guard type.shape == [layer.directions.count, 3 * layer.hidden] else {
        throw Diagnostic("its peepholes are \(type); they must be [\(layer.directions.count), \(3 * layer.hidden)]")
      }
      peepholes.append(try layer.part(&builder, call.input(7), direction))
    } else {
      peepholes.append(nil)
    }
  }
  return try layer.run(&builder, inputs, states) { builder, direction, x, states in
    let sums = try builder.node("Add", x, builder.node("MatMul", states[0], weights[direction]))
    /// A gate's sum; `peephole` of the gates that look at the cell.
    func gate(_ place: Int, _ peephole: Int?, _ cell: ImportedValue) throws -> ImportedValue {
      let own = try layer.gate(&builder, sums, place)
      guard let peephole, let weights = peepholes[direction] else { return own }
      return try builder.node("Add", own, builder.node("Mul", layer.gate(&builder, weights, peephole), cell))
    }
    let cell = states[1]
    let input = try layer.activated(&builder, gate(0, 0, cell), 0, direction)
    let forget =
      couples
      ? try builder.node("Sub", builder.number(1, layer.element), input)
      : try layer.activated(&builder, gate(2, 2, cell), 0, direction)
    let candidate = try layer.activated(&builder, gate(3, nil, cell), 1, direction)
    let next = try builder.node("Add", builder.node("Mul", forget, cell), builder.node("Mul", input, candidate))
    let output = try layer.activated(&builder, gate(1, 1, next), 0, direction)
    // The cell is not clipped on its way out.
    let shown = try builder.node(layer.activations[direction * 3 + 2], next)
    return [try builder.node("Mul", output, shown), next]
  }
}

private let limits = "sequences with lengths of their own, activations with parameters, more than 512 steps"

let recurrentOperators: [ImportedOperator] = [
  .composed("RNN", limits) { try elmanNetwork(&$0, $1) },
  .composed("GRU", limits) { try gatedUnit(&$0, $1) },
  .composed("LSTM", limits) { try longShortTermMemory(&$0, $1) },
]
