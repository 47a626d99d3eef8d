import IR

/// The output channels of a product as panels: packing weights for them and looping over them.
struct ProductPanels {
  let schedule: ProductSchedule
  let lanes: Int
  /// Channels that are not padding.
  let channels: Int

  var vectors: Int { ceilDivide(channels, lanes) }
  var paddedChannels: Int { vectors * lanes }

  /// Channels after the panels, which are summed along the reduction.
  var tailChannels: Int { schedule.tail == nil ? 0 : channels % lanes }
  /// Channels of the panels, padding included. This is also the number of the first channel left over.
  var panelChannels: Int { tailChannels > 0 ? channels - tailChannels : paddedChannels }

  /// Elements of the weights of a reduction that runs in pieces of these lengths.
  func weightCount(pieces: [Int]) -> Int {
    pieces.reduce(0) { $0 + $1 * panelChannels + roundUp($1, toMultipleOf: lanes) * tailChannels }
  }

  /// Weights as the kernels read them: panel after panel, in each `[k][vectors * lanes]`, zero in the padding. Then
  /// come the channels left over, piece after piece of the reduction, as `TailTile` reads them.
  /// - Parameters:
  ///   - pieces: lengths of the reduction's pieces.
  ///   - weight: the weight of output channel n at step k.
  func pack(pieces: [Int], weight: (_ channel: Int, _ step: Int) -> Float) -> [Float] {
    var packed = packPanels(depth: pieces.reduce(0, +), weight: weight)
    var first = 0
    for depth in pieces where tailChannels > 0 {
      for chunk in stride(from: 0, to: depth, by: lanes) {
        for channel in panelChannels..<channels {
          packed += (chunk..<(chunk + lanes)).map { $0 < depth ? weight(channel, first + $0) : 0 }
        }
      }
      first += depth
    }
    return packed
  }

  /// Weights of panels alone.
  private func packPanels(depth: Int, weight: (_ channel: Int, _ step: Int) -> Float) -> [Float] {
    var packed = [Float](repeating: 0, count: depth * panelChannels)
    var first = 0
    for group in schedule.panels {
      for _ in 0..<group.count {
        let width = group.vectors * lanes
        for step in 0..<depth {
          for lane in 0..<width where first + lane < channels {
            packed[depth * first + step * width + lane] = weight(first + lane, step)
          }
        }
        first += width
      }
    }
    return packed
  }

  /// The same panels over another number of pixels.
  func retiled(_ target: Target, depth: Int, pixels: Int) -> ProductPanels {
    let retiled = ProductCost(target: target, depth: depth).retiled(
      schedule, pixels: pixels, tail: tailChannels)
    return ProductPanels(schedule: retiled, lanes: lanes, channels: channels)
  }

  /// Hints for what lies after the panel that begins at `channel`, to be given while this one's tiles are computed.
  /// - Parameters:
  ///   - pieces: the lengths of the pieces the reduction runs in.
  ///   - sweeps: tiles that read the panel, and `sweep` the number of the one being written.
  func prefetch(
    _ group: ProductSchedule.Panels, channel: LoopIndex, pieces: [Int], sweeps: Int, sweep: LoopIndex, target: Target
  ) -> PanelPrefetch? {
    PanelPrefetch(
      pieces: pieces, sweeps: sweeps, sweep: sweep, width: group.vectors * lanes,
      panel: channel * pieces.reduce(0, +), count: weightCount(pieces: pieces), target: target)
  }

  /// One value a channel, zero in the padding.
  func pack(channels values: (Int) -> Float) -> [Float] {
    (0..<paddedChannels).map { $0 < channels ? values($0) : 0 }
  }

  /// Loops over the panels, not the channels left over. The last one is written separately if its padding must be kept
  /// zero, so that `live` is static.
  /// - Parameter body: gets the group, the first channel of the panel, and its live channels (nil when all are).
  func loop(
    _ builder: inout LoopBuilder, careful: Bool, order: LoopStatement.Order = .serial,
    _ body: (inout LoopBuilder, ProductSchedule.Panels, LoopIndex, Int?) -> Void
  ) {
    var first = 0
    let partial = panelChannels > channels && careful
    for (index, group) in schedule.panels.enumerated() {
      let width = group.vectors * lanes
      let last = partial && index == schedule.panels.count - 1
      let whole = last ? group.count - 1 : group.count
      builder.loop("panel", 0, .constant(whole), order: whole > 1 ? order : .serial) { builder, panel in
        body(&builder, group, panel * width + .constant(first), nil)
      }
      first += whole * width
      if last {
        body(&builder, group, .constant(first), channels - first)
        first += width
      }
    }
  }
}

extension GraphLowering {
  /// The buffer of a constant of `[depth, channels]` packed panel after panel, each `[depth][its channels]`; nil if the
  /// value is not a float32 constant.
  mutating func packedBuffer(for value: ValueID, depth: Int, _ panels: ProductPanels) -> String? {
    let widths = panels.schedule.panels.flatMap { Array(repeating: "\($0.vectors)", count: $0.count) }
    return packedBuffer(for: value, form: "panels of \(widths.joined(separator: ", "))", suffix: "panels") { values in
      panels.pack(pieces: [depth]) { channel, step in Float(values[step * panels.channels + channel]) }
    }
  }
}
