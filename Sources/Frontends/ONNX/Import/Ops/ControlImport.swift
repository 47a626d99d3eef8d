import IR

// Branches and loops. What decides them has to be known when the model is compiled: the branch that is taken stands in
// the node's place, and a loop becomes its turns, one after the other.

/// As many turns as a loop may take: each becomes nodes, and C, of its own.
private let mostTurns = 1024

private func tooManyTurns() -> Diagnostic {
  Diagnostic("it takes more than \(mostTurns) turns, each of which would become nodes of its own")
}

/// What a loop collects: a tensor in each iteration, concatenated along a new axis.
private struct Collected {
  var parts: [ImportedValue] = []

  /// - Parameter declared: The body's output, which says the shape if there was no iteration.
  func joined(
    _ builder: inout ImportBuilder, axis: Int, backwards: Bool, declared: Onnx_ValueInfoProto
  ) throws -> ImportedValue {
    let parts = backwards ? parts.reversed() : parts
    guard let first = parts.first else { return try nothing(&builder, declared) }
    let type = try builder.type(of: first)
    guard (-type.rank - 1...type.rank).contains(axis) else {
      throw Diagnostic("axis \(axis) is not among the \(type.rank + 1) of what it collects")
    }
    let place = axis < 0 ? axis + type.rank + 1 : axis
    if let other = try parts.map({ try builder.type(of: $0) }).first(where: { $0 != type }) {
      throw Diagnostic("it collects '\(declared.name)', which is \(type) in one turn and \(other) in another")
    }
    var shape = type.shape
    if type.count == 0 {
      shape.insert(parts.count, at: place)
      return builder.known(TensorData(element: type.element, shape: try knownExtents(shape), bytes: []))
    }
    shape.insert(1, at: place)
    return try builder.joined(parts.map { try reshaped(&builder, $0, shape) }, along: place)
  }

  private func nothing(_ builder: inout ImportBuilder, _ declared: Onnx_ValueInfoProto) throws -> ImportedValue {
    let tensor = declared.type.tensorType
    guard let element = ElementType(onnx: tensor.elemType), tensor.hasShape,
      tensor.shape.dim.allSatisfy({ $0.dimValue >= 1 })
    else {
      throw Diagnostic("it takes no turn, and its body does not say the shape of '\(declared.name)', which it collects")
    }
    let shape = try knownExtents([0] + tensor.shape.dim.map { Int($0.dimValue) })
    return builder.known(TensorData(element: element, shape: shape, bytes: []))
  }
}

/// The results of a loop: what is carried on, and what is collected.
private func results(
  _ builder: inout ImportBuilder, _ carried: [ImportedValue], _ collected: [Collected], _ body: HeldGraph,
  axes: [Int]? = nil, directions: [Int]? = nil
) throws -> [ImportedValue] {
  let declared = body.graph.output.suffix(collected.count)
  return try carried
    + zip(collected, declared).enumerated().map { place, pair in
      try pair.0.joined(
        &builder, axis: axes?[place] ?? 0, backwards: directions?[place] == 1, declared: pair.1)
    }
}

private func loop(_ walk: inout ImportWalk, _ call: ImportCall, _ scope: ImportWalk.Scope) throws -> [ImportedValue] {
  let body = try walk.held("body", by: call, in: scope)
  let most = try call.integers(0, "the number of turns")
  if let most, most.count != 1 { throw Diagnostic("its number of turns is \(most); it must be one integer") }
  var goesOn = try call.truth(1, "whether it begins") ?? true
  var carried = try call.inputs.indices.dropFirst(2).map { try call.input($0) }
  let collects = body.graph.output.count - 1 - carried.count
  guard collects >= 0 else {
    throw Diagnostic("its body returns \(body.graph.output.count) values, and it carries \(carried.count) on")
  }
  var collected = [Collected](repeating: Collected(), count: collects)
  var turn = 0
  while goesOn && turn < most?[0] ?? .max {
    if turn == mostTurns { throw tooManyTurns() }
    try walk.turn()
    let place = walk.builder.known(Tensor<Double>(element: .i64, shape: [], integer: [Int64(turn)]))
    let truth = walk.builder.known(Tensor<Double>(element: .bool, shape: [], integer: [1]))
    guard
      let results = try walk.outputs(of: body, by: call, turn: turn, given: [place, truth] + carried, in: scope)
    else { return [] }
    carried = Array(results[1...carried.count])
    for index in collected.indices { collected[index].parts.append(results[1 + carried.count + index]) }
    turn += 1
    // After the last iteration the condition is not read.
    if turn == most?[0] { break }
    guard let truth = results[0].known?.data, truth.element == .bool, truth.count == 1 else {
      throw Diagnostic(
        "whether it goes on after turn \(turn) depends on the model's input; it must be known when the model is compiled"
      )
    }
    goesOn = Tensor<Double>(truth).integer[0] != 0
  }
  return try results(&walk.builder, carried, collected, body)
}

private func scan(_ walk: inout ImportWalk, _ call: ImportCall, _ scope: ImportWalk.Scope) throws -> [ImportedValue] {
  if call.version < 9 { throw Diagnostic("it is Scan of operator set 8, which has another form; export a newer one") }
  let body = try walk.held("body", by: call, in: scope)
  let count = try call.attributes.integer("num_scan_inputs") ?? 0
  let kept = call.inputs.count - count
  guard count >= 1, kept >= 0, body.graph.output.count >= kept else {
    throw Diagnostic("it takes \(call.inputs.count) inputs, of which it would read \(count) slice by slice")
  }
  let collects = body.graph.output.count - kept
  func list(_ name: String, _ length: Int) throws -> [Int] {
    let values = try call.attributes.integers(name) ?? [Int](repeating: 0, count: length)
    guard values.count == length else { throw Diagnostic("its '\(name)' are \(values.count), not \(length)") }
    return values
  }
  let (axes, directions) = (try list("scan_input_axes", count), try list("scan_input_directions", count))
  let outputAxes = try list("scan_output_axes", collects)
  let outputDirections = try list("scan_output_directions", collects)
  var carried = try (0..<kept).map { try call.input($0) }
  let sources = try (kept..<call.inputs.count).map { try call.input($0) }
  let places = try zip(sources, axes).map { try call.axis($1, rank: walk.builder.type(of: $0).rank) }
  let lengths = try zip(sources, places).map { try walk.builder.type(of: $0).shape[$1] }
  guard let length = lengths.first, lengths.allSatisfy({ $0 == length }) else {
    throw Diagnostic("the inputs that it reads slice by slice have \(lengths) slices")
  }
  if length > mostTurns { throw tooManyTurns() }
  var collected = [Collected](repeating: Collected(), count: collects)
  for turn in 0..<length {
    try walk.turn()
    let slices = try sources.indices.map { index in
      let place = directions[index] == 1 ? length - 1 - turn : turn
      let slice = try slicedAlong(
        &walk.builder, sources[index], axis: places[index], from: place, to: place + 1, step: 1)
      var shape = try walk.builder.type(of: slice).shape
      shape.remove(at: places[index])
      return try reshaped(&walk.builder, slice, shape)
    }
    guard let results = try walk.outputs(of: body, by: call, turn: turn, given: carried + slices, in: scope) else {
      return []
    }
    carried = Array(results[..<kept])
    for index in collected.indices { collected[index].parts.append(results[kept + index]) }
  }
  return try results(&walk.builder, carried, collected, body, axes: outputAxes, directions: outputDirections)
}

let controlOperators: [ImportedOperator] = [
  ImportedOperator(
    "If", "a condition that depends on the input",
    withGraphs: { walk, call, scope in
      guard let truth = try call.truth(0, "the condition") else { throw Diagnostic("it has no condition") }
      let (taken, other) = truth ? ("then_branch", "else_branch") : ("else_branch", "then_branch")
      call.attributes.ignore(other)
      return try walk.outputs(of: walk.held(taken, by: call, in: scope), by: call, in: scope) ?? []
    }),
  ImportedOperator("Loop", "turns whose number depends on the input, more than \(mostTurns) turns", withGraphs: loop),
  ImportedOperator("Scan", "more than \(mostTurns) slices", withGraphs: scan),
  ImportedOperator(
    "SequenceMap", "",
    withGraphs: { walk, call, scope in
      let body = try walk.held("body", by: call, in: scope)
      let parts = try call.sequence(0)
      if parts.count > mostTurns { throw tooManyTurns() }
      var sequences = [[ImportedValue]](repeating: [], count: body.graph.output.count)
      for (turn, part) in parts.enumerated() {
        try walk.turn()
        // Another sequence gives its element at the same place, a tensor itself.
        let others = try call.all().dropFirst().map { value in
          guard case .sequence(let elements) = value else { return value }
          guard elements.count == parts.count else {
            throw Diagnostic("its sequences have \(parts.count) and \(elements.count) tensors")
          }
          return elements[turn]
        }
        guard let results = try walk.outputs(of: body, by: call, turn: turn, given: [part] + others, in: scope) else {
          return []
        }
        for (place, result) in results.enumerated() { sequences[place].append(result) }
      }
      return sequences.map { .sequence($0) }
    }),
]
