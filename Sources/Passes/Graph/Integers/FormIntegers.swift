import IR

/// Turns what lies between integers and integers into ops on integers that mean the same.
///
///     %a = dequantize(%x)                      %s = integer_conv2d(%x, %w, %b)
///     %v = dequantize(%w)                =>    %y = requantize(%s, %m)
///     %c = conv2d(%a, %v, dequantize(%b))      %z = lookup(%y, %table)
///     %y = quantize(%c)
///     %z = quantize(gelu(dequantize(%y)))
///
/// Four rules, each for one node whose operands are rewritten already:
/// - A convolution of dequantised tensors is exact in integers. Its sums are dequantised, one scale a channel.
/// - Sums that are quantised again, clamped by an activation or not, are requantised in one step.
/// - What is computed element by element out of one tensor of 8 bits is a table of 256 entries.
/// - Ops that move elements move the integers.
///
/// What no rule knows stays as it is, and is right.
public struct FormIntegers: Pass {
  public static let name = "form-integers"
  public static let summary = "turns regions between dequantize and quantize into ops on integers"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    guard graph.nodes.contains(where: { $0.op is Dequantize }) else { return graph }
    var tables = IntegerTables()
    return try GraphRewriter.rewrite(graph) { rewriter, node in
      if let quantize = node.op as? Quantize {
        return try requantized(&rewriter, node, quantize) ?? tables.lookup(&rewriter, node, quantize)
          ?? joined(&rewriter, node, quantize)
      }
      if node.op is Conv2D { return try exactConvolution(&rewriter, node) }
      return try moved(&rewriter, node)
    }
  }

  /// The tensor of 8 bits, of one scale, that a value is dequantised from.
  private func source(of value: ValueID, _ rewriter: GraphRewriter) -> (q: ValueID, Dequantize)? {
    guard let node = rewriter.definition(of: value), let op = node.op as? Dequantize, op.quantization.axis == nil,
      [.i8, .u8].contains(rewriter.graph.tensorType(of: node.operands[0]).element)
    else { return nil }
    return (node.operands[0], op)
  }

  // MARK: Products

  private func exactConvolution(_ rewriter: inout GraphRewriter, _ node: Node) throws -> [ValueID]? {
    guard let geometry = node.op as? Conv2D, let (x, input) = source(of: node.operands[0], rewriter),
      let weight = try weight(&rewriter, node.operands[1])
    else { return nil }
    let inputScale = Float(input.quantization.scales[0])
    let scales = weight.scales.map { Double(inputScale * Float($0)) }
    var operands = [x, weight.value]
    if node.operands.count > 2 {
      guard let bias = rewriter.definition(of: node.operands[2]), let op = bias.op as? Dequantize,
        rewriter.graph.tensorType(of: bias.operands[0]).element == .i32,
        Self.areEqual(op.quantization.scales, scales, count: rewriter.graph.tensorType(of: bias.operands[0]).count)
      else { return nil }
      operands.append(bias.operands[0])
    }
    let product = IntegerConv2D(geometry, zeroPoint: input.quantization.zeroPoints[0])
    // Sums that 32 bits may not hold stay sums of floats.
    guard (try? product.checkedResultTypes(operands.map(rewriter.graph.type(of:)))) != nil else { return nil }
    let sums = try rewriter.add(product, operands, name: "\(rewriter.name(of: node)).sums", like: node)
    let quantization = Quantization(
      scales: scales, zeroPoints: scales.map { _ in 0 }, axis: scales.count == 1 ? nil : 1)
    return try rewriter.add(Dequantize(quantization), sums, name: rewriter.name(of: node), like: node)
  }

  /// Whether scales are the same for each of `count` channels.
  private static func areEqual(_ a: [Double], _ b: [Double], count: Int) -> Bool {
    (0..<count).allSatisfy { Float(a[a.count == 1 ? 0 : $0]) == Float(b[b.count == 1 ? 0 : $0]) }
  }

  /// Weights as i8 with a zero point of 0, and their scales: one, or one a filter. Weights of u8 are moved by their zero
  /// point, if what comes of it fits.
  private func weight(
    _ rewriter: inout GraphRewriter, _ value: ValueID
  ) throws -> (value: ValueID, scales: [Double])? {
    guard let node = rewriter.definition(of: value), let op = node.op as? Dequantize,
      let constant = rewriter.definition(of: node.operands[0]), let data = rewriter.graph.data(of: constant),
      [.i8, .u8].contains(data.element), data.shape.count == 4, op.quantization.axis ?? 0 == 0
    else { return nil }
    let zeros = op.quantization.zeroPoints
    if data.element == .i8, zeros.allSatisfy({ $0 == 0 }) { return (node.operands[0], op.quantization.scales) }
    let filter = data.count / max(1, data.shape[0])
    let moved = Tensor<Double>(data).integer.enumerated().map { place, weight in
      weight - Int64(zeros[zeros.count == 1 ? 0 : place / filter])
    }
    guard moved.allSatisfy({ (-128...127).contains($0) }) else { return nil }
    let own = TensorData(encoding: Tensor<Double>(element: .i8, shape: data.shape, integer: moved))
    let added = try rewriter.addConstant(
      own, hint: "\(rewriter.graph.values[node.operands[0].index].name).i8", like: node)
    return (added, op.quantization.scales)
  }

  // MARK: Sums

  private func requantized(
    _ rewriter: inout GraphRewriter, _ node: Node, _ quantize: Quantize
  ) throws -> [ValueID]? {
    guard quantize.quantization.axis == nil, var range = quantize.element.integerRange else { return nil }
    let zero = quantize.quantization.zeroPoints[0]
    let scale = Float(quantize.quantization.scales[0])
    var value = node.operands[0]
    if let activation = rewriter.definition(of: value), activation.op is Relu || activation.op is Relu6 {
      let most = activation.op is Relu ? range.upperBound : Int((6 / scale).rounded(.toNearestOrEven)) + zero
      range = zero...max(zero, min(range.upperBound, most))
      value = activation.operands[0]
    }
    guard let dequantized = rewriter.definition(of: value), let op = dequantized.op as? Dequantize,
      op.quantization.axis ?? 1 == 1, rewriter.definition(of: dequantized.operands[0])?.op is IntegerConv2D
    else { return nil }
    let factors = op.quantization.scales.map { Float($0) / scale }
    let multipliers = try rewriter.addConstant(
      TensorData(shape: [factors.count], floats: factors), hint: "\(rewriter.name(of: node)).multipliers", like: node)
    let requantize = Requantize(to: quantize.element, quantize.quantization, axis: 1, bounds: range)
    return try rewriter.add(
      requantize, [dequantized.operands[0], multipliers], name: rewriter.name(of: node), like: node)
  }

  // MARK: Moves

  private func moved(_ rewriter: inout GraphRewriter, _ node: Node) throws -> [ValueID]? {
    guard node.results.count == 1, let (q, op) = node.operands.first.flatMap({ source(of: $0, rewriter) }) else {
      return nil
    }
    let integers: [ValueID]
    switch node.op {
    case is Reshape, is Transpose, is IR.Roll, is Slice, is Broadcast, is Gather, is GatherElements, is GatherND:
      integers = try rewriter.add(node.op, [q] + node.operands.dropFirst(), like: node)
    case var pad as Pad:
      // A border of zeros is one of zero points.
      guard pad.mode != .constant || pad.value == 0 else { return nil }
      pad.value = pad.mode == .constant ? Double(op.quantization.zeroPoints[0]) : pad.value
      integers = try rewriter.add(pad, [q], like: node)
    case is Concat:
      let parts = node.operands.compactMap { source(of: $0, rewriter) }
      let element = rewriter.graph.tensorType(of: q).element
      guard parts.count == node.operands.count,
        parts.allSatisfy({
          $0.1.quantization == op.quantization && rewriter.graph.tensorType(of: $0.q).element == element
            && rewriter.graph.tensorType(of: $0.q).quantization == rewriter.graph.tensorType(of: q).quantization
        })
      else { return nil }
      integers = try rewriter.add(node.op, parts.map(\.q), like: node)
    default: return nil
    }
    return try rewriter.add(op, integers, name: rewriter.name(of: node), like: node)
  }

  /// Parts of a concatenation that are quantised after it are quantised before it.
  private func joined(_ rewriter: inout GraphRewriter, _ node: Node, _ quantize: Quantize) throws -> [ValueID]? {
    guard quantize.quantization.axis == nil, let (concat, join) = rewriter.single(Concat.self, node.operands[0]),
      join.operands.allSatisfy({ source(of: $0, rewriter) != nil })
    else { return nil }
    var tables = IntegerTables()
    let parts = try join.operands.map { part -> ValueID in
      try tables.table(&rewriter, of: part, quantize, name: rewriter.name(of: node), like: node) ?? part
    }
    return try rewriter.add(concat, parts, name: rewriter.name(of: node), like: node)
  }
}
