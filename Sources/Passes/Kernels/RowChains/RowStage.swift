import IR

/// An image in memory, as rows: row y of image n starts at n * imageElements + y * rowStep.
struct RowImage: Hashable {
  var buffer: String
  var rowStep: Int
  var imageElements: Int

  func view(image: LoopIndex, row: LoopIndex) -> LoopArgument {
    .view(buffer: buffer, image * imageElements + row * rowStep)
  }
}

/// A layer that works row by row, so that it can be chained with others through rings of rows instead of whole images.
///
/// A stage says how its rows depend on its input's (a vertical window) and writes calls that make them; the composer
/// decides how many at a time, in what order and where they lie.
protocol RowStage {
  /// The vertical window: output row y reads input rows y * stride - padding + tap * dilation.
  var rows: Window { get }
  var inputHeight: Int { get }
  var outputHeight: Int { get }
  /// Elements of one output row, channels-last and padded.
  var outputRowElements: Int { get }
  /// Whether several adjacent rows may be one call, their input rows being adjacent as well (kernel 1, stride 1).
  var takesBlocks: Bool { get }
  /// Whole images of the output's shape that the epilogue reads, like a residual.
  var residuals: [RowImage] { get }

  /// The call that makes `count` adjacent output rows.
  /// - Parameters:
  ///   - taps: the kernel rows that lie inside the input.
  ///   - inputs: the view of each tap's input row; for a block, the view of its first row.
  ///   - residuals: views of the residuals' rows.
  func call(
    rows count: Int, taps: Range<Int>, inputs: [LoopArgument], residuals: [LoopArgument], output: LoopArgument,
    in program: inout ProgramBuilder
  ) -> LoopStatement
}

extension RowStage {
  /// Output rows grouped by the kernel rows that reach inside the input.
  var reachSegments: [(rows: Range<Int>, taps: Range<Int>)] {
    rows.reachSegments(outputs: outputHeight, inputs: inputHeight)
  }
}

/// A pointwise product over rows of `width` pixels.
struct PointwiseStage: RowStage {
  /// The kernel for a number of pixels.
  var kernel: (_ pixels: Int) -> PointwiseKernel
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
    let function = kernel(count * width).function(in: &program)
    let constants = [weights, bias].map { LoopArgument.view(buffer: $0, 0) }
    let vectors = channelVectors.map { LoopArgument.view(buffer: $0, 0) }
    return .call(function, inputs + constants + residuals + vectors + [output])
  }
}

/// A dense or depthwise convolution, a row a call.
struct ConvolutionStage: RowStage {
  /// Adds the kernel's function for some taps and returns its name.
  var function: (_ taps: Range<Int>, _ program: inout ProgramBuilder) -> String
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
    let constants = [weights, bias].map { LoopArgument.view(buffer: $0, 0) }
    let vectors = channelVectors.map { LoopArgument.view(buffer: $0, 0) }
    return .call(function(taps, &program), inputs + constants + residuals + vectors + [output])
  }
}
