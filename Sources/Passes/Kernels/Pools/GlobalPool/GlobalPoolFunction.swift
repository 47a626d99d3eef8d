import IR

/// The mean over an image's pixels, channel by channel: one vector of sums at a time, pixels in order.
struct GlobalPoolFunction {
  var pixels: Int
  var paddedChannels: Int
  var lanes: Int

  /// Adds the function for an image; returns its call.
  func image(in program: inout ProgramBuilder) -> (_ input: LoopArgument, _ output: LoopArgument) -> LoopStatement {
    let type = LoopType(.f32, lanes: lanes)
    let parameters: [LoopParameter] = [
      .input("input", count: pixels * paddedChannels), .output("output", count: paddedChannels),
    ]
    let function = program.function("global_pool_p\(pixels)_c\(paddedChannels)", parameters) { builder in
      builder.loop("vector", 0, .constant(paddedChannels / lanes)) { builder, vector in
        let sum = builder.register("sum", type, .f32(0, lanes: lanes))
        builder.loop("pixel", 0, .constant(pixels)) { builder, pixel in
          let x = builder.let("x", type, .load("input", pixel * paddedChannels + vector * lanes, type))
          builder.assign(sum, .variable(sum) + x)
        }
        builder.store("output", vector * lanes, .variable(sum) * .f32(1 / Double(pixels), lanes: lanes))
      }
    }
    return { .call(function, [$0, $1]) }
  }
}
