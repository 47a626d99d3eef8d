import IR

/// What a fuse computes that is a product with an epilogue, read out of its body: one convolution, what it reads, and the
/// element-wise ops after it.
///
/// This is the one place that knows which bodies are products: passes try a body here before they make it, the verifier
/// checks it here, and kernels lower what is read here. Contents of constants are `ProductConstants`.
struct Product {
  let site: FuseSite
  let convolution: Conv2D
  /// Values of the body.
  let weight: ValueID
  let bias: ValueID?
  /// The values outside that the reduction runs over, in order: several where the body concatenates or interleaves.
  private(set) var inputs: [ValueID] = []
  /// Their channels.
  private(set) var inputChannels: [Int] = []
  /// Whether the reduction takes the inputs' channels in turns rather than one input after the other.
  private(set) var isInterleaved = false
  /// What scales and shifts the input before the convolution, the last one first: the op and the constant it reads, a
  /// value of the body.
  private(set) var normalization: [(op: any Op, constant: ValueID)] = []
  /// Shape of the convolution's input (concatenated), of its result, and of its weights.
  let inputShape: [Int]
  let outputShape: [Int]
  let weightShape: [Int]
  private(set) var epilogue = Epilogue()
  /// The values outside that the epilogue reads, images all, in the order of its parameters.
  private(set) var residuals: [ValueID] = []
  /// The constants that the epilogue reads, one number a channel: values of the body.
  private(set) var channelConstants: [ValueID] = []
  /// Layouts of the convolution's input and of the fuse's result.
  let inputLayout: Layout
  let outputLayout: Layout

  /// What a kernel allows around its convolution.
  struct Rules {
    /// Whether an input may be a concatenation or an interleaving.
    var joinsInputs = false
    /// Whether the input may be scaled and shifted by constants, one a channel.
    var normalizesInput = false
    /// Whether the epilogue may read one image for all images of the batch.
    var sharesResiduals = false
  }

  /// - Throws: A `Diagnostic` if the body holds anything else.
  init(_ site: FuseSite, _ rules: Rules) throws {
    let body = site.body
    guard let node = body.nodes.first(where: { $0.op is Conv2D }), let convolution = node.op as? Conv2D else {
      throw site.diagnostic("runs a convolution, and the body holds none")
    }
    guard let input = site.tensor(node.operands[0]), let weights = site.tensor(node.operands[1]),
      let result = site.tensor(node.results[0]), input.element == .f32
    else { throw site.diagnostic("runs convolutions of float32 images") }
    self.site = site
    self.convolution = convolution
    weight = node.operands[1]
    bias = node.operands.count > 2 ? node.operands[2] : nil
    inputShape = input.shape
    inputLayout = input.layout
    outputShape = result.shape
    weightShape = weights.shape
    outputLayout = body.outputs.first.flatMap(site.tensor)?.layout ?? .rowMajor
    for constant in node.operands.dropFirst() where !site.becomesConstant(constant) {
      throw site.diagnostic("has weights that are not known at compile time")
    }
    let leading = try readInput(of: node, rules)
    let others = body.nodes.prefix { $0.results != node.results }.filter { !($0.op is Constant) }
    guard others.count == leading else {
      throw site.diagnostic("computes something that its convolution does not read")
    }
    try readEpilogue(after: node, rules)
  }

  /// What comes before the convolution: a concatenation, an interleaving, or a normalisation.
  /// - Returns: how many nodes that are.
  private mutating func readInput(of node: Node, _ rules: Rules) throws -> Int {
    var source = node.operands[0]
    if rules.joinsInputs, let interleaved = InterleavedImages(source, in: site.body, definition: site.producer) {
      inputs = interleaved.images.compactMap(site.outside)
      isInterleaved = true
      inputChannels = inputs.map { _ in inputShape[1] / inputs.count }
      try requireInputs(interleaved.images)
      return interleaved.nodes.count
    }
    if rules.joinsInputs, let concat = site.producer(source), (concat.op as? Concat)?.axis == 1 {
      guard convolution.groups == 1 else { throw site.diagnostic("concatenates the inputs of one group only") }
      inputs = concat.operands.compactMap(site.outside)
      inputChannels = concat.operands.map { site.tensor($0)?.shape[1] ?? 0 }
      try requireInputs(concat.operands)
      return 1
    }
    while rules.normalizesInput, let producer = site.producer(source) {
      guard producer.op is Multiply || producer.op is Divide || producer.op is Add || producer.op is Subtract,
        isChannelConstant(producer.operands[1], channels: inputShape[1]),
        site.tensor(producer.operands[0])?.shape == inputShape
      else { throw site.diagnostic("has no room for \(producer.op.mnemonic) in front of its convolution") }
      normalization.append((producer.op, producer.operands[1]))
      source = producer.operands[0]
    }
    inputs = [source].compactMap(site.outside)
    inputChannels = [inputShape[1]]
    try requireInputs([source])
    return normalization.count
  }

  private func requireInputs(_ values: [ValueID]) throws {
    guard inputs.count == values.count else { throw site.diagnostic("reads its images from outside the body") }
  }

  /// The element-wise ops in registers, each reading the one before.
  private mutating func readEpilogue(after node: Node, _ rules: Rules) throws {
    var chain = node.results[0]
    guard let position = site.body.nodes.firstIndex(where: { $0.results == node.results }) else { return }
    for next in site.body.nodes[(position + 1)...] where !(next.op is Constant) {
      if next.op is ConvertLayout, next.operands == [chain] {
        chain = next.results[0]
        continue
      }
      guard let op = next.op as? any ElementwiseOp, next.operands.filter({ $0 == chain }).count == 1,
        next.operands.count <= 2, let result = site.tensor(next.results[0]), result.element == .f32,
        result.shape == outputShape, result.rank == 4
      else { throw site.diagnostic("has no room for \(next.op.mnemonic) after its convolution") }
      if let other = next.operands.first(where: { $0 != chain }) {
        let operand = try operand(other, of: next, rules)
        epilogue.steps.append(.binary(op, operand, operandFirst: next.operands[1] == chain))
      } else {
        epilogue.steps.append(.unary(op))
      }
      chain = next.results[0]
    }
    guard site.body.outputs == [chain] else { throw site.diagnostic("gives what its last op makes") }
  }

  /// A constant of one number a channel, or an image of the result's shape.
  private mutating func operand(_ value: ValueID, of node: Node, _ rules: Rules) throws -> Epilogue.Operand {
    if isChannelConstant(value, channels: outputShape[1]) {
      channelConstants.append(value)
      epilogue.channelCount += 1
      return .channels(epilogue.channelCount - 1)
    }
    guard let image = site.outside(value), let type = site.tensor(value), type.element == .f32,
      type.shape == outputShape
        || rules.sharesResiduals && type.shape.first == 1 && type.shape.dropFirst() == outputShape.dropFirst()
    else {
      throw site.diagnostic(
        "has room for an image of the result's shape or a constant a channel, not for what \(node.op.mnemonic) reads")
    }
    residuals.append(image)
    epilogue.tensorCount += 1
    return .tensor(epilogue.tensorCount - 1)
  }

  private func isChannelConstant(_ value: ValueID, channels: Int) -> Bool {
    guard site.becomesConstant(value), let shape = site.tensor(value)?.shape else { return false }
    return isChannelShape(shape, channels: channels)
  }

  // MARK: What is read

  var rows: Window { window(axis: 0) }
  var columns: Window { window(axis: 1) }

  private func window(axis: Int) -> Window {
    Window(
      kernel: weightShape[2 + axis], stride: convolution.strides[axis], dilation: convolution.dilation[axis],
      padding: convolution.padding[axis])
  }

  /// Output channels of one group, and the channels of the convolution's input that they read.
  var group: (outputs: Int, inputs: Int) { (weightShape[0] / convolution.groups, weightShape[1]) }

  /// Whether rows of another product can be its input: it reads one image, and all channels together or each alone.
  var readsOneImage: Bool { inputs.count == 1 && !isInterleaved && site.operands.first == inputs[0] }

  /// Whether the reduction runs over all channels of the input.
  var isDense: Bool { convolution.groups == 1 }

  /// Bytes of the weights without padding.
  var weightBytes: Int { weightShape.reduce(1, *) * 4 }

  /// Whether the epilogue reads an image with padding between its pixels, which an unpadded result does not have.
  var addsPaddedImage: Bool {
    let read = Set(residuals)
    return zip(site.operands, site.body.inputs).contains { operand, input in
      read.contains(operand) && site.tensor(input).map { $0.storageCount > $0.count } ?? false
    }
  }

  /// The layouts of operands: all are images except what is packed at compile time.
  /// - Parameter input: how the convolution reads its inputs.
  func operandLayouts(input: OperandLayout) -> [OperandLayout] {
    let (read, added) = (Set(inputs), Set(residuals))
    return site.operands.map { added.contains($0) ? .image : read.contains($0) ? input : .asIs }
  }

  /// Whether the fuse can take in `node`, which reads its result.
  func takes(_ node: Node, in rewriter: GraphRewriter, _ rules: Rules) -> Bool {
    guard node.op is any ElementwiseOp else { return false }
    var body = FuseBody(extending: site.fuse, operands: site.operands, results: site.results)
    guard (try? body.add(node, in: rewriter.graph)) != nil else { return false }
    let extended = site.with(body.fuse(kernel: site.fuse.kernel), operands: body.operands)
    guard let product = try? Product(extended, rules) else { return false }
    // Folding is done by now: what was not folded stays a computation.
    return product.channelConstants.allSatisfy(extended.isConstant)
  }
}

/// Contents of a product's constants, at compile time: weights with the input's normalisation folded in, and biases.
struct ProductConstants {
  private let product: Product
  private let weights: [Double]
  private let biases: [Double]
  /// The normalisation before the convolution as x * scale + shift, one pair a channel; nil if there is none.
  private let normalization: (scale: [Double], shift: [Double])?
  /// The constants that the epilogue reads, one value a channel each.
  let channelVectors: [[Double]]

  /// - Throws: A `Diagnostic` if contents are not loaded.
  init(_ product: Product) throws {
    let site = product.site
    func contents(_ value: ValueID) throws -> [Double] {
      guard let found = site.contents(value) else {
        throw site.diagnostic("has constants whose contents are not loaded")
      }
      return found
    }
    self.product = product
    weights = try contents(product.weight)
    biases = try product.bias.map(contents) ?? [Double](repeating: 0, count: product.weightShape[0])
    channelVectors = try product.channelConstants.map {
      expanded(try contents($0), channels: product.outputShape[1])
    }
    let channels = product.inputShape[1]
    var scale = [Double](repeating: 1, count: channels)
    var shift = [Double](repeating: 0, count: channels)
    // This goes backwards: what was gathered so far applies to this step's result.
    for (op, constant) in product.normalization {
      let vector = expanded(try contents(constant), channels: channels)
      for channel in vector.indices {
        switch op {
        case is Multiply: scale[channel] *= vector[channel]
        case is Divide: scale[channel] /= vector[channel]
        case is Add: shift[channel] += scale[channel] * vector[channel]
        default: shift[channel] -= scale[channel] * vector[channel]
        }
      }
    }
    normalization = product.normalization.isEmpty ? nil : (scale, shift)
  }

  /// Weight of output n, input channel c, kernel row and column, a normalisation's scale folded in.
  func weight(_ n: Int, _ c: Int, _ row: Int, _ column: Int) -> Float {
    let shape = product.weightShape
    let index = ((n * shape[1] + c) * shape[2] + row) * shape[3] + column
    return Float(weights[index] * (normalization?.scale[c] ?? 1))
  }

  /// Weight of output n of a 1 x 1 convolution for a channel of one of the inputs: zero if they belong to two groups.
  func weight(_ n: Int, input: Int, channel: Int) -> Float {
    let position =
      product.isInterleaved
      ? channel * product.inputs.count + input : product.inputChannels[..<input].reduce(0, +) + channel
    let step = position - n / product.group.outputs * product.group.inputs
    return (0..<product.group.inputs).contains(step) ? weight(n, step, 0, 0) : 0
  }

  /// Bias of output n when the kernel rows and columns given lie inside the image, a normalisation's shift folded in.
  func bias(_ n: Int, rows: Range<Int>, columns: Range<Int>) -> Float {
    guard let shift = normalization?.shift else { return Float(biases[n]) }
    let shape = product.weightShape
    var sum = biases[n]
    for c in 0..<shape[1] {
      for row in rows {
        for column in columns {
          let index = ((n * shape[1] + c) * shape[2] + row) * shape[3] + column
          sum += weights[index] * shift[c]
        }
      }
    }
    return Float(sum)
  }

  /// Bias of output n of a product whose input is not normalised.
  func bias(_ n: Int) -> Float { bias(n, rows: 0..<1, columns: 0..<1) }
}

/// A constant of `isChannelShape` as one value a channel.
private func expanded(_ values: [Double], channels: Int) -> [Double] {
  values.count == 1 ? [Double](repeating: values[0], count: channels) : values
}
