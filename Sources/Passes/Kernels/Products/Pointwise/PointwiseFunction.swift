import IR

/// A product of pixels by output channels, y[p][n] = epilogue(bias[n] + sum_k x[p][k] w[n][k]), the reduction running
/// over one or more inputs one after the other (a concatenation that is never written).
struct PointwiseFunction {
  /// One input: `channels` steps of the reduction, pixels `stride` elements apart.
  struct Segment: Hashable {
    var channels: Int
    var stride: Int
  }

  var pixels: Int
  var segments: [Segment]
  /// Elements from one output pixel to the next. If it is not a multiple of the lanes, there is no padding to write,
  /// even for the share of the channels that a task computes.
  var outputStride: Int
  var epilogue: Epilogue
  var panels: ProductPanels
  /// Whether each call reads weights that come from memory, and asks for them ahead.
  var prefetchesWeights = true

  var depth: Int { segments.reduce(0) { $0 + $1.channels } }
  private var channels: Int { panels.channels }
  private var masked: Bool { !outputStride.isMultiple(of: panels.lanes) }

  /// The call of the function, which is added unless the program has it. Inputs are the segments'.
  func call(_ arguments: ProductArguments, in program: inout ProgramBuilder) -> LoopStatement {
    .call(function(in: &program), arguments.list)
  }

  /// Adds the function and returns its name.
  private func function(in program: inout ProgramBuilder) -> String {
    let target = program.target
    let parameters = ProductArguments.parameters(
      inputs: segments.enumerated().map { index, segment in
        .input("input_\(index)", count: (pixels - 1) * segment.stride + segment.channels)
      },
      weights: panels.weightCount(pieces: segments.map(\.channels)), bias: panels.paddedChannels, epilogue,
      output: (pixels - 1) * outputStride + (masked ? channels : panels.paddedChannels),
      channels: panels.paddedChannels)
    let rest = panels.tailChannels
    let laneSums =
      rest > 0 ? program.valueFunction(TailTile.laneSums(channels: rest, lanes: panels.lanes)) : nil
    return program.function(name, parameters) { builder in
      panels.loop(&builder, careful: masked || !epilogue.keepsZero) { builder, group, channel, live in
        let sweeps = group.tiles.reduce(0) { $0 + $1.count }
        var firstPixel = 0
        var firstSweep = 0
        for tiles in group.tiles {
          builder.loop("tile", 0, .constant(tiles.count)) { builder, tile in
            let pixel = tile * tiles.pixels + .constant(firstPixel)
            let prefetch =
              prefetchesWeights
              ? panels.prefetch(
                group, channel: channel, pieces: segments.map(\.channels), sweeps: sweeps,
                sweep: tile + .constant(firstSweep), target: target) : nil
            writeTile(
              &builder, pixels: tiles.pixels, vectors: group.vectors, pixel: pixel, channel: channel, live: live,
              prefetch: prefetch)
          }
          firstPixel += tiles.pixels * tiles.count
          firstSweep += tiles.count
        }
      }
      if let laneSums { writeTail(&builder, laneSums: laneSums) }
    }
  }

  private func writeTile(
    _ builder: inout LoopBuilder, pixels: Int, vectors: Int, pixel: LoopIndex, channel: LoopIndex, live: Int?,
    prefetch: PanelPrefetch?
  ) {
    let lanes = panels.lanes
    let tile = ProductTile(
      &builder, pixels: pixels, vectors: vectors, lanes: lanes, bias: "bias", biasIndex: { _ in channel })
    var step = 0
    var prefetch = prefetch
    for (index, segment) in segments.enumerated() {
      tile.accumulate(
        &builder, depth: segment.channels,
        inputs: (0..<pixels).map {
          ($0, "input_\(index)", pixel * segment.stride + .constant($0 * segment.stride))
        },
        inputStride: 1, weights: "weights", weightBase: channel * depth + .constant(step * vectors * lanes),
        prefetch: prefetch)
      step += segment.channels
      prefetch = prefetch?.moved(pieces: 1, depth: segment.channels)
    }
    tile.finish(
      &builder, epilogue: epilogue, output: "output",
      place: { pixel * outputStride + .constant($0 * outputStride) + channel }, channel: channel,
      liveChannels: live, masked: masked)
  }

  /// The channels after the panels, summed along the reduction.
  private func writeTail(_ builder: inout LoopBuilder, laneSums: String) {
    var firstPixel = 0
    for tiles in panels.schedule.tail ?? [] {
      builder.loop("tile", 0, .constant(tiles.count)) { builder, tile in
        let pixel = tile * tiles.pixels + .constant(firstPixel)
        let sums = TailTile(
          &builder, pixels: tiles.pixels, channels: panels.tailChannels, lanes: panels.lanes)
        var weight = depth * panels.panelChannels
        for (index, segment) in segments.enumerated() {
          sums.accumulate(
            &builder, depth: segment.channels, input: "input_\(index)",
            inputs: (0..<tiles.pixels).map { pixel * segment.stride + .constant($0 * segment.stride) },
            weights: "weights", weightBase: .constant(weight))
          weight += roundUp(segment.channels, toMultipleOf: panels.lanes) * panels.tailChannels
        }
        sums.finish(
          &builder, laneSums: laneSums, epilogue: epilogue, bias: "bias", output: "output",
          place: { pixel * outputStride + .constant($0 * outputStride + panels.panelChannels) },
          channel: .constant(panels.panelChannels), masked: masked)
      }
      firstPixel += tiles.pixels * tiles.count
    }
  }

  private var name: String {
    let reduction = segments.map { "k\($0.channels)" }.joined(separator: "_")
    let tail = epilogue.signature.isEmpty ? "" : "_" + epilogue.signature
    return "pointwise_\(panels.schedule.name)_p\(pixels)_\(reduction)_n\(channels)\(tail)"
  }
}
