import IR

/// A register tile of a product being written: `pixels` x `vectors` accumulators that start at the bias, take
/// multiply-adds over any number of reduction loops, and leave through the epilogue.
struct ProductTile {
  let pixels: Int
  let vectors: Int
  let lanes: Int
  private let accumulators: [[String]]

  /// Declares the accumulators, each starting at zero.
  init(_ builder: inout LoopBuilder, pixels: Int, vectors: Int, lanes: Int) {
    self.init(&builder, pixels: pixels, vectors: vectors, lanes: lanes) { _, _ in .f32(0, lanes: lanes) }
  }

  /// Declares the accumulators, each starting at its channels' bias.
  init(
    _ builder: inout LoopBuilder, pixels: Int, vectors: Int, lanes: Int, bias: String,
    biasIndex: (_ pixel: Int) -> LoopIndex
  ) {
    let type = LoopType(.f32, lanes: lanes)
    self.init(&builder, pixels: pixels, vectors: vectors, lanes: lanes) { pixel, vector in
      .load(bias, biasIndex(pixel) + .constant(vector * lanes), type)
    }
  }

  private init(
    _ builder: inout LoopBuilder, pixels: Int, vectors: Int, lanes: Int,
    start: (_ pixel: Int, _ vector: Int) -> LoopValue
  ) {
    self.pixels = pixels
    self.vectors = vectors
    self.lanes = lanes
    let type = LoopType(.f32, lanes: lanes)
    var names: [[String]] = []
    for pixel in 0..<pixels {
      names.append(
        (0..<vectors).map { vector in
          builder.register("acc_\(pixel)_\(vector)", type, start(pixel, vector))
        })
    }
    accumulators = names
  }

  /// The sum so far for one pixel and vector.
  func sum(pixel: Int, vector: Int) -> LoopValue { .variable(accumulators[pixel][vector]) }

  /// Adds `depth` steps of the reduction: accumulator (p, v) += input[p's base + k * inputStride] * weights[...].
  /// - Parameters:
  ///   - inputs: for each pixel that takes part, its number in the tile, the buffer and where its first element lies.
  ///   - weights: the panel's first weight of this piece of the reduction; step k lies k * vectors * lanes further.
  ///   - prefetch: the hints for the next panel that this piece gives.
  func accumulate(
    _ builder: inout LoopBuilder, depth: Int, inputs: [(pixel: Int, buffer: String, base: LoopIndex)],
    inputStride: Int, weights: String, weightBase: LoopIndex, prefetch: PanelPrefetch? = nil
  ) {
    let type = LoopType(.f32, lanes: lanes)
    steps(&builder, depth: depth, weights: weights, prefetch: prefetch) { builder, k in
      let row = weightBase + k * (vectors * lanes)
      let loaded = (0..<vectors).map { vector in
        builder.let("w_\(vector)", type, .load(weights, row + .constant(vector * lanes), type))
      }
      for input in inputs {
        let scalar = LoopValue.load(input.buffer, input.base + k * inputStride, .f32)
        let x = builder.let("x_\(input.pixel)", type, .splat(scalar, lanes: lanes))
        for vector in 0..<vectors {
          let name = accumulators[input.pixel][vector]
          builder.assign(name, .fma(x, loaded[vector], .variable(name)))
        }
      }
    }
  }

  /// A loop over the steps of the reduction, in turns with a hint before each if there are hints.
  private func steps(
    _ builder: inout LoopBuilder, depth: Int, weights: String, prefetch: PanelPrefetch?,
    _ body: (inout LoopBuilder, LoopIndex) -> Void
  ) {
    guard let prefetch else { return builder.loop("k", 0, .constant(depth), body) }
    builder.loop("turn", 0, .constant(depth / prefetch.steps)) { builder, turn in
      prefetch.write(&builder, weights: weights, turn: turn)
      builder.loop("k", 0, .constant(prefetch.steps)) { builder, k in
        body(&builder, turn * prefetch.steps + k)
      }
    }
  }

  /// Runs the epilogue on each accumulator and stores it.
  /// - Parameters:
  ///   - place: the offset of pixel p's channel vector in the output and in tensors of its shape.
  ///   - liveChannels: channels from the tile's first on that are not padding.
  ///   - masked: whether padding must not be written at all (an unpadded output).
  func finish(
    _ builder: inout LoopBuilder, epilogue: Epilogue, output: String, place: (Int) -> LoopIndex, channel: LoopIndex,
    liveChannels: Int?, masked: Bool
  ) {
    for pixel in 0..<pixels {
      for vector in 0..<vectors {
        let live = liveChannels.map { min(lanes, max(0, $0 - vector * lanes)) }
        epilogue.store(
          &builder, .variable(accumulators[pixel][vector]), output: output,
          tensorIndex: place(pixel) + .constant(vector * lanes), channelIndex: channel + .constant(vector * lanes),
          lanes: lanes, live: live.flatMap { $0 < lanes ? $0 : nil }, masked: masked)
      }
    }
  }
}
