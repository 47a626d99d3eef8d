import IR

/// One output row of a depthwise convolution: vectors along channels, a tile of columns in registers, each input
/// vector loaded once a kernel row and used by every tap that reaches it.
struct DepthwiseKernel {
  var channels: Int
  var inputWidth: Int
  var rows: Window
  var columns: Window
  var outputWidth: Int
  var epilogue: Epilogue
  var lanes: Int

  var paddedChannels: Int { roundUp(channels, toMultipleOf: lanes) }
  var rowCount: Int { inputWidth * paddedChannels }

  /// Weights as the kernel reads them: `[channel vector][kernel row][kernel column][lanes]`.
  func pack(weight: (_ channel: Int, _ row: Int, _ column: Int) -> Float) -> [Float] {
    var packed: [Float] = []
    packed.reserveCapacity(paddedChannels * rows.kernel * columns.kernel)
    for vector in 0..<(paddedChannels / lanes) {
      for row in 0..<rows.kernel {
        for column in 0..<columns.kernel {
          for lane in 0..<lanes {
            let channel = vector * lanes + lane
            packed.append(channel < channels ? weight(channel, row, column) : 0)
          }
        }
      }
    }
    return packed
  }

  func pack(channels values: (Int) -> Float) -> [Float] {
    (0..<paddedChannels).map { $0 < channels ? values($0) : 0 }
  }

  /// Columns in registers at once: as many as leave room for one kernel row's inputs and a weight.
  private func tilePixels(registers: Int) -> Int {
    // pixels accumulators + (pixels - 1) * stride + extent inputs + 1 weight
    let room = registers - 1 - columns.extent + columns.stride
    return max(1, min(outputWidth, min(8, room / (1 + columns.stride))))
  }

  /// Adds the function for output rows whose kernel rows `taps` lie inside the input. Arguments: one input row a tap,
  /// weights, bias, residuals, channel vectors, output row.
  func function(taps: Range<Int>, in program: inout ProgramBuilder) -> String {
    let outputCount = outputWidth * paddedChannels
    let parameters =
      taps.map { LoopParameter.input("row_\($0)", count: rowCount) }
      + [
        .input("weights", count: paddedChannels * rows.kernel * columns.kernel),
        .input("bias", count: paddedChannels),
      ]
      + epilogue.parameters(tensorElements: outputCount, channelElements: paddedChannels)
      + [.output("output", count: outputCount)]
    let pixels = tilePixels(registers: program.target.registers)
    let whole = outputWidth / pixels
    let sizes = [
      ProductSchedule.Tiles(pixels: pixels, count: whole), .init(pixels: outputWidth - whole * pixels, count: 1),
    ].filter { $0.pixels > 0 && $0.count > 0 }
    let tiles = ColumnTiles(window: columns, outputWidth: outputWidth, inputWidth: inputWidth, sizes: sizes)
    return program.function(name(taps), parameters) { builder in
      let vectors = paddedChannels / lanes
      let careful = channels % lanes != 0 && !epilogue.keepsZero
      let plain = careful ? vectors - 1 : vectors
      builder.loop("vector", 0, .constant(plain)) { builder, vector in
        writeVector(&builder, tiles, taps: taps, vector: vector, live: nil)
      }
      if careful {
        writeVector(&builder, tiles, taps: taps, vector: .constant(plain), live: channels - plain * lanes)
      }
    }
  }

  private func writeVector(
    _ builder: inout LoopBuilder, _ tiles: ColumnTiles, taps: Range<Int>, vector: LoopIndex, live: Int?
  ) {
    for shape in tiles.groups {
      builder.loop("tile", 0, .constant(shape.count)) { builder, tile in
        let column = tile * shape.pixels + .constant(shape.first)
        writeTile(&builder, shape, taps: taps, vector: vector, column: column, live: live)
      }
    }
  }

  private func writeTile(
    _ builder: inout LoopBuilder, _ shape: ColumnTiles.Group, taps: Range<Int>, vector: LoopIndex,
    column: LoopIndex, live: Int?
  ) {
    let type = LoopType(.f32, lanes: lanes)
    let channel = vector * lanes
    let accumulators = (0..<shape.pixels).map { pixel in
      builder.register("acc_\(pixel)", type, .load("bias", channel, type))
    }
    let first = column * columns.stride + .constant(-columns.padding)
    for row in taps {
      // Input columns by their distance from the tile's first: each is loaded once and stays in a register.
      var loaded: [Int: LoopValue] = [:]
      for tap in 0..<columns.kernel where !shape.reach[tap].isEmpty {
        let weightIndex =
          vector * (rows.kernel * columns.kernel * lanes) + .constant((row * columns.kernel + tap) * lanes)
        let weight = builder.let("w", type, .load("weights", weightIndex, type))
        for pixel in shape.reach[tap] {
          let distance = pixel * columns.stride + tap * columns.dilation
          let value: LoopValue
          if let known = loaded[distance] {
            value = known
          } else {
            let index = (first + .constant(distance)) * paddedChannels + channel
            value = builder.let("x", type, .load("row_\(row)", index, type))
            loaded[distance] = value
          }
          builder.assign(accumulators[pixel], .fma(value, weight, .variable(accumulators[pixel])))
        }
      }
    }
    for pixel in 0..<shape.pixels {
      let offset = column * paddedChannels + .constant(pixel * paddedChannels) + channel
      let value = epilogue.apply(
        &builder, .variable(accumulators[pixel]), tensorIndex: offset, channelIndex: channel, lanes: lanes,
        live: live, masked: false)
      builder.store("output", offset, value)
    }
  }

  private func name(_ taps: Range<Int>) -> String {
    let edge = taps.count == rows.kernel ? "" : "_rows\(taps.lowerBound)to\(taps.upperBound)"
    let tail = epilogue.signature.isEmpty ? "" : "_" + epilogue.signature
    return
      "depthwise_\(rows.kernel)x\(columns.kernel)s\(columns.stride)_w\(outputWidth)_c\(channels)\(tail)\(edge)"
  }
}
