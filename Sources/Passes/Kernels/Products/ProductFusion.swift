import IR

/// What a product fuse computes, read out of its body: one convolution, what it reads, and the epilogue behind it.
struct ProductFusion {
  var kind: ProductKind
  var convolution: Conv2D
  /// The outer images the reduction runs over, in order: several where the body concatenates.
  var inputs: [ValueID]
  /// Their channels.
  private var inputChannels: [Int] = []
  /// Whether the reduction takes the inputs' channels in turns rather than one input after the other.
  private(set) var isInterleaved = false
  /// Shape of the convolution's input (concatenated), and of its result.
  var inputShape: [Int]
  var outputShape: [Int]
  var weightShape: [Int]
  var weight: [Double]
  var bias: [Double]
  /// The normalisation in front, folded to x * scale + shift, one pair a channel; nil without one.
  var normalization: (scale: [Double], shift: [Double])?
  var epilogue = Epilogue()
  /// The outer images that the epilogue reads, in order of their parameters.
  var residuals: [ValueID] = []
  /// The constants that the epilogue reads, one value a channel.
  var channelVectors: [[Double]] = []
  /// Layout of the convolution's input.
  var inputLayout: Layout
  var outputLayout: Layout

  /// - Parameters:
  ///   - operands: the outer values the fuse reads.
  ///   - constant: contents of an outer value that is a constant.
  init(_ fuse: Fuse, operands: [ValueID], constant: (ValueID) -> [Double]?) throws {
    guard let kind = ProductKind(rawValue: fuse.kernel), let (node, convolution) = fuse.convolution else {
      throw Diagnostic("a fuse of kernel '\(fuse.kernel)' holds no convolution")
    }
    let body = fuse.body
    self.kind = kind
    self.convolution = convolution
    let outer = Dictionary(uniqueKeysWithValues: zip(body.inputs, operands))
    func contents(_ value: ValueID) -> [Double]? {
      if let operand = outer[value] { return constant(operand) }
      return body.nodes.first { $0.results.contains(value) }.flatMap { body.contents(of: $0) }
    }
    inputShape = body.tensorType(of: node.operands[0]).shape
    inputLayout = body.tensorType(of: node.operands[0]).layout
    outputShape = body.tensorType(of: node.results[0]).shape
    weightShape = body.tensorType(of: node.operands[1]).shape
    guard let weight = contents(node.operands[1]) else {
      throw Diagnostic("the weights of '\(node.layer)' are not known at compile time")
    }
    self.weight = weight
    bias = node.operands.dropFirst(2).first.flatMap(contents) ?? [Double](repeating: 0, count: weightShape[0])
    outputLayout = body.outputs.first.map { body.tensorType(of: $0).layout } ?? .rowMajor

    // In front of the convolution: a concatenation, an interleaving, or a normalisation.
    inputs = []
    var scale = [Double](repeating: 1, count: inputShape[1])
    var shift = [Double](repeating: 0, count: inputShape[1])
    var normalized = false
    var source = node.operands[0]
    while let producer = body.nodes.first(where: { $0.results.contains(source) }) {
      if let images = fuse.interleavedImages {
        inputs = images.compactMap { outer[$0] }
        isInterleaved = true
        break
      }
      if producer.op is Concat {
        inputs = producer.operands.compactMap { outer[$0] }
        inputChannels = producer.operands.map { body.tensorType(of: $0).shape[1] }
        break
      }
      let type = body.tensorType(of: producer.operands[1])
      guard let values = contents(producer.operands[1]),
        let vector = channelVector(values, shape: type.shape, channels: inputShape[1])
      else { throw Diagnostic("the product of '\(node.layer)' reads something its kernel does not know") }
      // Going backwards: what was gathered so far applies to this step's result.
      for channel in vector.indices {
        switch producer.op {
        case is Multiply: scale[channel] *= vector[channel]
        case is Divide: scale[channel] /= vector[channel]
        case is Add: shift[channel] += scale[channel] * vector[channel]
        case is Subtract: shift[channel] -= scale[channel] * vector[channel]
        default: throw Diagnostic("\(producer.op.mnemonic) cannot stand in front of a product")
        }
      }
      normalized = true
      source = producer.operands[0]
    }
    if inputs.isEmpty, let operand = outer[source] { inputs = [operand] }
    if inputChannels.isEmpty {
      inputChannels = inputs.map { _ in inputShape[1] / inputs.count }
    }
    if normalized { normalization = (scale, shift) }
    try readEpilogue(body, after: node, outer: outer, contents: contents)
  }

  private mutating func readEpilogue(
    _ body: Graph, after node: Node, outer: [ValueID: ValueID], contents: (ValueID) -> [Double]?
  ) throws {
    var chain = node.results[0]
    guard let position = body.nodes.firstIndex(where: { $0.results == node.results }) else { return }
    for next in body.nodes[(position + 1)...] {
      if next.op is ConvertLayout {
        chain = next.results[0]
        continue
      }
      if next.op is Constant { continue }
      guard let op = next.op as? any ElementwiseOp, next.operands.contains(chain) else {
        throw Diagnostic("\(next.op.mnemonic) cannot stand in the epilogue of a product")
      }
      if next.operands.count == 1 {
        epilogue.steps.append(.unary(op))
      } else {
        let other = next.operands[0] == chain ? next.operands[1] : next.operands[0]
        let type = body.tensorType(of: other)
        let operand: Epilogue.Operand
        if let values = contents(other),
          let vector = channelVector(values, shape: type.shape, channels: outputShape[1])
        {
          operand = .channels(epilogue.channelCount)
          epilogue.channelCount += 1
          channelVectors.append(vector)
        } else if let image = outer[other] {
          operand = .tensor(epilogue.tensorCount)
          epilogue.tensorCount += 1
          residuals.append(image)
        } else {
          throw Diagnostic("the epilogue of '\(node.layer)' reads something its kernel does not know")
        }
        epilogue.steps.append(.binary(op, operand, operandFirst: next.operands[1] == chain))
      }
      chain = next.results[0]
    }
  }

  var rows: Window {
    Window(
      kernel: weightShape[2], stride: convolution.strides[0], dilation: convolution.dilation[0],
      padding: convolution.padding[0])
  }

  var columns: Window {
    Window(
      kernel: weightShape[3], stride: convolution.strides[1], dilation: convolution.dilation[1],
      padding: convolution.padding[1])
  }

  /// Weight of output n, input channel c, kernel row and column, a normalisation's scale folded in.
  func weight(_ n: Int, _ c: Int, _ row: Int, _ column: Int) -> Float {
    let index = ((n * weightShape[1] + c) * weightShape[2] + row) * weightShape[3] + column
    return Float(weight[index] * (normalization?.scale[c] ?? 1))
  }

  /// Output channels of one group, and the channels of the convolution's input that they read.
  var group: (outputs: Int, inputs: Int) { (weightShape[0] / convolution.groups, weightShape[1]) }

  /// Weight of output n of a 1 x 1 convolution for a channel of one of the inputs: zero where they are of two groups.
  func weight(_ n: Int, input: Int, channel: Int) -> Float {
    let position =
      isInterleaved ? channel * inputs.count + input : inputChannels[..<input].reduce(0, +) + channel
    let step = position - n / group.outputs * group.inputs
    return (0..<group.inputs).contains(step) ? weight(n, step, 0, 0) : 0
  }

  /// Bias of output n when the kernel rows and columns given lie inside the image, a normalisation's shift folded in.
  func bias(_ n: Int, rows: Range<Int>, columns: Range<Int>) -> Float {
    guard let shift = normalization?.shift else { return Float(bias[n]) }
    var sum = bias[n]
    for c in 0..<weightShape[1] {
      for row in rows {
        for column in columns {
          let index = ((n * weightShape[1] + c) * weightShape[2] + row) * weightShape[3] + column
          sum += weight[index] * shift[c]
        }
      }
    }
    return Float(sum)
  }
}
