import IR

/// A float32 graph with pairs of quantize and dequantize where a placement has them, and products with weights of
/// eight bits.
///
///     %q = quantize(%x) {to = "i8", ...}                       after each value with a pair
///     %d = dequantize(%q) {...}
///     %w = constant {name = "fc1.weight.int8"} : i8[...]
///     %v = dequantize(%w) {scales = [...], axis = 0}           a scale an output channel
///     %b = constant {name = "fc1.bias.int32"} : i32[...]
///     %c = dequantize(%b) {scales = [...], axis = 0}           at the input's scale times the channel's
///     %y = conv2d(%d, %v, %c)
struct QuantizedGraph {
  private(set) var graph: Graph
  /// What stands for a value of the source: the dequantised one where there is a pair.
  private var substitutes: [ValueID: ValueID] = [:]
  private let source: Graph
  private let placement: QuantizationPlacement
  private let quantizations: [ValueID: Quantization]
  private let means: (ValueID) -> ProductMeans.Mean?
  private let definitions: [ValueID: Int]
  /// Of matrix products: the scale of each column of the sums, and the bias correction, for the bias that is added.
  private var columns: [ValueID: (input: Float, weights: [Double], correction: [Float]?)] = [:]

  /// - Parameters:
  ///   - quantizations: Of the values that represent a set of the placement.
  ///   - means: Means of what products read, by which biases are corrected; nil for none.
  init(
    _ source: Graph, _ placement: QuantizationPlacement, quantizations: [ValueID: Quantization],
    means: @escaping (ValueID) -> ProductMeans.Mean?
  ) throws {
    self.source = source
    self.placement = placement
    self.quantizations = quantizations
    self.means = means
    definitions = source.definitions
    graph = source
    graph.nodes = []
    for input in source.inputs where placement.isPaired(input) { try addPair(input, layer: "") }
    for (position, node) in source.nodes.enumerated() {
      var current = node
      current.operands = node.operands.map { substitutes[$0] ?? $0 }
      if placement.products.contains(position) { try quantizeOperands(of: &current, node) }
      if node.op is Add { try quantizeBias(of: &current, node) }
      graph.nodes.append(current)
      for result in node.results where placement.isPaired(result) { try addPair(result, layer: node.layer) }
    }
    for (place, output) in source.outputs.enumerated() {
      guard let substitute = substitutes[output] else { continue }
      // An output has its name whether it is read inside as well or not.
      graph.swapNames(output, substitute)
      graph.outputs[place] = substitute
    }
  }

  /// The name of what stands for a value of the source.
  func name(of value: ValueID) -> String { graph.values[(substitutes[value] ?? value).index].name }

  private func quantization(of value: ValueID) -> Quantization {
    guard let found = quantizations[placement.representative(of: value)] else {
      preconditionFailure("%\(source.values[value.index].name) has no range")
    }
    return found
  }

  private mutating func addPair(_ value: ValueID, layer: String) throws {
    let quantization = quantization(of: value)
    let name = source.values[value.index].name
    let integers = try graph.add(Quantize(to: .i8, quantization), [value], name: "\(name).q", layer: layer)
    substitutes[value] = try graph.add(Dequantize(quantization), integers, name: "\(name).dq", layer: layer)[0]
  }

  // MARK: Products

  /// The contents of a constant of the source.
  private func data(_ value: ValueID) -> TensorData? {
    definitions[value].flatMap { source.data(of: source.nodes[$0]) }
  }

  /// Gives a product weights of eight bits, and a convolution a bias of 32.
  private mutating func quantizeOperands(of node: inout Node, _ original: Node) throws {
    let isConvolution = node.op is Conv2D
    // A matrix product may have its weights on either side, or none.
    guard let place = [1, 0].first(where: { data(original.operands[$0]) != nil }),
      let weights = data(original.operands[place])
    else { return }
    let read = original.operands[1 - place]
    let scale = Float(quantization(of: read).scales[0])
    let bias = isConvolution ? original.operands.dropFirst(2).first.flatMap(data)?.floats : nil
    let axis = isConvolution ? 0 : weights.shape.count - 1 - (place == 0 ? 1 : 0)
    let quantized = QuantizedWeights(weights, axis: axis, inputScale: scale, bias: bias)
    let correction = means(read).flatMap { self.correction(original, place, weights, quantized, mean: $0) }
    node.operands[place] = try addConstant(
      quantized.integers, quantized.quantization, like: original.operands[place], suffix: "int8", node)
    if !isConvolution {
      if place == 1 { columns[original.results[0]] = (scale, quantized.quantization.scales, correction) }
      return
    }
    guard bias != nil || correction != nil else { return }
    let channels = weights.shape[0]
    var values = bias ?? [Float](repeating: 0, count: channels)
    if let correction { values = zip(values, correction).map(+) }
    let integers = QuantizedBias(
      values, shape: [channels], axis: 0, inputScale: scale, weightScales: quantized.quantization.scales)
    let like = original.operands.count > 2 ? original.operands[2] : original.operands[1]
    let suffix = original.operands.count > 2 ? "int32" : "correction.int32"
    let operand = try addConstant(integers.integers, integers.quantization, like: like, suffix: suffix, node)
    node.operands = Array(node.operands.prefix(2)) + [operand]
  }

  /// What to add to each output channel, so that rounding weights and what they are multiplied with does not change its
  /// mean.
  private func correction(
    _ node: Node, _ place: Int, _ weights: TensorData, _ quantized: QuantizedWeights, mean: ProductMeans.Mean
  ) -> [Float]? {
    func product(_ read: Tensor<Float>, _ weights: [Float]) -> Tensor<Float>? {
      var operands: [RuntimeValue<Float>] = [
        .tensor(read), .tensor(Tensor(shape: quantized.integers.shape, real: weights)),
      ]
      if place == 0 { operands.reverse() }
      return try? node.op.evaluate(operands)[0].tensor
    }
    guard let expected = product(mean.float, weights.floats), let found = product(mean.rounded, quantized.rounded)
    else {
      return nil
    }
    // Channels of a convolution are its second axis, columns of a matrix product its last one.
    let axis = node.op is Conv2D ? 1 : expected.shape.count - 1
    let inner = expected.shape[(axis + 1)...].reduce(1, *)
    var sums = [Double](repeating: 0, count: expected.shape[axis])
    for (position, (wanted, got)) in zip(expected.real, found.real).enumerated() {
      sums[position / inner % sums.count] += Double(wanted) - Double(got)
    }
    let count = Double(expected.count / sums.count)
    return sums.map { Float($0 / count) }
  }

  /// The bias that is added to a matrix product, like a convolution's.
  private mutating func quantizeBias(of node: inout Node, _ original: Node) throws {
    for (place, other) in [(0, 1), (1, 0)] {
      guard let scales = columns[original.operands[other]], !placement.isPaired(original.operands[other]),
        let bias = data(original.operands[place]), bias.element == .f32, bias.shape.last == bias.count,
        bias.count == scales.weights.count
      else { continue }
      var values = bias.floats
      if let correction = scales.correction { values = zip(values, correction).map(+) }
      let integers = QuantizedBias(
        values, shape: bias.shape, axis: bias.shape.count - 1, inputScale: scales.input, weightScales: scales.weights)
      node.operands[place] = try addConstant(
        integers.integers, integers.quantization, like: original.operands[place], suffix: "int32", node)
      return
    }
  }

  /// A constant of integers and what it stands for, named after the constant in whose place it is.
  private mutating func addConstant(
    _ data: TensorData, _ quantization: Quantization, like value: ValueID, suffix: String, _ node: Node
  ) throws -> ValueID {
    let name = graph.addWeights(data, hint: "\(source.constantName(of: value)).\(suffix)")
    let constant = Constant(type: data.type, source: .named(name))
    let integers = try graph.add(constant, [], name: name, layer: node.layer, location: node.location)
    return try graph.add(
      Dequantize(quantization), integers, name: "\(name).dq", layer: node.layer, location: node.location)[0]
  }
}

extension Graph {
  /// The name of the weights that a constant reads, or of the value.
  fileprivate func constantName(of value: ValueID) -> String {
    let constant = definitions[value].flatMap { nodes[$0].op as? Constant }
    if case .named(let name)? = constant?.source { return name }
    return values[value.index].name
  }
}
