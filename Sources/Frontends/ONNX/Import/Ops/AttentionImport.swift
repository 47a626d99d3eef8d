import Foundation
import IR

// Attention, what goes with it, and losses.

/// [N, L, heads * size] as [N, heads, L, size].
private func splitHeads(_ builder: inout ImportBuilder, _ x: ImportedValue, _ heads: Int) throws -> ImportedValue {
  let type = try builder.type(of: x)
  if type.rank == 4 { return x }
  guard type.rank == 3, heads >= 1, type.shape[2] % heads == 0 else {
    throw Diagnostic("its operand is \(type), which \(heads) heads do not divide")
  }
  let apart = try builder.shaped(x, [type.shape[0], type.shape[1], heads, type.shape[2] / heads])
  return try builder.permuted(apart, [0, 2, 1, 3])
}

/// Each head `count` times in a row.
private func repeatedHeads(_ builder: inout ImportBuilder, _ x: ImportedValue, _ count: Int) throws -> ImportedValue {
  if count == 1 { return x }
  if count > 1 << 12 { throw Diagnostic("it repeats each head \(count) times; at most \(1 << 12) are possible") }
  let shape = try builder.type(of: x).shape
  let apart = try builder.shaped(x, [shape[0], shape[1], 1, shape[2], shape[3]])
  let copies = try builder.joined([ImportedValue](repeating: apart, count: count), along: 2)
  return try builder.shaped(copies, [shape[0], shape[1] * count, shape[2], shape[3]])
}

// Long because it follows the definition of the operator step by step.
private func attention(_ builder: inout ImportBuilder, _ call: ImportCall) throws -> [ImportedValue] {
  let attributes = call.attributes
  attributes.ignore("softmax_precision")
  let isCausal = try attributes.flag("is_causal") ?? false
  let softcap = try attributes.float("softcap") ?? 0
  let outputMode = try attributes.integer("qk_matmul_output_mode") ?? 0
  let queryHeads = try attributes.integer("q_num_heads") ?? 0
  let keyHeads = try attributes.integer("kv_num_heads") ?? 0
  let isFlat = try builder.type(of: call.input(0)).rank == 3
  let element = try builder.type(of: call.input(0)).element
  let q = try splitHeads(&builder, call.input(0), queryHeads)
  var k = try splitHeads(&builder, call.input(1), keyHeads)
  var v = try splitHeads(&builder, call.input(2), keyHeads)
  var past = 0
  if call.has(4) || call.has(5) {
    past = try builder.type(of: call.input(4)).shape.dropFirst(2).first ?? 0
    k = try builder.joined([call.input(4), k], along: 2)
    v = try builder.joined([call.input(5), v], along: 2)
  }
  let (presentKey, presentValue) = (k, v)
  let shape = try builder.type(of: q).shape
  let keys = try builder.type(of: k).shape
  guard shape.count == 4, keys.count == 4, keys[1] >= 1, shape[1] % keys[1] == 0, shape[3] == keys[3] else {
    throw Diagnostic("its queries are \(try builder.type(of: q)), and its keys \(try builder.type(of: k))")
  }
  k = try repeatedHeads(&builder, k, shape[1] / keys[1])
  v = try repeatedHeads(&builder, v, shape[1] / keys[1])
  let (rows, columns) = (shape[2], keys[2])
  let scale = try attributes.float("scale") ?? 1 / Double(shape[3]).squareRoot()
  guard scale > 0 else { throw Diagnostic("its scale is \(scale); it must be positive") }
  // Half of the scale on either side, as the standard says.
  let half = builder.number(scale.squareRoot(), element)
  let turned = try builder.permuted(k, [0, 1, 3, 2])
  var scores = try builder.node("MatMul", builder.node("Mul", q, half), builder.node("Mul", turned, half))
  var reported = scores
  if softcap > 0 {
    let cap = builder.number(softcap, element)
    scores = try builder.node("Mul", builder.node("Tanh", builder.node("Div", scores, cap)), cap)
    if outputMode == 1 { reported = scores }
  }
  let nothing = builder.number(-.infinity, element)
  let zero = builder.number(0, element)
  if call.has(3) {
    var mask = try call.input(3)
    var type = try builder.type(of: mask)
    let missing = columns - (type.shape.last ?? columns)
    if type.element == .bool { mask = try builder.node("Where", mask, zero, nothing) }
    type = try builder.type(of: mask)
    if missing > 0 {
      let none = type.shape.map { _ in 0 }
      mask = try builder.bordered(mask, before: none, after: none.dropLast() + [missing], value: -.infinity)
    }
    scores = try builder.node("Add", scores, mask)
  }
  if isCausal {
    _ = try knownExtents([rows, columns])
    let values = (0..<rows).flatMap { row in (0..<columns).map { $0 - past > row ? -Double.infinity : 0 } }
    scores = try builder.node("Add", scores, builder.numbers(values, shape: [rows, columns], element))
  }
  if call.has(6) {
    _ = try knownExtents([columns])
    let places = builder.known(
      Tensor<Double>(element: .i64, shape: [1, 1, 1, columns], integer: (0..<columns).map { Int64($0) }))
    let lengths = try builder.shaped(call.input(6), [shape[0], 1, 1, 1])
    let isThere = try builder.node("Less", places, lengths)
    scores = try builder.node("Add", scores, builder.node("Where", isThere, zero, nothing))
  }
  guard try builder.type(of: scores).shape == [shape[0], shape[1], rows, columns] else {
    throw Diagnostic("its mask does not broadcast to [\(shape[0]), \(shape[1]), \(rows), \(columns)]")
  }
  if outputMode == 2 { reported = scores }
  let weights = try builder.node("Softmax", scores, attributes: [.integer("axis", -1)])
  if outputMode == 3 { reported = weights }
  var result = try builder.node("MatMul", weights, v)
  if isFlat {
    let size = try builder.type(of: result).shape
    result = try builder.shaped(builder.permuted(result, [0, 2, 1, 3]), [size[0], size[2], size[1] * size[3]])
  }
  return [result, presentKey, presentValue, reported]
}

private func rotaryEmbedding(_ builder: inout ImportBuilder, _ call: ImportCall) throws -> [ImportedValue] {
  let type = try builder.type(of: call.input(0))
  let isInterleaved = try call.attributes.flag("interleaved") ?? false
  let heads = try call.attributes.integer("num_heads") ?? 0
  let given = try call.attributes.integer("rotary_embedding_dim") ?? 0
  let x = try splitHeads(&builder, call.input(0), heads)
  let shape = try builder.type(of: x).shape
  let size = given == 0 ? shape.last ?? 0 : given
  guard shape.count == 4, size >= 2, size <= shape[3], size % 2 == 0 else {
    throw Diagnostic("it turns \(size) of the numbers of \(type); there must be so many, and an even number")
  }
  // [N or 1, 1, L, size / 2].
  let caches = try (1...2).map { index -> ImportedValue in
    var cache = try call.input(index)
    if call.has(3) { cache = try builder.node("Gather", cache, call.input(3), attributes: [.integer("axis", 0)]) }
    let own = try builder.type(of: cache)
    guard own.shape == [shape[0], shape[2], size / 2] else {
      throw Diagnostic("its sines and cosines are \(own); they must be [\(shape[0]), \(shape[2]), \(size / 2)]")
    }
    return try builder.shaped(cache, [shape[0], 1, shape[2], size / 2])
  }
  func part(_ from: Int, _ to: Int, _ step: Int) throws -> ImportedValue {
    try slicedAlong(&builder, x, axis: 3, from: from, to: to, step: step)
  }
  let (first, second) =
    isInterleaved
    ? (try part(0, size, 2), try part(1, size, 2)) : (try part(0, size / 2, 1), try part(size / 2, size, 1))
  let real = try builder.node("Sub", builder.node("Mul", caches[0], first), builder.node("Mul", caches[1], second))
  let imaginary = try builder.node("Add", builder.node("Mul", caches[1], first), builder.node("Mul", caches[0], second))
  var turned: ImportedValue
  if isInterleaved {
    let pairs = try [real, imaginary].map { try builder.shaped($0, Array(shape[..<3]) + [size / 2, 1]) }
    turned = try builder.shaped(builder.joined(pairs, along: 4), Array(shape[..<3]) + [size])
  } else {
    turned = try builder.joined([real, imaginary], along: 3)
  }
  if size < shape[3] { turned = try builder.joined([turned, part(size, shape[3], 1)], along: 3) }
  if type.rank == 4 { return [turned] }
  return [try builder.shaped(builder.permuted(turned, [0, 2, 1, 3]), type.shape)]
}

/// The negative log likelihood of targets [N, D..] in log probabilities [N, C, D..].
private func likelihoodLoss(
  _ builder: inout ImportBuilder, _ x: ImportedValue, _ call: ImportCall
) throws -> ImportedValue {
  let type = try builder.type(of: x)
  let target = try builder.type(of: call.input(1))
  let reduction = try call.attributes.string("reduction") ?? "mean"
  let ignored = try call.attributes.integer("ignore_index")
  guard type.rank >= 2, target.shape == [type.shape[0]] + type.shape[2...], !target.element.isFloat else {
    throw Diagnostic("its targets are \(target); they must be the place of a class for each of \(type)")
  }
  let classes = try knownExtents([type.shape[1]])[0]
  let column = [1, classes] + type.shape.dropFirst(2).map { _ in 1 }
  let places = builder.known(
    Tensor<Double>(element: target.element, shape: column, integer: (0..<classes).map { Int64($0) }))
  let targets = try builder.shaped(call.input(1), [type.shape[0], 1] + type.shape[2...])
  var isTarget = try builder.node("Equal", targets, places)
  if let ignored {
    let none = builder.known(Tensor<Double>(element: target.element, shape: [], integer: [Int64(ignored)]))
    isTarget = try builder.node("And", isTarget, builder.node("Not", builder.node("Equal", targets, none)))
  }
  let zero = builder.number(0, type.element)
  let weight = try call.has(2) ? builder.shaped(call.input(2), column) : builder.number(1, type.element)
  let weights = try builder.folded(.sum, builder.node("Where", isTarget, weight, zero), [1], keeps: false)
  let chosen = try builder.folded(.sum, builder.node("Where", isTarget, x, zero), [1], keeps: false)
  let losses = try builder.node("Neg", builder.node("Mul", chosen, weights))
  let axes = Array(0..<target.rank)
  switch reduction {
  case "none": return losses
  case "sum": return try builder.folded(.sum, losses, axes, keeps: false)
  case "mean":
    return try builder.node(
      "Div", builder.folded(.sum, losses, axes, keeps: false), builder.folded(.sum, weights, axes, keeps: false))
  default: throw Diagnostic("there is no reduction '\(reduction)'; none, sum and mean are known")
  }
}

let attentionOperators: [ImportedOperator] = [
  .composed("Attention") { try attention(&$0, $1) },
  .composed("RotaryEmbedding") { try rotaryEmbedding(&$0, $1) },
  .composed("NegativeLogLikelihoodLoss") { builder, call in
    [try likelihoodLoss(&builder, call.input(0), call)]
  },
  .composed("SoftmaxCrossEntropyLoss") { builder, call in
    let logs = try builder.node("LogSoftmax", call.input(0), attributes: [.integer("axis", 1)])
    return [try likelihoodLoss(&builder, logs, call), logs]
  },
]
