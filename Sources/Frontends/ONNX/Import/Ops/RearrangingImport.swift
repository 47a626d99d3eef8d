import Foundation
import IR

// Operators that put elements elsewhere, and sums of products over named axes.

private func scatter(_ name: String, _ op: @escaping @Sendable (ImportCall, Int) throws -> any Op) -> ImportedOperator {
  ImportedOperator(name) { builder, call in
    let data = try call.input(0)
    let rank = try builder.type(of: data).rank
    let made = try op(call, rank)
    if try builder.type(of: call.input(1)).count == 0 { return [data] }
    return [try builder.apply(made, [data, call.input(1), call.input(2)])]
  }
}

private func reduction(_ call: ImportCall) throws -> ScatterReduction {
  let text = try call.attributes.string("reduction") ?? "none"
  if text == "none" { return .replace }
  guard text != "replace", let known = ScatterReduction(rawValue: text) else {
    throw Diagnostic("there is no reduction '\(text)'; none, add, mul, max and min are known")
  }
  return known
}

private func blockSize(_ call: ImportCall) throws -> Int {
  guard let size = try call.attributes.integer("blocksize"), (1...1 << 16).contains(size) else {
    throw Diagnostic("it has no 'blocksize', or none that is positive")
  }
  return size
}

/// A window function of the standard: a sum of cosines.
private func windowFunction(_ name: String, _ coefficients: [Double]) -> ImportedOperator {
  ImportedOperator(name, "a size that depends on the input") { builder, call in
    let isPeriodic = try call.attributes.flag("periodic") ?? true
    let code = try call.attributes.integer("output_datatype") ?? 1
    guard let element = ElementType(onnx: Int32(clamping: code)), element.isFloat else {
      throw Diagnostic("its result would be of type \(code); it is of floats")
    }
    guard let size = try call.integers(0, "the size")?.first, (1...KnownArithmetic.mostElements).contains(size) else {
      throw Diagnostic("its size is not one positive number")
    }
    let period = Double(isPeriodic ? size : max(1, size - 1))
    let values = (0..<size).map { place in
      coefficients.enumerated().reduce(0.0) { sum, term in
        sum + term.element * cos(2 * Double.pi * Double(place) * Double(term.offset) / period)
      }
    }
    return [builder.numbers(values, shape: [size], element)]
  }
}

let rearrangingOperators: [ImportedOperator] = [
  scatter("ScatterElements") { call, rank in
    ScatterElements(
      axis: try call.axis(call.attributes.integer("axis") ?? 0, rank: rank), reduction: try reduction(call))
  },
  scatter("Scatter") { call, rank in
    ScatterElements(axis: try call.axis(call.attributes.integer("axis") ?? 0, rank: rank))
  },
  scatter("ScatterND") { call, _ in ScatterND(reduction: try reduction(call)) },
  .composed("DepthToSpace") { builder, call in
    let x = try builder.type(of: call.input(0))
    let size = try blockSize(call)
    let mode = try call.attributes.string("mode") ?? "DCR"
    guard x.rank == 4, x.shape[1] % (size * size) == 0 else {
      throw Diagnostic("it makes blocks of \(size) * \(size) pixels of the channels of \(x)")
    }
    guard mode == "DCR" || mode == "CRD" else { throw Diagnostic("there is no mode '\(mode)'") }
    let (channels, rows, columns) = (x.shape[1] / (size * size), x.shape[2], x.shape[3])
    let split = mode == "DCR" ? [size, size, channels] : [channels, size, size]
    let order = mode == "DCR" ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3]
    let apart = try builder.shaped(call.input(0), [x.shape[0]] + split + [rows, columns])
    return [
      try builder.shaped(builder.permuted(apart, order), [x.shape[0], channels, rows * size, columns * size])
    ]
  },
  .composed("SpaceToDepth") { builder, call in
    let x = try builder.type(of: call.input(0))
    let size = try blockSize(call)
    guard x.rank == 4, x.shape[2] % size == 0, x.shape[3] % size == 0 else {
      throw Diagnostic("it makes channels of blocks of \(size) * \(size) pixels of \(x)")
    }
    let (rows, columns) = (x.shape[2] / size, x.shape[3] / size)
    let apart = try builder.shaped(call.input(0), [x.shape[0], x.shape[1], rows, size, columns, size])
    return [
      try builder.shaped(
        builder.permuted(apart, [0, 3, 5, 1, 2, 4]), [x.shape[0], x.shape[1] * size * size, rows, columns])
    ]
  },
  .composed("CenterCropPad", "a shape that depends on the input") { builder, call in
    let x = try builder.type(of: call.input(0))
    let axes = try call.attributes.integers("axes").map { try $0.map { try call.axis($0, rank: x.rank) } }
    let order = axes ?? Array(0..<x.rank)
    guard let shape = try call.integers(1, "the shape"), shape.count == order.count, Set(order).count == order.count,
      shape.allSatisfy({ (1...1 << 31).contains($0) })
    else { throw Diagnostic("its shape is not one positive number for each of its axes") }
    var before = [Int](repeating: 0, count: x.rank)
    var after = before
    for (axis, extent) in zip(order, shape) {
      let more = extent - x.shape[axis]
      // If a width is odd, a border has one more at the end, and a cut takes one less at the front.
      before[axis] = more >= 0 ? more / 2 : -((-more) / 2)
      after[axis] = more - before[axis]
    }
    return [try builder.bordered(call.input(0), before: before, after: after)]
  },
  .composed("ReverseSequence") { builder, call in
    let x = try builder.type(of: call.input(0))
    let time = try call.axis(call.attributes.integer("time_axis") ?? 0, rank: x.rank)
    let batch = try call.axis(call.attributes.integer("batch_axis") ?? 1, rank: x.rank)
    let lengths = try builder.type(of: call.input(1))
    guard time != batch, lengths.shape == [x.shape[batch]], lengths.element == .i64 else {
      throw Diagnostic("its lengths are \(lengths); they must be i64, one for each of \(x.shape[batch]) sequences")
    }
    _ = try knownExtents([x.shape[time]])
    // The place t of a sequence of length n comes from n - 1 - t, if t is less than n. The other places stay.
    func along(_ axis: Int) -> [Int] { x.shape.indices.map { $0 == axis ? x.shape[axis] : 1 } }
    let places = builder.known(
      Tensor<Double>(element: .i64, shape: along(time), integer: (0..<x.shape[time]).map { Int64($0) }))
    let ends = try builder.shaped(call.input(1), along(batch))
    let one = builder.known(Tensor<Double>(element: .i64, shape: [], integer: [1]))
    let mirrored = try builder.node("Sub", builder.node("Sub", ends, one), places)
    let sources = try builder.node("Where", builder.node("Less", places, ends), mirrored, places)
    let indices = try builder.node("Expand", sources, builder.integers(x.shape))
    return [try builder.node("GatherElements", call.input(0), indices, attributes: [.integer("axis", time)])]
  },
  .composed("TensorScatter") { builder, call in
    let cache = try builder.type(of: call.input(0))
    let update = try builder.type(of: call.input(1))
    let axis = try call.axis(call.attributes.integer("axis") ?? -2, rank: cache.rank)
    let mode = try call.attributes.string("mode") ?? "linear"
    guard mode == "linear" || mode == "circular" else { throw Diagnostic("there is no mode '\(mode)'") }
    guard axis > 0, update.rank == cache.rank else {
      throw Diagnostic("it writes \(update) into \(cache) along axis \(axis), which must not be that of the batch")
    }
    _ = try knownExtents([update.shape[axis]])
    func along(_ axis: Int) -> [Int] { update.shape.indices.map { $0 == axis ? update.shape[axis] : 1 } }
    var places = builder.known(
      Tensor<Double>(element: .i64, shape: along(axis), integer: (0..<update.shape[axis]).map { Int64($0) }))
    if call.has(2) { places = try builder.node("Add", places, builder.shaped(call.input(2), along(0))) }
    if mode == "circular" {
      let length = builder.known(Tensor<Double>(element: .i64, shape: [], integer: [Int64(cache.shape[axis])]))
      places = try builder.node("Mod", places, length)
    }
    let indices = try builder.node("Expand", places, builder.integers(update.shape))
    return [try builder.apply(ScatterElements(axis: axis), [call.input(0), indices, call.input(1)])]
  },
  .composed("Einsum", "sums of products of more than 26 axes") { builder, call in
    guard let equation = try call.attributes.string("equation") else { throw Diagnostic("it has no 'equation'") }
    let operands = try call.all()
    return [try EinsteinSum(equation, operands.map { try builder.type(of: $0).shape }).build(&builder, operands)]
  },
  .composed("DFT", "lengths and axes that depend on the input") { builder, call in
    [try fourierTransform(&builder, call)]
  },
  windowFunction("HannWindow", [0.5, -0.5]),
  windowFunction("HammingWindow", [25.0 / 46, -21.0 / 46]),
  windowFunction("BlackmanWindow", [0.42, -0.5, 0.08]),
]

// MARK: Sums of products

/// An equation like `bij,bjk->bik`, its letters resolved to extents.
private struct EinsteinSum {
  /// The axes of an operand or the result, by name; those of an ellipsis are numbers.
  private var inputs: [[String]]
  private var output: [String]

  init(_ equation: String, _ shapes: [[Int]]) throws {
    let text = equation.filter { $0 != " " }
    let sides = text.components(separatedBy: "->")
    let terms = sides[0].components(separatedBy: ",")
    guard sides.count <= 2, terms.count == shapes.count else {
      throw Diagnostic("its equation '\(equation)' is not one of \(shapes.count) operands")
    }
    var widest = 0
    func axes(_ term: String, rank: Int?) throws -> [String] {
      let parts = term.components(separatedBy: "...")
      guard parts.count <= 2, parts.joined().allSatisfy({ $0.isASCII && $0.isLetter }) else {
        throw Diagnostic("its equation '\(equation)' has a term '\(term)'; terms are letters and one '...'")
      }
      let letters = parts.map { $0.map(String.init) }
      if parts.count == 1 { return letters[0] }
      let count = rank.map { $0 - letters[0].count - letters[1].count } ?? widest
      if count < 0 { throw Diagnostic("its term '\(term)' names more axes than its operand has") }
      widest = max(widest, count)
      // Axes of ellipses go together from the last one on.
      return letters[0] + (0..<count).map { "\(count - 1 - $0)" } + letters[1]
    }
    inputs = try zip(terms, shapes).map { term, shape in
      let names = try axes(term, rank: shape.count)
      guard names.count == shape.count else {
        throw Diagnostic("its term '\(term)' names \(names.count) axes of an operand of \(shape.count)")
      }
      return names
    }
    if sides.count == 2 {
      output = try axes(sides[1], rank: nil)
    } else {
      // The axes of the result if none are named: those of the ellipses, then the letters that occur once, in
      // alphabetical order.
      let all = inputs.flatMap { $0 }
      let once = Set(all).filter { name in all.filter { $0 == name }.count == 1 && Int(name) == nil }
      output = (0..<widest).map { "\(widest - 1 - $0)" } + once.sorted()
    }
    guard Set(output).count == output.count, output.allSatisfy({ name in inputs.contains { $0.contains(name) } }) else {
      throw Diagnostic("its equation '\(equation)' has a result with an axis twice, or one that no operand has")
    }
  }

  func build(_ builder: inout ImportBuilder, _ operands: [ImportedValue]) throws -> ImportedValue {
    var (value, names) = try diagonal(&builder, operands[0], inputs[0])
    for place in operands.indices.dropFirst() {
      let (other, otherNames) = try diagonal(&builder, operands[place], inputs[place])
      let later = Set(inputs[(place + 1)...].flatMap { $0 } + output)
      (value, names) = try product(&builder, (value, names), (other, otherNames), later)
    }
    let summed = names.indices.filter { !output.contains(names[$0]) }
    value = try builder.folded(.sum, value, summed, keeps: false)
    names = names.filter { output.contains($0) }
    // An axis that an ellipsis stands for in one operand only may be missing.
    return try builder.permuted(value, output.compactMap { names.firstIndex(of: $0) })
  }

  /// An operand with each of its axes named once.
  private func diagonal(
    _ builder: inout ImportBuilder, _ x: ImportedValue, _ names: [String]
  ) throws -> (ImportedValue, [String]) {
    var (value, names) = (x, names)
    while let name = names.first(where: { name in names.filter { $0 == name }.count > 1 }) {
      let places = names.indices.filter { names[$0] == name }.prefix(2)
      let shape = try builder.type(of: value).shape
      let (first, second) = (places[places.startIndex], places[places.startIndex + 1])
      let extent = shape[first]
      guard shape[second] == extent else {
        throw Diagnostic("the axis '\(name)' has extents of \(extent) and \(shape[second])")
      }
      let rest = names.indices.filter { $0 != first && $0 != second }
      let restShape = rest.map { shape[$0] }
      let moved = try builder.permuted(value, rest + [first, second])
      let flat = try builder.shaped(moved, restShape + [extent * extent])
      value = try slicedAlong(&builder, flat, axis: rest.count, from: 0, to: extent * extent, step: extent + 1)
      names = rest.map { names[$0] } + [name]
    }
    return (value, names)
  }

  /// The product of two operands, summed over the axes that are not needed later.
  private func product(
    _ builder: inout ImportBuilder, _ a: (ImportedValue, [String]), _ b: (ImportedValue, [String]), _ later: Set<String>
  ) throws -> (ImportedValue, [String]) {
    var extents: [String: Int] = [:]
    for (value, names) in [a, b] {
      for (name, extent) in zip(names, try builder.type(of: value).shape) {
        let known = extents[name] ?? 1
        guard known == 1 || extent == 1 || known == extent else {
          throw Diagnostic("the axis '\(name)' has extents of \(known) and \(extent)")
        }
        extents[name] = max(known, extent)
      }
    }
    /// Sums over the axes that are in this operand alone; an axis that only repeats does not count.
    func reduced(_ own: (ImportedValue, [String]), _ other: [String]) throws -> (ImportedValue, [String]) {
      let shape = try builder.type(of: own.0).shape
      let gone = own.1.indices.filter { place in
        let name = own.1[place]
        return other.contains(name) ? shape[place] == 1 && extents[name] != 1 : !later.contains(name)
      }
      let value = try builder.folded(.sum, own.0, gone, keeps: false)
      return (value, own.1.indices.filter { !gone.contains($0) }.map { own.1[$0] })
    }
    let (x, xNames) = try reduced(a, b.1)
    let (y, yNames) = try reduced(b, a.1)
    let shared = xNames.filter { yNames.contains($0) }
    let batch = shared.filter { later.contains($0) }
    let summed = shared.filter { !later.contains($0) }
    let left = xNames.filter { !shared.contains($0) }
    let right = yNames.filter { !shared.contains($0) }
    func size(_ names: [String]) -> Int { names.reduce(1) { $0 * (extents[$1] ?? 1) } }
    func arranged(_ value: ImportedValue, _ own: [String], _ order: [String], _ shape: [Int]) throws -> ImportedValue {
      try builder.shaped(builder.permuted(value, order.compactMap { own.firstIndex(of: $0) }), shape)
    }
    let rows = try arranged(x, xNames, batch + left + summed, [size(batch), size(left), size(summed)])
    let columns = try arranged(y, yNames, batch + summed + right, [size(batch), size(summed), size(right)])
    let result = try builder.node("MatMul", rows, columns)
    let names = batch + left + right
    return (try builder.shaped(result, names.map { extents[$0] ?? 1 }), names)
  }
}

// MARK: Fourier transforms

/// The discrete transform as a product with the matrix of its sines and cosines.
private func fourierTransform(_ builder: inout ImportBuilder, _ call: ImportCall) throws -> ImportedValue {
  let x = try builder.type(of: call.input(0))
  let isInverse = try call.attributes.flag("inverse") ?? false
  let isOneSided = try call.attributes.flag("onesided") ?? false
  let given: Int
  if call.version >= 20 {
    given = try call.integers(2, "the axis")?.first ?? -2
  } else {
    given = try call.attributes.integer("axis") ?? 1
  }
  guard x.rank >= 2, let parts = x.shape.last, parts == 1 || parts == 2 else {
    throw Diagnostic("it transforms \(x), whose last axis must hold real parts, or real and imaginary ones")
  }
  let axis = try call.axis(given, rank: x.rank)
  if axis == x.rank - 1 { throw Diagnostic("its axis \(given) is that of real and imaginary parts") }
  let extent = x.shape[axis]
  let returnsReal = isInverse && isOneSided
  let length = try call.integers(1, "the length")?.first ?? (returnsReal ? 2 * (extent - 1) : extent)
  guard (1...1 << 16).contains(length) else { throw Diagnostic("its length is \(length); it must be positive") }
  if isOneSided && !isInverse && parts == 2 { throw Diagnostic("it is one-sided, and its operand is complex") }
  let results = isOneSided && !isInverse ? length / 2 + 1 : length
  let resultParts = returnsReal ? 1 : 2
  let most = 1 << 24
  guard extent * parts <= most / (results * resultParts) else {
    throw Diagnostic("a transform of \(extent) to \(results) is larger than its matrix may be")
  }
  // Row (j, p) and column (k, q): what part p of element j adds to part q of result k.
  var matrix = [Double](repeating: 0, count: extent * parts * results * resultParts)
  let sign: Double = isInverse ? 1 : -1
  let scale = isInverse ? 1 / Double(length) : 1
  for j in 0..<min(extent, returnsReal ? length / 2 + 1 : length) {
    // The other half of the terms mirrors this one: each counts twice, except those that are their own mirror image.
    let weight = returnsReal && j != 0 && 2 * j != length ? 2 * scale : scale
    for k in 0..<results {
      let angle = sign * 2 * Double.pi * Double(j * k % length) / Double(length)
      let (real, imaginary) = (weight * cos(angle), weight * sin(angle))
      for p in 0..<parts {
        let row = (j * parts + p) * results * resultParts + k * resultParts
        matrix[row] = p == 0 ? real : -imaginary
        if resultParts == 2 { matrix[row + 1] = p == 0 ? imaginary : real }
      }
    }
  }
  let others = (0..<(x.rank - 1)).filter { $0 != axis }
  let order = others + [axis, x.rank - 1]
  let moved = try builder.permuted(call.input(0), order)
  let rows = others.map { x.shape[$0] }
  let flat = try builder.shaped(moved, [rows.reduce(1, *), extent * parts])
  let product = try builder.node(
    "MatMul", flat, builder.numbers(matrix, shape: [extent * parts, results * resultParts], x.element))
  let back = try builder.shaped(product, rows + [results, resultParts])
  return try builder.permuted(back, (0..<x.rank).map { place in order.firstIndex(of: place) ?? place })
}
