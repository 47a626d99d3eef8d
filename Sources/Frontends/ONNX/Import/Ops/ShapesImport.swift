import IR

// Operators that only move elements.

/// The elements of a value under another shape.
func reshaped(
  _ builder: inout ImportBuilder, _ x: ImportedValue, _ shape: [Int]
) throws -> ImportedValue {
  let type = try builder.type(of: x)
  if type.shape == shape { return x }
  if let known = x.known, type.count == 0, shape.contains(0) {
    return builder.known(TensorData(element: known.data.element, shape: try knownExtents(shape), bytes: []))
  }
  return try builder.apply(Reshape(shape: shape), [x])
}

/// Elements along one axis. A slice of nothing is known to be empty, and a slice of everything is the operand.
func slicedAlong(
  _ builder: inout ImportBuilder, _ x: ImportedValue, axis: Int, from start: Int, to end: Int, step: Int
) throws -> ImportedValue {
  let type = try builder.type(of: x)
  let extent = type.shape[axis]
  func clamp(_ position: Int, _ low: Int, _ high: Int) -> Int {
    min(max(position < 0 ? max(position, -extent - 1) + extent : position, low), high)
  }
  if step == 0 || step == Int.min { throw Diagnostic("a step of \(step) leads nowhere") }
  let first = step > 0 ? clamp(start, 0, extent) : clamp(start, -1, extent - 1)
  let last = step > 0 ? clamp(end, 0, extent) : clamp(end, -1, extent - 1)
  if step > 0 ? first >= last : first <= last {
    var shape = type.shape
    shape[axis] = 0
    return builder.known(TensorData(element: type.element, shape: shape, bytes: []))
  }
  if step == 1 && first == 0 && last == extent { return x }
  if case .computed(let id) = x, let join = builder.joins[id] {
    if join.axis != axis {
      let parts = try join.parts.map {
        try slicedAlong(&builder, $0, axis: axis, from: start, to: end, step: step)
      }
      return try joined(&builder, parts, axis: join.axis)
    }
    var before = 0
    for part in join.parts {
      let own = try builder.type(of: part).shape[axis]
      let range = before..<(before + own)
      if step > 0, range.contains(first), range.contains(last - 1) {
        return try slicedAlong(&builder, part, axis: axis, from: first - before, to: last - before, step: step)
      }
      before += own
    }
  }
  // With a negative step the end may lie before the first element, which no count from the end reaches.
  let stop = step < 0 && last == -1 ? -extent - 1 : last
  return try builder.apply(Slice(starts: [first], ends: [stop], axes: [axis], steps: [step]), [x])
}

/// Values one after another along an axis.
private func joined(_ builder: inout ImportBuilder, _ parts: [ImportedValue], axis: Int) throws -> ImportedValue {
  let result = try builder.apply(Concat(axis: axis), parts)
  if case .computed(let id) = result, parts.contains(where: { $0.known != nil }) { builder.joins[id] = (axis, parts) }
  return result
}

let shapeOperators: [ImportedOperator] = [
  ImportedOperator("Reshape") { builder, call in
    let keepsZeros = try call.attributes.flag("allowzero") ?? false
    let x = try call.input(0)
    let type = try builder.type(of: x)
    guard var shape = try call.integers(1, "the shape") else { throw Diagnostic("it has no shape") }
    if !keepsZeros {
      for (axis, extent) in shape.enumerated() where extent == 0 {
        guard axis < type.rank else { throw Diagnostic("its shape \(shape) copies axis \(axis) of \(type)") }
        shape[axis] = type.shape[axis]
      }
    }
    if let free = shape.firstIndex(of: -1) {
      var rest = 1
      for (axis, extent) in shape.enumerated() where axis != free {
        let (product, overflow) = rest.multipliedReportingOverflow(by: extent)
        if overflow || extent < 1 { throw Diagnostic("its shape \(shape) does not fit \(type)") }
        rest = product
      }
      guard type.count % rest == 0 else { throw Diagnostic("its shape \(shape) does not fit \(type)") }
      shape[free] = type.count / rest
    }
    return [try reshaped(&builder, x, shape)]
  },
  ImportedOperator("Flatten") { builder, call in
    let x = try call.input(0)
    let type = try builder.type(of: x)
    let given = try call.attributes.integer("axis") ?? 1
    let axis = given == type.rank ? given : try call.axis(given, rank: type.rank)
    let rows = type.shape[..<axis].reduce(1, *)
    return [try reshaped(&builder, x, [rows, type.count / max(1, rows)])]
  },
  ImportedOperator("Squeeze") { builder, call in
    let x = try call.input(0)
    let type = try builder.type(of: x)
    let axes = try call.axes(rank: type.rank) ?? type.shape.indices.filter { type.shape[$0] == 1 }
    if let axis = axes.first(where: { type.shape[$0] != 1 }) {
      throw Diagnostic("axis \(axis) of \(type) has an extent other than 1")
    }
    return [try reshaped(&builder, x, type.shape.indices.filter { !axes.contains($0) }.map { type.shape[$0] })]
  },
  ImportedOperator("Unsqueeze") { builder, call in
    let x = try call.input(0)
    let type = try builder.type(of: x)
    let count = try (call.integers(1, "the axes") ?? call.attributes.integers("axes") ?? []).count
    if count == 0 || count > 16 { throw Diagnostic("it adds \(count) axes") }
    guard let axes = try call.axes(rank: type.rank + count) else { throw Diagnostic("it has no axes") }
    var rest = type.shape[...]
    let shape = (0..<type.rank + count).map { axes.contains($0) ? 1 : rest.removeFirst() }
    return [try reshaped(&builder, x, shape)]
  },
  ImportedOperator("Transpose") { builder, call in
    let x = try call.input(0)
    let type = try builder.type(of: x)
    let order = try call.attributes.integers("perm") ?? Array((0..<type.rank).reversed())
    if order == Array(0..<type.rank) { return [x] }
    if type.count == 0, order.sorted() == Array(0..<type.rank) {
      return [try reshaped(&builder, x, order.map { type.shape[$0] })]
    }
    return [try builder.apply(Transpose(permutation: order), [x])]
  },
  ImportedOperator("Concat") { builder, call in
    let operands = try call.all()
    let rank = try builder.type(of: operands[0]).rank
    guard let given = try call.attributes.integer("axis") else { throw Diagnostic("it has no 'axis'") }
    let axis = try call.axis(given, rank: rank)
    // A part that a slice has left empty adds nothing.
    let parts = try operands.filter { try builder.type(of: $0).count > 0 }
    if parts.count <= 1 { return [parts.first ?? operands[0]] }
    return [try joined(&builder, parts, axis: axis)]
  },
  ImportedOperator("Split") { builder, call in
    let x = try call.input(0)
    let type = try builder.type(of: x)
    let axis = try call.axis(call.attributes.integer("axis") ?? 0, rank: type.rank)
    let count = try call.attributes.integer("num_outputs") ?? call.hasOutput.count
    let extent = type.shape[axis]
    var sizes = try call.integers(1, "the sizes") ?? call.attributes.integers("split")
    if extent < 1 { throw Diagnostic("there is nothing to split along axis \(axis) of \(type)") }
    if sizes == nil, count > 0, count <= min(extent, 1 << 16) {
      let size = (extent + count - 1) / count
      sizes = (0..<count).map { max(0, min(size, extent - $0 * size)) }
    }
    guard let sizes, sizes.count >= call.hasOutput.count, sizes.allSatisfy({ (0...extent).contains($0) }),
      Extents.sum(sizes.map { $0 }) == extent
    else { throw Diagnostic("it does not split \(extent) into \(call.hasOutput.count) parts that add up to it") }
    var start = 0
    return try sizes.map { size in
      defer { start += size }
      return try slicedAlong(&builder, x, axis: axis, from: start, to: start + size, step: 1)
    }
  },
  ImportedOperator("Slice", "positions that depend on the input") { builder, call in
    var x = try call.input(0)
    let rank = try builder.type(of: x).rank
    // Attributes before operator set 10.
    guard let starts = try call.integers(1, "the starts") ?? call.attributes.integers("starts"),
      let ends = try call.integers(2, "the ends") ?? call.attributes.integers("ends")
    else {
      throw Diagnostic("it has no starts or no ends")
    }
    let given = try call.integers(3, "the axes") ?? call.attributes.integers("axes") ?? Array(starts.indices)
    let axes = try given.map { try call.axis($0, rank: rank) }
    let steps = try call.integers(4, "the steps") ?? starts.map { _ in 1 }
    guard starts.count == ends.count, starts.count == axes.count, starts.count == steps.count,
      Set(axes).count == axes.count
    else { throw Diagnostic("its starts, ends, axes and steps are not equally many, or an axis is named twice") }
    for place in axes.indices {
      if try builder.type(of: x).count == 0 { break }
      x = try slicedAlong(
        &builder, x, axis: axes[place], from: starts[place], to: ends[place], step: steps[place])
    }
    return [x]
  },
  ImportedOperator("Pad") { builder, call in
    var x = try call.input(0)
    let type = try builder.type(of: x)
    let rank = type.rank
    let text = try call.attributes.string("mode") ?? "constant"
    guard let mode = Pad.Mode(rawValue: text) else { throw Diagnostic("there is no mode '\(text)'") }
    // Attributes before operator set 11.
    guard let widths = try call.integers(1, "the widths") ?? call.attributes.integers("pads") else {
      throw Diagnostic("it has no widths")
    }
    let axes = try call.axes(3, rank: rank) ?? Array(0..<rank)
    guard widths.count == 2 * axes.count else {
      throw Diagnostic("its widths are \(widths) for \(axes.count) axes; there must be two an axis")
    }
    if let width = widths.first(where: { $0.magnitude > ImportBuilder.mostElements }) {
      throw Diagnostic("it pads by \(width) elements; at most \(ImportBuilder.mostElements) are possible")
    }
    var before = [Int](repeating: 0, count: rank)
    var after = before
    for (place, axis) in axes.enumerated() {
      before[axis] = widths[place]
      after[axis] = widths[place + axes.count]
    }
    let value = mode == .constant ? try call.scalar(2, "the value") ?? call.attributes.float("value") ?? 0 : 0
    if type.count == 0 { throw Diagnostic("it pads \(type), which is empty") }
    // Negative widths cut first, and the border is made of what is left.
    for axis in 0..<rank where before[axis] < 0 || after[axis] < 0 {
      let extent = try builder.type(of: x).shape[axis]
      let (start, end) = (max(0, -before[axis]), extent - max(0, -after[axis]))
      guard start < end else { throw Diagnostic("its widths \(widths) leave nothing of \(type)") }
      x = try slicedAlong(&builder, x, axis: axis, from: start, to: end, step: 1)
    }
    let wider = (before.map { max($0, 0) }, after.map { max($0, 0) })
    if (wider.0 + wider.1).contains(where: { $0 > 0 }) {
      x = try builder.apply(Pad(before: wider.0, after: wider.1, value: value, mode: mode), [x])
    }
    return [x]
  },
]
