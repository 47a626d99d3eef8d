import IR

/// The mean over windows that lie inside the image, one output row a call: window row by window row, a vector of channels
/// at a time.
struct AveragePoolFunction {
  var inputWidth: Int
  var outputWidth: Int
  /// Rows and columns of the window, and of its steps.
  var kernel: [Int]
  var strides: [Int]
  var paddedChannels: Int
  var lanes: Int

  /// Elements of the input rows that an output row reads.
  private var inputCount: Int { kernel[0] * inputWidth * paddedChannels }

  /// Adds the function for an output row; returns its call.
  func row(in program: inout ProgramBuilder) -> (_ firstInputRow: LoopArgument, _ output: LoopArgument) -> LoopStatement
  {
    let type = LoopType(.f32, lanes: lanes)
    let name = "average_pool_\(kernel[0])x\(kernel[1])_w\(outputWidth)_c\(paddedChannels)"
    let parameters: [LoopParameter] = [
      .input("input", count: inputCount), .output("output", count: outputWidth * paddedChannels),
    ]
    let function = program.function(name, parameters) { builder in
      builder.loop("x", 0, .constant(outputWidth)) { builder, x in
        builder.loop("vector", 0, .constant(paddedChannels / lanes)) { builder, vector in
          let sum = builder.register("sum", type, .f32(0, lanes: lanes))
          builder.loop("row", 0, .constant(kernel[0])) { builder, row in
            builder.loop("column", 0, .constant(kernel[1])) { builder, column in
              let pixel = row * inputWidth + x * strides[1] + column
              let value = LoopValue.load("input", pixel * paddedChannels + vector * lanes, type)
              builder.assign(sum, .variable(sum) + value)
            }
          }
          let mean = LoopValue.variable(sum) / .f32(Double(kernel[0] * kernel[1]), lanes: lanes)
          builder.store("output", x * paddedChannels + vector * lanes, mean)
        }
      }
    }
    return { .call(function, [$0, $1]) }
  }
}
