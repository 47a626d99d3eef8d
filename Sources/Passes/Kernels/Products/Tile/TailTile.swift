import IR

/// A register tile of the output channels left over after a product's whole vectors. Lanes run along the reduction
/// instead of along channels, so a few channels cost a few vectors of multiply-adds for every `lanes` steps, instead of
/// one for each step.
///
/// At the end the lanes of each sum are added, in the order of `reduce add`, for all channels of a pixel at once: two vectors
/// are folded into one that holds half as many lanes of each, until every lane is another channel's sum.
struct TailTile {
  let pixels: Int
  let channels: Int
  let lanes: Int
  private let accumulators: [[String]]

  /// Declares the accumulators, each starting at zero.
  init(_ builder: inout LoopBuilder, pixels: Int, channels: Int, lanes: Int) {
    self.pixels = pixels
    self.channels = channels
    self.lanes = lanes
    let type = LoopType(.f32, lanes: lanes)
    accumulators = (0..<pixels).map { pixel in
      (0..<channels).map { builder.register("sum_\(pixel)_\($0)", type, .f32(0, lanes: lanes)) }
    }
  }

  /// Adds `depth` steps of the reduction, `lanes` at a time and then what is left of them.
  /// - Parameters:
  ///   - inputs: for each pixel of the tile, where its adjacent inputs lie in the buffer.
  ///   - weightBase: the first of this piece's weights, `[step / lanes][channel][step % lanes]`, zeros after the last.
  func accumulate(
    _ builder: inout LoopBuilder, depth: Int, input: String, inputs: [LoopIndex], weights: String,
    weightBase: LoopIndex
  ) {
    let type = LoopType(.f32, lanes: lanes)
    func step(_ builder: inout LoopBuilder, _ k: LoopIndex, live: Int?) {
      let mask = live.map { LoopValue.firstLanes(.constant($0), lanes: lanes) }
      let loaded = (0..<channels).map { channel in
        builder.let(
          "w_\(channel)", type, .load(weights, weightBase + k * (channels * lanes) + .constant(channel * lanes), type))
      }
      for pixel in 0..<pixels {
        let x = builder.let("x_\(pixel)", type, .load(buffer: input, inputs[pixel] + k * lanes, type, mask: mask))
        for channel in 0..<channels {
          let name = accumulators[pixel][channel]
          builder.assign(name, .fma(x, loaded[channel], .variable(name)))
        }
      }
    }
    builder.loop("k", 0, .constant(depth / lanes)) { step(&$0, $1, live: nil) }
    if depth % lanes > 0 { step(&builder, .constant(depth / lanes), live: depth % lanes) }
  }

  /// Adds the bias to each pixel's sums, runs the epilogue on them and stores them.
  /// - Parameters:
  ///   - laneSums: the value function of that name for these channels.
  ///   - place: the offset of pixel p's first channel left over, in the output and in tensors of its shape.
  ///   - channel: that channel.
  ///   - masked: whether padding must not be written at all (an unpadded output).
  func finish(
    _ builder: inout LoopBuilder, laneSums: String, epilogue: Epilogue, bias: String, output: String,
    place: (Int) -> LoopIndex, channel: LoopIndex, masked: Bool
  ) {
    let type = LoopType(.f32, lanes: lanes)
    for pixel in 0..<pixels {
      let sums = LoopValue.apply(laneSums, accumulators[pixel].map { .variable($0) })
      let value = builder.let("y", type, sums + .load(bias, channel, type))
      epilogue.store(
        &builder, value, output: output, tensorIndex: place(pixel), channelIndex: channel, lanes: lanes, live: channels,
        masked: masked)
    }
  }

  /// Adds the lanes of each of `channels` vectors: lane c of the result is the sum of vector c's, and those after the last
  /// are zeros. Named after both: `lane_sums_2_f32x8`.
  static func laneSums(channels: Int, lanes: Int) -> LoopValueFunction {
    let type = LoopType(.f32, lanes: lanes)
    var builder = LoopBuilder()
    let names = (0..<channels).map { builder.fresh("sum_\($0)") }
    var vectors = names.map { LoopValue.variable($0) }
    var width = lanes / 2
    while width > 0 {
      // Each vector holds blocks of 2 * width lanes, each one channel's; their halves meet.
      vectors = stride(from: 0, to: vectors.count, by: 2).map { place in
        let second = place + 1 < vectors.count ? vectors[place + 1] : nil
        func halves(_ half: Int) -> LoopValue {
          let chosen = stride(from: half * width, to: lanes, by: 2 * width).flatMap { Array($0..<($0 + width)) }
          return .shuffle(vectors[place], second, chosen + chosen.map { second == nil ? $0 : lanes + $0 })
        }
        return builder.let("fold", type, halves(0) + halves(1))
      }
      width /= 2
    }
    let result = LoopValue.select(.firstLanes(.constant(channels), lanes: lanes), vectors[0], .f32(0, lanes: lanes))
    return LoopValueFunction(
      "lane_sums_\(channels)_\(type)", names.map { .init($0, type) }, type, builder.statements, result)
  }

  /// How many folds that takes.
  static func folds(channels: Int, lanes: Int) -> Int {
    var (vectors, width, folds) = (channels, lanes, 0)
    while width > 1 {
      vectors = ceilDivide(vectors, 2)
      folds += vectors
      width /= 2
    }
    return folds
  }
}
