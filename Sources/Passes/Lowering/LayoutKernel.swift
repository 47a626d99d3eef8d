import IR

/// Copies an image between row-major (NCHW) and channels-last, padded memory; padding is written as zero.
struct LayoutKernel {
  var channels: Int
  var pixels: Int
  var paddedChannels: Int

  private var rowMajorCount: Int { channels * pixels }
  private var channelsLastCount: Int { pixels * paddedChannels }

  /// Adds the function from NCHW to channels-last and returns its name. Arguments: input, output.
  func toChannelsLast(in program: inout ProgramBuilder) -> String {
    let parameters: [LoopParameter] = [
      .input("input", count: rowMajorCount), .output("output", count: channelsLastCount),
    ]
    return program.function("to_channels_last_c\(channels)_p\(pixels)", parameters) { builder in
      builder.loop("pixel", 0, .constant(pixels)) { builder, pixel in
        builder.loop("channel", 0, .constant(channels)) { builder, channel in
          builder.store(
            "output", pixel * paddedChannels + channel, .load("input", channel * pixels + pixel, .f32))
        }
        builder.loop("padding", .constant(channels), .constant(paddedChannels)) { builder, channel in
          builder.store("output", pixel * paddedChannels + channel, .f32(0))
        }
      }
    }
  }

  /// Adds the function from channels-last to NCHW and returns its name. Arguments: input, output.
  func toRowMajor(in program: inout ProgramBuilder) -> String {
    let parameters: [LoopParameter] = [
      .input("input", count: channelsLastCount), .output("output", count: rowMajorCount),
    ]
    return program.function("to_row_major_c\(channels)_p\(pixels)", parameters) { builder in
      builder.loop("channel", 0, .constant(channels)) { builder, channel in
        builder.loop("pixel", 0, .constant(pixels)) { builder, pixel in
          builder.store(
            "output", channel * pixels + pixel, .load("input", pixel * paddedChannels + channel, .f32))
        }
      }
    }
  }
}
