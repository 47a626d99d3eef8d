import IR

/// A depthwise convolution, a row of the output at a time.
struct DepthwiseKernel: ProductKernel {
  static let name: KernelName = "depthwise"
  static let summary = "depthwise convolutions, one output row a call; tasks are rows"
  static let form = ProductForm.depthwise
  static let rules = Product.Rules()

  let product: Product

  init(_ product: Product) { self.product = product }

  var operandLayouts: [OperandLayout] { product.operandLayouts(input: .image) }
  var canBeChained: Bool { product.readsOneImage }

  func lower(_ node: Node, into lowering: inout GraphLowering) throws {
    let heights = DepthwiseFunction.Heights(input: product.inputShape[2], output: product.outputShape[2])
    let name = lowering.layerName(of: node)
    if function(Epilogue(), lanes: lowering.lanes).loopsOverRows(heights) {
      return try lowerImage(heights, node, name: name, into: &lowering)
    }
    let stage = try stage(named: name, in: &lowering)
    lowering.compose([stage], product.inputs, node, rowsPerStep: 1)
  }

  private func function(_ epilogue: Epilogue, lanes: Int) -> DepthwiseFunction {
    DepthwiseFunction(
      channels: product.outputShape[1], inputWidth: product.inputShape[3], rows: product.rows,
      columns: product.columns, outputWidth: product.outputShape[3], epilogue: epilogue, lanes: lanes)
  }

  /// The packed weights and bias.
  private func constants(
    _ constants: ProductConstants, _ function: DepthwiseFunction, name: String, in program: inout ProgramBuilder
  ) -> (weights: String, bias: String) {
    (
      program.constant("\(name)_weights", function.pack { constants.weight($0, 0, $1, $2) }),
      program.constant("\(name)_bias", function.pack { constants.bias($0) })
    )
  }

  /// A function whose kernel rows are a loop needs the whole image, which a chain does not have. Tasks are rows.
  private func lowerImage(
    _ heights: DepthwiseFunction.Heights, _ node: Node, name: String, into lowering: inout GraphLowering
  ) throws {
    let function = function(epilogue(in: &lowering.program), lanes: lowering.lanes)
    let contents = try ProductConstants(product)
    let (weights, bias) = constants(contents, function, name: name, in: &lowering.program)
    let vectors = lowering.channelVectors(contents, channels: product.outputShape[1], name: name)
    let input = lowering.image(product.inputs[0])
    let residuals = product.residuals.map { lowering.residualImage($0) }
    let output = lowering.image(node.results[0])
    let order = lowering.order
    lowering.write { entry, program in
      entry.loop("image", 0, .constant(product.outputShape[0])) { builder, image in
        builder.loop("y", 0, .constant(heights.output), order: order) { builder, y in
          let arguments = ProductArguments(
            inputs: [input.view(image: image, row: 0)], weights: .view(buffer: weights, 0),
            bias: .view(buffer: bias, 0), residuals: residuals.map { $0.view(image: image, row: y) },
            channelVectors: vectors.map { .view(buffer: $0, 0) }, output: output.view(image: image, row: y))
          builder.append(function.call(heights, arguments, row: y, in: &program))
        }
      }
    }
  }

  func stage(named name: String, in lowering: inout GraphLowering) throws -> any RowStage {
    let function = function(epilogue(in: &lowering.program), lanes: lowering.lanes)
    let contents = try ProductConstants(product)
    let (weights, bias) = constants(contents, function, name: name, in: &lowering.program)
    return ConvolutionStage(
      call: { taps, arguments, program in function.call(taps: taps, arguments, in: &program) },
      rows: product.rows, inputHeight: product.inputShape[2], outputHeight: product.outputShape[2],
      outputRowElements: product.outputShape[3] * function.paddedChannels, weights: weights, bias: bias,
      channelVectors: lowering.channelVectors(contents, channels: product.outputShape[1], name: name),
      residuals: product.residuals.map { lowering.residualImage($0) })
  }
}
