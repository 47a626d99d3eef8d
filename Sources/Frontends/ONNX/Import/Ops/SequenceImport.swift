import IR

// Sequences of tensors: as many as are known, so that they are gone when the model is read.

/// As many tensors as a sequence may have; loops, which make them, take no more turns.
private let mostTensors = 4096

private func sequence(_ parts: [ImportedValue]) throws -> [ImportedValue] {
  guard parts.count <= mostTensors else {
    throw Diagnostic("its sequence has \(parts.count) tensors; at most \(mostTensors) are possible")
  }
  return [.sequence(parts)]
}

/// A place in a sequence, counted from the front; nil if it is left out. `count` counts the places.
private func place(_ call: ImportCall, _ index: Int, among count: Int) throws -> Int? {
  guard let given = try call.integers(index, "the position") else { return nil }
  guard given.count == 1, (-count..<count).contains(given[0]) else {
    throw Diagnostic("the position \(given) is not among the \(count) of its sequence")
  }
  return given[0] < 0 ? given[0] + count : given[0]
}

private let knownPosition = "a position that depends on the input"

let sequenceOperators: [ImportedOperator] = [
  ImportedOperator("SequenceEmpty") { _, call in
    call.attributes.ignore("dtype")
    return [.sequence([])]
  },
  ImportedOperator("SequenceConstruct") { _, call in try sequence(call.all()) },
  ImportedOperator("SequenceInsert", knownPosition) { _, call in
    var parts = try call.sequence(0)
    let last = parts.count
    // A position may also be after the last; from the end, the last counts as -1.
    if call.has(2), let given = try call.integers(2, "the position"), given == [last] {
      parts.append(try call.input(1))
    } else {
      parts.insert(try call.input(1), at: try place(call, 2, among: last) ?? last)
    }
    return try sequence(parts)
  },
  ImportedOperator("SequenceErase", knownPosition) { _, call in
    var parts = try call.sequence(0)
    if parts.isEmpty { throw Diagnostic("it takes a tensor out of an empty sequence") }
    parts.remove(at: try place(call, 1, among: parts.count) ?? parts.count - 1)
    return [.sequence(parts)]
  },
  ImportedOperator("SequenceAt", knownPosition) { _, call in
    let parts = try call.sequence(0)
    guard let place = try place(call, 1, among: parts.count) else { throw Diagnostic("it has no position") }
    return [parts[place]]
  },
  ImportedOperator("SequenceLength") { builder, call in
    let count = Int64(try call.sequence(0).count)
    return [builder.known(Tensor<Double>(element: .i64, shape: [], integer: [count]))]
  },
  ImportedOperator("SplitToSequence", "sizes that depend on the input") { builder, call in
    let x = try call.input(0)
    let type = try builder.type(of: x)
    let axis = try call.axis(call.attributes.integer("axis") ?? 0, rank: type.rank)
    let keeps = try call.attributes.flag("keepdims") ?? true
    let extent = type.shape[axis]
    let given = try call.integers(1, "the sizes of the parts")
    var sizes = given ?? [Int](repeating: 1, count: min(extent, mostTensors + 1))
    // One number, and not a list of one, is the size of every part but the last.
    if let size = given?.first, try builder.type(of: call.input(1)).rank == 0 {
      if size < 1 { throw Diagnostic("it cuts parts of \(size)") }
      sizes = stride(from: 0, to: extent, by: size).prefix(mostTensors + 1).map { min(size, extent - $0) }
    }
    guard sizes.count <= mostTensors, sizes.allSatisfy({ $0 >= 0 }),
      sizes.allSatisfy({ $0 <= extent }), sizes.reduce(0, +) == extent
    else { throw Diagnostic("it does not cut \(extent) into \(sizes.count) parts that add up to it") }
    var start = 0
    let parts = try sizes.map { size in
      defer { start += size }
      let part = try slicedAlong(&builder, x, axis: axis, from: start, to: start + size, step: 1)
      guard given == nil, !keeps else { return part }
      var shape = type.shape
      shape.remove(at: axis)
      return try reshaped(&builder, part, shape)
    }
    return try sequence(parts)
  },
  ImportedOperator("ConcatFromSequence") { builder, call in
    var parts = try call.sequence(0)
    guard let first = parts.first else { throw Diagnostic("it joins an empty sequence") }
    guard let given = try call.attributes.integer("axis") else { throw Diagnostic("it has no 'axis'") }
    let isNew = try call.attributes.flag("new_axis") ?? false
    let rank = try builder.type(of: first).rank + (isNew ? 1 : 0)
    let axis = try call.axis(given, rank: rank)
    if isNew {
      parts = try parts.map { part in
        var shape = try builder.type(of: part).shape
        if shape.count != rank - 1 { throw Diagnostic("its tensors differ in their ranks") }
        shape.insert(1, at: axis)
        return try reshaped(&builder, part, shape)
      }
    }
    return [try builder.joined(parts, along: axis)]
  },
]
