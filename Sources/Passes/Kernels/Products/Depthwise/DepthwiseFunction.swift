import IR

/// One output row of a depthwise convolution: vectors along channels, a tile of columns in registers, each input
/// vector loaded once a kernel row and used by every tap that reaches it.
///
/// A tile has all vectors of a cache line, and all channels of its columns are computed before the next tile's. From
/// one pixel of a row to the next, the same vector lies a fixed distance away, often a multiple of many lines. Lines at
/// that distance share few sets of the first cache, which could not keep a row of them until their other vectors are
/// needed.
struct DepthwiseFunction {
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

  /// Whether the last vector's padding must be kept zero.
  private var isCareful: Bool { channels % lanes != 0 && !epilogue.keepsZero }
  /// Channel vectors without the one whose padding must be kept zero.
  private var plainVectors: Int { paddedChannels / lanes - (isCareful ? 1 : 0) }

  /// Columns of a tile and its channel vectors: those of a line of 64 bytes, up to two, if that leaves registers for at
  /// least two columns, so that an input serves more than one output.
  private func tile(registers: Int) -> (columns: Int, vectors: Int) {
    // columns accumulators a vector + (columns - 1) * stride + extent inputs + 1 weight
    let room = registers - 1 - columns.extent + columns.stride
    func pixels(_ vectors: Int) -> Int { max(1, min(outputWidth, min(8, room / (vectors + columns.stride)))) }
    let line = lanes > 1 ? min(2, 16 / lanes) : 1
    return line > 1 && plainVectors >= line && pixels(line) > 1 ? (pixels(line), line) : (pixels(1), 1)
  }

  /// Rows of a whole input image and of the output, for a function that finds an output row's kernel rows itself.
  struct Heights {
    var input: Int
    var output: Int
  }

  /// Where a tile's kernel rows come from.
  private enum Source {
    /// Those that lie inside the input, each a view of its own: written out one after the other.
    case views(Range<Int>)
    /// The whole input image, for output row `y`: a loop over all of them, which skips those outside.
    case image(Heights, y: LoopIndex)
  }

  /// Whether kernel rows are a loop in one function for all output rows, rather than written out in one function for
  /// each border. They are if there are more than three borders. The seven of 7 x 7 were two thirds of greedyvig_s's C,
  /// and half the time to compile it.
  func loopsOverRows(_ heights: Heights) -> Bool {
    rows.reachSegments(outputs: heights.output, inputs: heights.input).count > 3
  }

  /// The call that makes an output row whose kernel rows `taps` lie inside the input; inputs are their rows.
  func call(taps: Range<Int>, _ arguments: ProductArguments, in program: inout ProgramBuilder) -> LoopStatement {
    .call(function(taps: taps, in: &program), arguments.list)
  }

  /// The call that makes output row number `row` of an image; the input is the whole one.
  func call(
    _ heights: Heights, _ arguments: ProductArguments, row: LoopIndex, in program: inout ProgramBuilder
  ) -> LoopStatement {
    .call(function(heights, in: &program), arguments.list + [.index(row)])
  }

  private func function(taps: Range<Int>, in program: inout ProgramBuilder) -> String {
    let edge = taps.count == rows.kernel ? "" : "_rows\(taps.lowerBound)to\(taps.upperBound)"
    return function(
      name + edge, inputs: taps.map { LoopParameter.input("row_\($0)", count: rowCount) }, .views(taps), [],
      in: &program)
  }

  private func function(_ heights: Heights, in program: inout ProgramBuilder) -> String {
    let input = LoopParameter.input("input", count: heights.input * rowCount)
    let row = LoopParameter("y", .index(0...(heights.output - 1)))
    return function(
      "\(name)_h\(heights.output)", inputs: [input], .image(heights, y: .variable(row.name)), [row], in: &program)
  }

  private func function(
    _ name: String, inputs: [LoopParameter], _ source: Source, _ indices: [LoopParameter],
    in program: inout ProgramBuilder
  ) -> String {
    let parameters =
      ProductArguments.parameters(
        inputs: inputs, weights: paddedChannels * rows.kernel * columns.kernel, bias: paddedChannels, epilogue,
        output: outputWidth * paddedChannels, channels: paddedChannels) + indices
    let (pixels, vectors) = tile(registers: program.target.registers)
    let whole = outputWidth / pixels
    let sizes = [
      ProductSchedule.Tiles(pixels: pixels, count: whole), .init(pixels: outputWidth - whole * pixels, count: 1),
    ].filter { $0.pixels > 0 && $0.count > 0 }
    let tiles = PeeledColumns(window: columns, outputWidth: outputWidth, inputWidth: inputWidth, sizes: sizes)
    return program.function(name, parameters) { builder in
      for shape in tiles.groups {
        builder.loop("tile", 0, .constant(shape.count)) { builder, tile in
          let column = tile * shape.pixels + .constant(shape.first)
          writeChannels(&builder, together: vectors) { builder, vectors, live in
            writeTile(&builder, shape, source, vectors: vectors, column: column, live: live)
          }
        }
      }
    }
  }

  /// All channel vectors, some at a time; those left over, and the one whose padding must be kept zero, by themselves.
  private func writeChannels(
    _ builder: inout LoopBuilder, together: Int,
    _ write: (_ builder: inout LoopBuilder, _ vectors: [LoopIndex], _ live: Int?) -> Void
  ) {
    let plain = plainVectors
    let whole = plain - plain % together
    builder.loop("vector", 0, .constant(whole), step: together) { builder, vector in
      write(&builder, (0..<together).map { vector + .constant($0) }, nil)
    }
    builder.loop("vector", .constant(whole), .constant(plain)) { builder, vector in write(&builder, [vector], nil) }
    if isCareful { write(&builder, [.constant(plain)], channels - plain * lanes) }
  }

  private func writeTile(
    _ builder: inout LoopBuilder, _ shape: PeeledColumns.Group, _ source: Source, vectors: [LoopIndex],
    column: LoopIndex, live: Int?
  ) {
    let type = LoopType(.f32, lanes: lanes)
    let accumulators = vectors.map { vector in
      (0..<shape.pixels).map { builder.register("acc_\($0)", type, .load("bias", vector * lanes, type)) }
    }
    overKernelRows(&builder, source) { builder, row, buffer, start in
      for (vector, accumulators) in zip(vectors, accumulators) {
        accumulate(
          &builder, shape, row: row, buffer: buffer, start: start, vector: vector, column: column, accumulators)
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

  /// The kernel rows that lie inside the input: gets each one's number, and the buffer and place of its input row.
  private func overKernelRows(
    _ builder: inout LoopBuilder, _ source: Source,
    _ body: (inout LoopBuilder, _ row: LoopIndex, _ buffer: String, _ start: LoopIndex) -> Void
  ) {
    switch source {
    case .views(let taps):
      for row in taps { body(&builder, .constant(row), "row_\(row)", 0) }
    case .image(let heights, let y):
      builder.loop("kernel_row", 0, .constant(rows.kernel)) { builder, row in
        let position = rows.input(of: y, tap: row)
        builder.guarded(rows.borderTests(position, outputs: heights.output, inputs: heights.input)) { builder in
          body(&builder, row, "input", position * rowCount)
        }
      }
    }
  }

  /// The taps of one kernel row.
  private func accumulate(
    _ builder: inout LoopBuilder, _ shape: PeeledColumns.Group, row: LoopIndex, buffer: String, start: LoopIndex,
    vector: LoopIndex, column: LoopIndex, _ accumulators: [String]
  ) {
    let type = LoopType(.f32, lanes: lanes)
    let first = column * columns.stride + .constant(-columns.padding)
    // Input columns by their distance from the tile's first: each is loaded once and stays in a register.
    var loaded: [Int: LoopValue] = [:]
    for tap in 0..<columns.kernel where !shape.reach[tap].isEmpty {
      let weightIndex =
        vector * (rows.kernel * columns.kernel * lanes) + row * (columns.kernel * lanes) + .constant(tap * lanes)
      let weight = builder.let("w", type, .load("weights", weightIndex, type))
      for pixel in shape.reach[tap] {
        let distance = pixel * columns.stride + tap * columns.dilation
        let value: LoopValue
        if let known = loaded[distance] {
          value = known
        } else {
          let index = start + (first + .constant(distance)) * paddedChannels + vector * lanes
          value = builder.let("x", type, .load(buffer, index, type))
          loaded[distance] = value
        }
        builder.assign(accumulators[pixel], .fma(value, weight, .variable(accumulators[pixel])))
      }
    }
  }

  private var name: String {
    let tail = epilogue.signature.isEmpty ? "" : "_" + epilogue.signature
    return "depthwise_\(rows.kernel)x\(columns.kernel)s\(columns.stride)_w\(outputWidth)_c\(channels)\(tail)"
  }
}
