import IR

/// A dense convolution: every tap of the window is a piece of the reduction, read where it lies. The first convolution
/// of a model reads the caller's row-major image, and normalises it.
struct ConvolutionKernel: ProductKernel {
  static let name: KernelName = "convolution"
  static let summary = "dense convolutions as products, no columns copied; tasks are output channels"
  static let form = ProductForm.dense
  static let rules = Product.Rules(normalizesInput: true, sharesResiduals: true)

  let product: Product

  init(_ product: Product) { self.product = product }

  var operandLayouts: [OperandLayout] { product.operandLayouts(input: .imageOrRowMajor) }
  var canBeChained: Bool { product.readsOneImage && product.isDense }

  /// `(x - mean) * scale` or `(x - mean) / std` before a convolution, one constant a channel each, in order.
  static func leading(_ node: Node, in rewriter: GraphRewriter) -> [Node] {
    var steps: [Node] = []
    var current = node.operands[0]
    while let step = rewriter.definition(of: current), rewriter.useCount(current) == 1,
      step.op is Subtract || step.op is Multiply || step.op is Divide || step.op is Add,
      rewriter.isConstant(step.operands[1]),
      isChannelShape(
        rewriter.graph.tensorType(of: step.operands[1]).shape,
        channels: rewriter.graph.tensorType(of: current).shape[1]),
      rewriter.graph.tensorType(of: step.operands[0]).shape == rewriter.graph.tensorType(of: current).shape
    {
      steps.insert(step, at: 0)
      current = step.operands[0]
    }
    return steps
  }

  /// Convolutions of equal channels share a function; weights and biases lie one share after the other.
  private struct Parts {
    /// The functions by the channels of a share.
    var functions: [Int: ConvolutionFunction] = [:]
    var weights: [Float] = []
    var bias: [Float] = []
    /// Bias vectors of a share: several if the input is normalised on the way in.
    var biasCount = 1

    func function(_ channels: Int) -> ConvolutionFunction {
      guard let function = functions[channels] else { preconditionFailure("every share has a function") }
      return function
    }
  }

  private func parts(
    _ constants: ProductConstants, _ shares: [ProductShare], in lowering: inout GraphLowering
  ) -> Parts {
    let epilogue = epilogue(in: &lowering.program)
    let shape = product.outputShape
    let layout: ConvolutionFunction.Input
    switch product.inputLayout {
    case .rowMajor: layout = .rowMajor(stride: product.inputShape[2] * product.inputShape[3])
    case .channelsLast: layout = .channelsLast(stride: lowering.padded(product.inputShape[1]))
    }
    let classes =
      product.normalization.isEmpty
      ? nil
      : BorderClasses(
        rows: product.rows, columns: product.columns, outputHeight: shape[2], outputWidth: shape[3],
        inputHeight: product.inputShape[2], inputWidth: product.inputShape[3])
    var parts = Parts(biasCount: classes?.count ?? 1)
    let (inputChannels, height, width) = (product.weightShape[1], product.weightShape[2], product.weightShape[3])
    let depth = inputChannels * height * width
    for share in shares {
      // The taps of a pixel are not one run of inputs, so left-over channels cannot be summed along them.
      let schedule = lowering.program.schedule(
        depth: depth, pixels: shape[3], channels: lowering.padded(share.channels))
      let panels = ProductPanels(schedule: schedule, lanes: lowering.lanes, channels: share.channels)
      parts.functions[share.channels] = ConvolutionFunction(
        input: layout, inputChannels: product.inputShape[1], inputHeight: product.inputShape[2],
        inputWidth: product.inputShape[3], rows: product.rows, columns: product.columns, outputHeight: shape[2],
        outputWidth: shape[3], outputStride: lowering.padded(shape[1]), epilogue: epilogue, panels: panels,
        biasClasses: classes)
      parts.weights += panels.pack(pieces: [depth]) { channel, step in
        let tap = step / inputChannels
        return constants.weight(share.firstChannel + channel, step % inputChannels, tap / width, tap % width)
      }
      for rows in classes?.rowReaches ?? [0..<height] {
        for columns in classes?.columnReaches ?? [0..<width] {
          parts.bias += panels.pack { constants.bias(share.firstChannel + $0, rows: rows, columns: columns) }
        }
      }
    }
    return parts
  }

  /// One call makes all channels of a row.
  func stage(named name: String, in lowering: inout GraphLowering) throws -> any RowStage {
    let shape = product.outputShape
    let constants = try ProductConstants(product)
    let parts = parts(constants, [ProductShare(firstChannel: 0, channels: shape[1])], in: &lowering)
    let function = parts.function(shape[1])
    return ConvolutionStage(
      call: { taps, arguments, program in function.call(taps: taps, arguments, in: &program) },
      rows: product.rows, inputHeight: product.inputShape[2], outputHeight: shape[2],
      outputRowElements: shape[3] * lowering.padded(shape[1]),
      weights: lowering.program.constant("\(name)_weights", parts.weights),
      bias: lowering.program.constant("\(name)_bias", parts.bias),
      channelVectors: lowering.channelVectors(constants, channels: shape[1], name: name),
      residuals: product.residuals.map { lowering.residualImage($0) })
  }

  func lower(_ node: Node, into lowering: inout GraphLowering) throws {
    let shape = product.outputShape
    let name = lowering.layerName(of: node)
    let shares = ProductShare.even(shape[1], lanes: lowering.lanes, workers: lowering.workers)
    let constants = try ProductConstants(product)
    let parts = parts(constants, shares, in: &lowering)
    let weights = lowering.program.constant("\(name)_weights", parts.weights)
    let bias = lowering.program.constant("\(name)_bias", parts.bias)
    let vectors = lowering.channelVectors(constants, channels: shape[1], name: name)
    let input = lowering.image(product.inputs[0])
    let residuals = product.residuals.map { lowering.residualImage($0) }
    let output = lowering.image(node.results[0])
    let step = lowering.padded(shares.first?.channels ?? 0)
    lowering.overShares(shares, images: shape[0]) { program, share, task, image in
      let function = parts.function(share.channels)
      func shifted(_ place: RowImage) -> LoopArgument {
        .view(buffer: place.buffer, image * place.imageElements + task * step)
      }
      return function.call(
        image: ProductArguments(
          inputs: [input.view(image: image, row: 0)], weights: .view(buffer: weights, task * (step * function.depth)),
          bias: .view(buffer: bias, task * (step * parts.biasCount)), residuals: residuals.map(shifted),
          channelVectors: vectors.map { .view(buffer: $0, task * step) }, output: shifted(output)), in: &program)
    }
  }
}
