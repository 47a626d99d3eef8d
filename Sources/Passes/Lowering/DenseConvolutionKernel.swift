import IR

/// One output row of a dense convolution, as a direct product: each kernel tap is a piece of the reduction, its inputs
/// broadcast from where they lie, so nothing is copied into columns first.
struct DenseConvolutionKernel {
  /// Where the input's elements lie.
  enum Input: Hashable {
    /// Pixels `stride` elements apart, channels adjacent.
    case channelsLast(stride: Int)
    /// Channels `stride` elements apart, columns adjacent.
    case rowMajor(stride: Int)
  }

  var input: Input
  var inputChannels: Int
  var inputWidth: Int
  var rows: Window
  var columns: Window
  var outputWidth: Int
  var channels: Int
  var epilogue: Epilogue
  var panels: ProductPanels

  /// Steps of the whole reduction: kernel rows, then kernel columns, then input channels.
  var depth: Int { rows.kernel * columns.kernel * inputChannels }

  /// Elements an input row's view must have.
  var rowCount: Int {
    switch input {
    case .channelsLast(let stride): (inputWidth - 1) * stride + inputChannels
    case .rowMajor(let stride): (inputChannels - 1) * stride + inputWidth
    }
  }

  /// Adds the function for output rows whose kernel rows `taps` lie inside the input. Arguments: one input row a tap,
  /// weights, bias, residuals, channel vectors, output row.
  func function(taps: Range<Int>, in program: inout ProgramBuilder) -> String {
    let lanes = program.lanes
    let outputCount = outputWidth * panels.paddedChannels
    let parameters =
      taps.map { LoopParameter.input("row_\($0)", count: rowCount) }
      + [.input("weights", count: depth * panels.paddedChannels), .input("bias", count: panels.paddedChannels)]
      + epilogue.parameters(tensorElements: outputCount, channelElements: panels.paddedChannels)
      + [.output("output", count: outputCount)]
    return program.function(name(taps), parameters) { builder in
      panels.loop(&builder, careful: !epilogue.keepsZero) { builder, group, channel, live in
        let tiles = ColumnTiles(
          window: columns, outputWidth: outputWidth, inputWidth: inputWidth, sizes: group.tiles)
        for shape in tiles.groups {
          builder.loop("tile", 0, .constant(shape.count)) { builder, tile in
            let column = tile * shape.pixels + .constant(shape.first)
            writeTile(
              &builder, shape, vectors: group.vectors, lanes: lanes, taps: taps, column: column, channel: channel,
              live: live)
          }
        }
      }
    }
  }

  private func writeTile(
    _ builder: inout LoopBuilder, _ shape: ColumnTiles.Group, vectors: Int, lanes: Int, taps: Range<Int>,
    column: LoopIndex, channel: LoopIndex, live: Int?
  ) {
    let tile = ProductTile(
      &builder, pixels: shape.pixels, vectors: vectors, lanes: lanes, bias: "bias", channel: channel)
    for row in taps {
      for tap in 0..<columns.kernel where !shape.reach[tap].isEmpty {
        let first = column * columns.stride + .constant(tap * columns.dilation - columns.padding)
        let step = (row * columns.kernel + tap) * inputChannels
        let base = channel * depth + .constant(step * vectors * lanes)
        switch input {
        case .channelsLast(let stride):
          tile.accumulate(
            &builder, depth: inputChannels,
            inputs: shape.reach[tap].map { pixel in
              (pixel, "row_\(row)", first * stride + .constant(pixel * columns.stride * stride))
            },
            inputStride: 1, weights: "weights", weightBase: base)
        case .rowMajor(let stride):
          tile.accumulate(
            &builder, depth: inputChannels,
            inputs: shape.reach[tap].map { pixel in
              (pixel, "row_\(row)", first + .constant(pixel * columns.stride))
            },
            inputStride: stride, weights: "weights", weightBase: base)
        }
      }
    }
    let stride = panels.paddedChannels
    tile.finish(
      &builder, epilogue: epilogue, output: "output",
      place: { column * stride + .constant($0 * stride) + channel }, channel: channel, liveChannels: live,
      masked: false)
  }

  private func name(_ taps: Range<Int>) -> String {
    let edge = taps.count == rows.kernel ? "" : "_rows\(taps.lowerBound)to\(taps.upperBound)"
    let tail = epilogue.signature.isEmpty ? "" : "_" + epilogue.signature
    return
      "convolution_\(panels.schedule.name)_\(rows.kernel)x\(columns.kernel)s\(columns.stride)"
      + "_w\(outputWidth)_k\(inputChannels)_n\(channels)\(tail)\(edge)"
  }
}
