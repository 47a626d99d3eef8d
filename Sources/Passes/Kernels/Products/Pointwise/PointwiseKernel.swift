import IR

/// A 1 x 1 convolution: a product of pixels by channels. Its input may be a concatenation or an interleaving of images that
/// is never written.
struct PointwiseKernel: ProductKernel {
  static let name: KernelName = "pointwise"
  static let summary = "1 x 1 convolutions as products of pixels by channels; tasks are output channels"
  static let form = ProductForm.pointwise
  static let rules = Product.Rules(joinsInputs: true)

  let product: Product

  init(_ product: Product) { self.product = product }

  var operandLayouts: [OperandLayout] { product.operandLayouts(input: .image) }
  var canBeChained: Bool { product.readsOneImage && product.isDense }
  /// A product of single pixels writes unpadded logits itself.
  var canWriteRowMajor: Bool { product.outputShape.suffix(2) == [1, 1] && !product.addsPaddedImage }

  static func leading(_ node: Node, in rewriter: GraphRewriter) -> [Node] {
    if let interleaved = InterleavedImages(
      node.operands[0], in: rewriter.graph,
      definition: { rewriter.useCount($0) == 1 ? rewriter.definition(of: $0) : nil })
    {
      return interleaved.nodes
    }
    guard (node.op as? Conv2D)?.groups == 1, let (concat, producer) = rewriter.single(Concat.self, node.operands[0]),
      concat.axis == 1
    else { return [] }
    return [producer]
  }

  func lower(_ node: Node, into lowering: inout GraphLowering) throws {
    let epilogue = epilogue(in: &lowering.program)
    let constants = try ProductConstants(product)
    let shape = product.outputShape
    let name = lowering.layerName(of: node)
    let lanes = lowering.lanes
    // Images lie one after the other, so a batch is one run of pixels; channels-last or, for single pixels, row-major.
    let pixels = shape[0] * shape[2] * shape[3]
    let stride = product.outputLayout == .rowMajor ? shape[1] : lowering.padded(shape[1])
    let (shares, alike) = ProductShare.pointwise(product, lanes: lanes, workers: lowering.workers)
    let packed = lowering.packed(shares, of: constants, pixels: pixels, name: name)
    let vectors = lowering.channelVectors(constants, channels: shape[1], name: name)
    let inputs = product.inputs.map { lowering.buffer(for: $0) }
    let residuals = product.residuals.map { lowering.buffer(for: $0) }
    let output = lowering.buffer(for: node.results[0])
    let step = shares.first?.channels ?? 0
    let stepPadded = lowering.padded(step)
    // Every share except the last has whole vectors, with no channels left over.
    let stepWeights = stepPadded * (shares.first?.depth ?? 0)
    // By how many channels the reading moves on, from one run of shares that read the same channels to the next run.
    let readSteps =
      alike < shares.count ? zip(shares[0].reads, shares[alike].reads).map { $1.lowerBound - $0.lowerBound } : []
    let channels = product.inputChannels
    lowering.overShares(shares, images: 1) { program, share, task, _ in
      let function = PointwiseFunction(
        pixels: pixels,
        segments: zip(share.reads, channels).map {
          PointwiseFunction.Segment(channels: $0.count, stride: roundUp($1, toMultipleOf: lanes))
        },
        outputStride: stride, epilogue: epilogue,
        panels: ProductPanels(
          schedule: packed.schedules[share.channels] ?? ProductSchedule(panels: []), lanes: lanes,
          channels: share.channels))
      func shifted(_ buffer: String) -> LoopArgument { .view(buffer: buffer, task * stepPadded) }
      return function.call(
        ProductArguments(
          inputs: inputs.enumerated().map { index, input in
            .view(buffer: input, readSteps.isEmpty ? 0 : task / alike * readSteps[index])
          },
          weights: .view(buffer: packed.weights, task * stepWeights), bias: shifted(packed.bias),
          residuals: residuals.map(shifted), channelVectors: vectors.map(shifted),
          output: .view(buffer: output, task * step)), in: &program)
    }
  }

  func stage(named name: String, in lowering: inout GraphLowering) throws -> any RowStage {
    let epilogue = epilogue(in: &lowering.program)
    let constants = try ProductConstants(product)
    let shape = product.outputShape
    let depth = product.weightShape[1]
    let target = lowering.target
    let lanes = lowering.lanes
    // One packing serves every number of pixels, so the panels' widths come from the schedule of a full row.
    let widths = lowering.program.schedule(depth: depth, pixels: max(shape[3], 48), channels: shape[1])
    let panels = ProductPanels(schedule: widths, lanes: lanes, channels: shape[1])
    let weights = lowering.program.constant(
      "\(name)_weights", constants.packed(panels, firstChannel: 0, reads: [0..<depth]))
    let bias = lowering.program.constant("\(name)_bias", panels.pack { constants.bias($0) })
    let stride = panels.paddedChannels
    let segment = PointwiseFunction.Segment(channels: depth, stride: roundUp(depth, toMultipleOf: lanes))
    let residuals = product.residuals.map { lowering.residualImage($0) }
    return PointwiseStage(
      function: { pixels in
        PointwiseFunction(
          pixels: pixels, segments: [segment], outputStride: stride, epilogue: epilogue,
          panels: panels.retiled(target, depth: depth, pixels: pixels), prefetchesWeights: false)
      },
      width: shape[3], height: shape[2], outputRowElements: shape[3] * stride, weights: weights, bias: bias,
      channelVectors: lowering.channelVectors(constants, channels: shape[1], name: name), residuals: residuals)
  }
}

extension ProductConstants {
  /// The weights of a pointwise product from output `firstChannel` on, for a reduction over these channels of each input,
  /// one input after the other.
  fileprivate func packed(_ panels: ProductPanels, firstChannel: Int, reads: [Range<Int>]) -> [Float] {
    let steps = reads.enumerated().flatMap { input, channels in channels.map { (input: input, channel: $0) } }
    return panels.pack(pieces: reads.map(\.count)) { channel, step in
      weight(firstChannel + channel, input: steps[step].input, channel: steps[step].channel)
    }
  }
}

extension GraphLowering {
  /// The weights and biases of a pointwise product's shares, one share after the other, and the schedule of each number of
  /// channels.
  fileprivate mutating func packed(
    _ shares: [ProductShare], of constants: ProductConstants, pixels: Int, name: String
  ) -> (weights: String, bias: String, schedules: [Int: ProductSchedule]) {
    var weights: [Float] = []
    var bias: [Float] = []
    var schedules: [Int: ProductSchedule] = [:]
    for share in shares {
      let schedule = program.schedule(depth: share.depth, pixels: pixels, channels: share.channels)
      schedules[share.channels] = schedule
      let panels = ProductPanels(schedule: schedule, lanes: lanes, channels: share.channels)
      weights += constants.packed(panels, firstChannel: share.firstChannel, reads: share.reads)
      bias += panels.pack { constants.bias(share.firstChannel + $0) }
    }
    return (program.constant("\(name)_weights", weights), program.constant("\(name)_bias", bias), schedules)
  }
}
