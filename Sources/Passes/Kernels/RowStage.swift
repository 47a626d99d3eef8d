import IR

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
