import IR

/// A dense convolution as a direct product: each kernel tap is a piece of the reduction, its inputs broadcast from where
/// they lie, so nothing is copied into columns first. Over a whole image each panel of weights sweeps every row before the
/// next one is read.
struct ConvolutionFunction {
  /// Where the input's elements lie.
  enum Input: Hashable {
    /// Pixels `stride` elements apart, channels adjacent.
    case channelsLast(stride: Int)
    /// Channels `stride` elements apart, columns adjacent.
    case rowMajor(stride: Int)
  }

  var input: Input
  var inputChannels: Int
  var inputHeight: Int
  var inputWidth: Int
  var rows: Window
  var columns: Window
  var outputHeight: Int
  var outputWidth: Int
  /// Elements from one output pixel to the next.
  var outputStride: Int
  var epilogue: Epilogue
  var panels: ProductPanels
  /// For an input that is normalised on the way in, one bias vector for each pair of border reaches; see `biasClasses`.
  var biasClasses: BorderClasses?

  private var channels: Int { panels.channels }

  /// Steps of the whole reduction: kernel rows, then kernel columns, then input channels.
  var depth: Int { rows.kernel * columns.kernel * inputChannels }

  /// Elements from one input row to the next.
  var rowStep: Int {
    switch input {
    case .channelsLast(let stride): inputWidth * stride
    case .rowMajor: inputWidth
    }
  }

  /// Elements an input row's view must have.
  private var rowCount: Int {
    switch input {
    case .channelsLast(let stride): (inputWidth - 1) * stride + inputChannels
    case .rowMajor(let stride): (inputChannels - 1) * stride + inputWidth
    }
  }

  private var biasCount: Int { panels.paddedChannels * (biasClasses?.count ?? 1) }

  private func parameters(inputs: [LoopParameter], pixels: Int) -> [LoopParameter] {
    ProductArguments.parameters(
      inputs: inputs, weights: depth * panels.paddedChannels, bias: biasCount, epilogue,
      output: (pixels - 1) * outputStride + panels.paddedChannels, channels: panels.paddedChannels)
  }

  /// The call that makes a whole image of one.
  func call(image arguments: ProductArguments, in program: inout ProgramBuilder) -> LoopStatement {
    .call(imageFunction(in: &program), arguments.list)
  }

  /// The call that makes one output row of the input rows of `taps`.
  func call(taps: Range<Int>, _ arguments: ProductArguments, in program: inout ProgramBuilder) -> LoopStatement {
    .call(rowFunction(taps: taps, in: &program), arguments.list)
  }

  private func imageFunction(in program: inout ProgramBuilder) -> String {
    let inputs = [LoopParameter.input("input", count: (inputHeight - 1) * rowStep + rowCount)]
    let target = program.target
    return program.function(
      name + "_h\(outputHeight)", parameters(inputs: inputs, pixels: outputHeight * outputWidth)
    ) { builder in
      panels.loop(&builder, careful: !epilogue.keepsZero) { builder, group, channel, live in
        if unrollsTaps {
          for segment in rows.reachSegments(outputs: outputHeight, inputs: inputHeight) {
            let low = LoopIndex.constant(segment.rows.lowerBound)
            builder.loop("y", low, .constant(segment.rows.upperBound)) { builder, y in
              writeRow(&builder, group, channel: channel, live: live, taps: segment.taps, outputRow: y, target: target)
            }
          }
        } else {
          builder.loop("y", 0, .constant(outputHeight)) { builder, y in
            writeRow(&builder, group, channel: channel, live: live, taps: nil, outputRow: y, target: target)
          }
        }
      }
    }
  }

  private func rowFunction(taps: Range<Int>, in program: inout ProgramBuilder) -> String {
    let inputs = taps.map { LoopParameter.input(Self.rowName($0), count: rowCount) }
    let target = program.target
    return program.function(
      name + "_t\(taps.lowerBound)_\(taps.upperBound)", parameters(inputs: inputs, pixels: outputWidth)
    ) { builder in
      panels.loop(&builder, careful: !epilogue.keepsZero) { builder, group, channel, live in
        writeRow(&builder, group, channel: channel, live: live, taps: taps, outputRow: nil, target: target)
      }
    }
  }

  private static func rowName(_ tap: Int) -> String { "input_\(tap)" }

  /// Whether every tap of every border is written out. This suits few input channels, whose reductions are short, and a
  /// bias that depends on the border needs it. Otherwise kernel rows and columns are loops, and rows outside the image
  /// are skipped at run time.
  private var unrollsTaps: Bool { depth <= 32 || biasClasses != nil }

  /// One output row of one panel.
  /// - Parameters:
  ///   - taps: The kernel rows that lie inside the image; nil if a loop finds out.
  ///   - outputRow: The row of the image; nil if rows are views of their own.
  private func writeRow(
    _ builder: inout LoopBuilder, _ group: ProductSchedule.Panels, channel: LoopIndex, live: Int?,
    taps: Range<Int>?, outputRow: LoopIndex?, target: Target
  ) {
    let tiles = PeeledColumns(window: columns, outputWidth: outputWidth, inputWidth: inputWidth, sizes: group.tiles)
    let rowSweeps = tiles.groups.reduce(0) { $0 + $1.count }
    var firstSweep = 0
    for shape in tiles.groups {
      builder.loop("tile", 0, .constant(shape.count)) { builder, tile in
        let column = tile * shape.pixels + .constant(shape.first)
        let bias = { (pixel: Int) -> Int in
          guard let biasClasses, let taps else { return 0 }
          return biasClasses.index(taps: taps, columns: shape.taps(of: pixel, kernel: columns.kernel))
        }
        let product = ProductTile(
          &builder, pixels: shape.pixels, vectors: group.vectors, lanes: panels.lanes, bias: "bias",
          biasIndex: { channel + .constant(bias($0) * panels.paddedChannels) })
        if let taps {
          for row in taps {
            writeKernelRow(
              &builder, product, shape, row: .constant(row), from: source(row, of: outputRow), column: column,
              channel: channel)
          }
        } else if let outputRow {
          let prefetch = panels.prefetch(
            group, channel: channel, pieces: Array(repeating: inputChannels, count: rows.kernel * columns.kernel),
            sweeps: outputHeight * rowSweeps, sweep: outputRow * rowSweeps + tile + .constant(firstSweep),
            target: target)
          builder.loop("kernel_row", 0, .constant(rows.kernel)) { builder, row in
            inside(&builder, row: row, outputRow: outputRow) { builder in
              writeKernelRow(
                &builder, product, shape, row: row,
                from: RowSource(buffer: "input", start: rows.input(of: outputRow, tap: row) * rowStep), column: column,
                channel: channel, prefetch: prefetch)
            }
          }
        }
        product.finish(
          &builder, epilogue: epilogue, output: "output",
          place: { ((outputRow ?? 0) * outputWidth + column) * outputStride + .constant($0 * outputStride) + channel },
          channel: channel, liveChannels: live, masked: false)
      }
      firstSweep += shape.count
    }
  }

  /// Where an input row lies.
  private struct RowSource {
    var buffer: String
    var start: LoopIndex
  }

  private func source(_ row: Int, of outputRow: LoopIndex?) -> RowSource {
    guard let outputRow else { return RowSource(buffer: Self.rowName(row), start: 0) }
    return RowSource(buffer: "input", start: rows.input(of: outputRow, tap: .constant(row)) * rowStep)
  }

  /// `body` for the kernel rows that lie inside the image.
  private func inside(
    _ builder: inout LoopBuilder, row: LoopIndex, outputRow: LoopIndex, _ body: (inout LoopBuilder) -> Void
  ) {
    let position = rows.input(of: outputRow, tap: row)
    builder.guarded(rows.borderTests(position, outputs: outputHeight, inputs: inputHeight), body)
  }

  /// All taps of one kernel row. A tile that lies inside the image whole takes them in a loop.
  private func writeKernelRow(
    _ builder: inout LoopBuilder, _ tile: ProductTile, _ shape: PeeledColumns.Group, row: LoopIndex,
    from source: RowSource, column: LoopIndex, channel: LoopIndex, prefetch: PanelPrefetch? = nil
  ) {
    let pixelStep: Int
    let channelStep: Int
    switch input {
    case .channelsLast(let stride): (pixelStep, channelStep) = (stride, 1)
    case .rowMajor(let stride): (pixelStep, channelStep) = (1, stride)
    }
    func writeTap(_ builder: inout LoopBuilder, _ tap: LoopIndex, pixels: [Int]) {
      let first = column * columns.stride + .constant(-columns.padding) + tap * columns.dilation
      let piece = row * columns.kernel + tap
      tile.accumulate(
        &builder, depth: inputChannels,
        inputs: pixels.map { pixel in
          (pixel, source.buffer, source.start + first * pixelStep + .constant(pixel * columns.stride * pixelStep))
        },
        inputStride: channelStep, weights: "weights",
        weightBase: channel * depth + piece * (inputChannels * tile.vectors * tile.lanes),
        prefetch: prefetch?.moved(pieces: piece, depth: inputChannels))
    }
    if !unrollsTaps, shape.reach.allSatisfy({ $0.count == shape.pixels }) {
      builder.loop("kernel_column", 0, .constant(columns.kernel)) { builder, tap in
        writeTap(&builder, tap, pixels: Array(0..<shape.pixels))
      }
    } else {
      for tap in 0..<columns.kernel where !shape.reach[tap].isEmpty {
        writeTap(&builder, .constant(tap), pixels: shape.reach[tap])
      }
    }
  }

  private var name: String {
    let tail = epilogue.signature.isEmpty ? "" : "_" + epilogue.signature
    return
      "convolution_\(panels.schedule.name)_\(rows.kernel)x\(columns.kernel)s\(columns.stride)"
      + "_w\(outputWidth)_k\(inputChannels)_n\(channels)\(tail)"
  }
}

/// The border classes of a convolution whose input is normalised on the way in: padding is zero after normalisation, so
/// the constant part of the sum depends on which kernel rows and columns lie inside the image.
struct BorderClasses: Hashable {
  var rowReaches: [Range<Int>]
  var columnReaches: [Range<Int>]

  init(rows: Window, columns: Window, outputHeight: Int, outputWidth: Int, inputHeight: Int, inputWidth: Int) {
    rowReaches = Self.distinct((0..<outputHeight).map { rows.reach(of: $0, length: inputHeight) })
    columnReaches = Self.distinct((0..<outputWidth).map { columns.reach(of: $0, length: inputWidth) })
  }

  private static func distinct(_ reaches: [Range<Int>]) -> [Range<Int>] {
    Set(reaches).sorted { ($0.lowerBound, $0.upperBound) < ($1.lowerBound, $1.upperBound) }
  }

  var count: Int { rowReaches.count * columnReaches.count }

  func index(taps: Range<Int>, columns: Range<Int>) -> Int {
    guard let row = rowReaches.firstIndex(of: taps), let column = columnReaches.firstIndex(of: columns) else {
      preconditionFailure("a reach that no pixel of the image has")
    }
    return row * columnReaches.count + column
  }
}
