import IR

/// A pointwise product over rows of `width` pixels.
struct PointwiseStage: RowStage {
  /// The function for a number of pixels.
  var function: (_ pixels: Int) -> PointwiseFunction
  var width: Int
  var height: Int
  var outputRowElements: Int
  var weights: String
  var bias: String
  var channelVectors: [String]
  var residuals: [RowImage]

  var rows: Window { Window(kernel: 1, stride: 1, dilation: 1, padding: 0) }
  var inputHeight: Int { height }
  var outputHeight: Int { height }
  var takesBlocks: Bool { true }

  func call(
    rows count: Int, taps: Range<Int>, inputs: [LoopArgument], residuals: [LoopArgument], output: LoopArgument,
    in program: inout ProgramBuilder
  ) -> LoopStatement {
    let arguments = ProductArguments(
      inputs: inputs, weights: .view(buffer: weights, 0), bias: .view(buffer: bias, 0), residuals: residuals,
      channelVectors: channelVectors.map { .view(buffer: $0, 0) }, output: output)
    return function(count * width).call(arguments, in: &program)
  }
}

/// A dense or depthwise convolution, a row a call.
struct ConvolutionStage: RowStage {
  /// The call that makes a row of the input rows of some taps.
  var call: (_ taps: Range<Int>, _ arguments: ProductArguments, _ program: inout ProgramBuilder) -> LoopStatement
  var rows: Window
  var inputHeight: Int
  var outputHeight: Int
  var outputRowElements: Int
  var weights: String
  var bias: String
  var channelVectors: [String]
  var residuals: [RowImage]

  var takesBlocks: Bool { false }

  func call(
    rows count: Int, taps: Range<Int>, inputs: [LoopArgument], residuals: [LoopArgument], output: LoopArgument,
    in program: inout ProgramBuilder
  ) -> LoopStatement {
    precondition(count == 1, "a convolution makes one row a call")
    let arguments = ProductArguments(
      inputs: inputs, weights: .view(buffer: weights, 0), bias: .view(buffer: bias, 0), residuals: residuals,
      channelVectors: channelVectors.map { .view(buffer: $0, 0) }, output: output)
    return call(taps, arguments, &program)
  }
}
