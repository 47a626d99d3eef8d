import IR

/// One output row of a depthwise convolution: vectors along channels, a tile of columns in registers, each input
/// vector loaded once a kernel row and used by every tap that reaches it.
///
/// Pixels that are a multiple of a KiB apart share few sets of the first cache, which cannot keep the lines of a tile until
/// their other vectors are wanted: there a tile has all vectors of a line.
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

  /// Channel vectors of a tile: those of a line of 64 bytes, or one.
  private var tileVectors: Int { channels % 256 == 0 && lanes > 1 ? max(1, 16 / lanes) : 1 }

  /// Columns in registers at once: as many as leave room for one kernel row's inputs and a weight.
  private func tilePixels(registers: Int) -> Int {
    // pixels accumulators a vector + (pixels - 1) * stride + extent inputs + 1 weight
    let room = registers - 1 - columns.extent + columns.stride
    return max(1, min(outputWidth, min(8, room / (tileVectors + columns.stride))))
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
      builder.loop("vector", 0, .constant(plain), step: tileVectors) { builder, vector in
        writeVectors(&builder, tiles, taps: taps, vectors: (0..<tileVectors).map { vector + .constant($0) }, live: nil)
      }
      if careful {
        writeVectors(&builder, tiles, taps: taps, vectors: [.constant(plain)], live: channels - plain * lanes)
      }
    }
  }

  private func writeVectors(
    _ builder: inout LoopBuilder, _ tiles: ColumnTiles, taps: Range<Int>, vectors: [LoopIndex], live: Int?
  ) {
    for shape in tiles.groups {
      builder.loop("tile", 0, .constant(shape.count)) { builder, tile in
        let column = tile * shape.pixels + .constant(shape.first)
        writeTile(&builder, shape, taps: taps, vectors: vectors, column: column, live: live)
      }
    }
  }

  private func writeTile(
    _ builder: inout LoopBuilder, _ shape: ColumnTiles.Group, taps: Range<Int>, vectors: [LoopIndex],
    column: LoopIndex, live: Int?
  ) {
    let type = LoopType(.f32, lanes: lanes)
    let accumulators = vectors.map { vector in
      (0..<shape.pixels).map { builder.register("acc_\($0)", type, .load("bias", vector * lanes, type)) }
    }
    for row in taps {
      for (vector, accumulators) in zip(vectors, accumulators) {
        accumulate(&builder, shape, row: row, vector: vector, column: column, accumulators)
      }
    }
    for (vector, accumulators) in zip(vectors, accumulators) {
      for (pixel, accumulator) in accumulators.enumerated() {
        let offset = column * paddedChannels + .constant(pixel * paddedChannels) + vector * lanes
        let value = epilogue.apply(
          &builder, .variable(accumulator), tensorIndex: offset, channelIndex: vector * lanes, lanes: lanes,
          live: live, masked: false)
        builder.store("output", offset, value)
      }
    }
  }

  /// The taps of one kernel row.
  private func accumulate(
    _ builder: inout LoopBuilder, _ shape: ColumnTiles.Group, row: Int, vector: LoopIndex, column: LoopIndex,
    _ accumulators: [String]
  ) {
    let type = LoopType(.f32, lanes: lanes)
    let first = column * columns.stride + .constant(-columns.padding)
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
          let index = (first + .constant(distance)) * paddedChannels + vector * lanes
          value = builder.let("x", type, .load("row_\(row)", index, type))
          loaded[distance] = value
        }
        builder.assign(accumulators[pixel], .fma(value, weight, .variable(accumulators[pixel])))
      }
    }
  }

  private func name(_ taps: Range<Int>) -> String {
    let edge = taps.count == rows.kernel ? "" : "_rows\(taps.lowerBound)to\(taps.upperBound)"
    let tail = epilogue.signature.isEmpty ? "" : "_" + epilogue.signature
    return
      "depthwise_\(rows.kernel)x\(columns.kernel)s\(columns.stride)_w\(outputWidth)_c\(channels)\(tail)\(edge)"
  }
}
