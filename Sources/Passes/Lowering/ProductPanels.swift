import IR

/// The output channels of a product as panels: packing weights for them and looping over them.
struct ProductPanels {
  let schedule: ProductSchedule
  let lanes: Int
  /// Channels that are not padding.
  let channels: Int

  var vectors: Int { ceilDivide(channels, lanes) }
  var paddedChannels: Int { vectors * lanes }

  /// Weights as the kernels read them: panel after panel, in each `[k][vectors * lanes]`, zero where padded.
  /// - Parameters:
  ///   - depth: length of the reduction.
  ///   - weight: the weight of output channel n at step k.
  func pack(depth: Int, weight: (_ channel: Int, _ step: Int) -> Float) -> [Float] {
    var packed = [Float](repeating: 0, count: depth * paddedChannels)
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
    let retiled = ProductCost(target: target, depth: depth).retiled(schedule, pixels: pixels)
    return ProductPanels(schedule: retiled, lanes: lanes, channels: channels)
  }

  /// Hints for the panel behind the one that begins at `channel`, to be given while this one's tiles are computed.
  /// - Parameters:
  ///   - pieces: the lengths of the pieces the reduction runs in.
  ///   - sweeps: tiles that read the panel, and `sweep` the number of the one being written.
  func prefetch(
    _ group: ProductSchedule.Panels, channel: LoopIndex, pieces: [Int], sweeps: Int, sweep: LoopIndex, target: Target
  ) -> PanelPrefetch? {
    let depth = pieces.reduce(0, +)
    return PanelPrefetch(
      pieces: pieces, sweeps: sweeps, sweep: sweep, width: group.vectors * lanes, panel: channel * depth,
      count: depth * paddedChannels, target: target)
  }

  /// One value a channel, zero in the padding.
  func pack(channels values: (Int) -> Float) -> [Float] {
    (0..<paddedChannels).map { $0 < channels ? values($0) : 0 }
  }

  /// Loops over the panels. The last one is written apart when its padding needs care, so that `live` is static.
  /// - Parameter body: gets the group, the first channel of the panel, and its live channels (nil when all are).
  func loop(
    _ builder: inout LoopBuilder, careful: Bool, order: LoopStatement.Order = .serial,
    _ body: (inout LoopBuilder, ProductSchedule.Panels, LoopIndex, Int?) -> Void
  ) {
    var first = 0
    let partial = channels % lanes != 0 && careful
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
