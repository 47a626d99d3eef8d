import IR

/// Turns convolutions of dequantised tensors into exact ones of integers, for targets with kernels for these.
///
///     %a = dequantize(%x)                      %s = integer_conv2d(%x, %w, %b)
///     %v = dequantize(%w)                =>    %y = requantize(%s, %m)
///     %c = conv2d(%a, %v, dequantize(%b))
///     %y = quantize(relu(%c))
///
/// The sums are dequantised, one scale a channel. If they are quantised again, clamped by an activation or not, they are
/// requantised in one step.
public struct FormIntegerProducts: Pass {
  public static let name = "form-integer-products"
  public static let summary = "turns convolutions of dequantised tensors into exact ones of integers"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    guard graph.nodes.contains(where: { $0.op is Dequantize }) else { return graph }
    return try GraphRewriter.rewrite(graph) { rewriter, node in
      if let quantize = node.op as? Quantize { return try requantized(&rewriter, node, quantize) }
      return try exactConvolution(&rewriter, node)
    }
  }

  private func exactConvolution(_ rewriter: inout GraphRewriter, _ node: Node) throws -> [ValueID]? {
    guard let geometry = node.op as? Conv2D, let (x, input) = rewriter.integers(of: node.operands[0]),
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

  private func requantized(
    _ rewriter: inout GraphRewriter, _ node: Node, _ quantize: Quantize
  ) throws -> [ValueID]? {
    guard quantize.quantization.axis == nil, var range = quantize.element.integerRange else { return nil }
    let zero = quantize.quantization.zeroPoints[0]
    let scale = Float(quantize.quantization.scales[0])
    var value = node.operands[0]
    if let activation = rewriter.definition(of: value), activation.op is Relu || activation.op is Relu6 {
      // The most steps that the type has room for, of however many 6 are.
      let room = Float(range.upperBound - zero)
      let steps = activation.op is Relu ? room : min(room, (6 / scale).rounded(.toNearestOrEven))
      range = zero...(zero + Int(steps))
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
}
