import IR

/// How a product of pixels by output channels is cut into register tiles: panels of `vectors` weight vectors, then the
/// channels left over after them, each swept by pixel tiles. A schedule never changes a bit of the result.
public struct ProductSchedule: Hashable, Codable, Sendable {
  /// `count` tiles of `pixels` pixels, one after the other.
  public struct Tiles: Hashable, Codable, Sendable {
    public var pixels: Int
    public var count: Int
  }

  /// `count` panels of `vectors` vectors, each swept by the same tiles.
  public struct Panels: Hashable, Codable, Sendable {
    public var vectors: Int
    public var count: Int
    public var tiles: [Tiles]
  }

  public var panels: [Panels]
  /// The tiles that sum the channels left over after the last panel; see `TailTile`. Nil if none are.
  public var tail: [Tiles]?

  /// The largest tile of the widest panel, for a kernel's name.
  public var name: String {
    guard let widest = panels.max(by: { $0.vectors < $1.vectors }) else { return "leftover" }
    return "\(widest.tiles.map(\.pixels).max() ?? 0)x\(widest.vectors)"
  }
}

/// The cost model that picks a schedule, in cycles of one step of the reduction.
///
/// Figures of Zen 3 and Ice Lake: two fused multiply-adds and two loads a cycle, four cycles of latency; weights that
/// do not fit in L1 are assumed to stream from L2 at 24 bytes a cycle, a quarter less than `Benchmarks/compare` reads
/// on Zen 3. Compared with timed products on Zen 3: for 16 of 18 products of mobilevig_ti, `vigc tune` found nothing
/// that is 1 % faster (docs/Performance.md).
struct ProductCost {
  var target: Target
  /// Length of the reduction.
  var depth: Int

  static let multiplyAddsPerCycle = 2.0
  static let loadsPerCycle = 2.0
  static let latency = 4.0
  static let bytesFromL2PerCycle = 24.0
  /// Cycles to begin and end a tile: loop control, bias, epilogue bookkeeping.
  static let tileOverhead = 12.0

  /// Cycles of one tile over the whole reduction.
  func tile(pixels: Int, vectors: Int) -> Double {
    let products = Double(pixels * vectors) / Self.multiplyAddsPerCycle
    let loads = Double(pixels + vectors) / Self.loadsPerCycle
    var step = max(products, loads, Self.latency)
    let panelBytes = depth * vectors * target.lanes * 4
    if panelBytes > target.cache.l1 / 2 {
      step = max(step, Double(vectors * target.lanes * 4) / Self.bytesFromL2PerCycle)
    }
    return step * Double(depth) + Self.tileOverhead
  }

  /// Most pixels a tile of `vectors` vectors may have: accumulators, one row of weights and a broadcast in registers.
  func mostPixels(vectors: Int) -> Int { max(0, (target.registers - vectors - 1) / vectors) }

  /// The cheapest way to sweep `pixels` pixels with at most two tile sizes.
  func tiles(pixels: Int, vectors: Int) -> (tiles: [ProductSchedule.Tiles], cost: Double) {
    tilings(pixels: pixels, vectors: vectors).first ?? ([], .infinity)
  }

  /// Ways to sweep `pixels` pixels with at most two tile sizes, the cheapest first.
  func tilings(pixels: Int, vectors: Int) -> [(tiles: [ProductSchedule.Tiles], cost: Double)] {
    Self.tilings(pixels: pixels, most: mostPixels(vectors: vectors)) { tile(pixels: $0, vectors: vectors) }
  }

  private static func tilings(
    pixels: Int, most: Int, cost: (_ pixels: Int) -> Double
  ) -> [(tiles: [ProductSchedule.Tiles], cost: Double)] {
    var found: [(tiles: [ProductSchedule.Tiles], cost: Double)] = []
    for large in 1...max(1, min(pixels, most)) {
      let count = pixels / large
      let rest = pixels - count * large
      // Either one small tile for the rest, or the rest spread over tiles one pixel larger.
      var candidates = [[ProductSchedule.Tiles(pixels: large, count: count), .init(pixels: rest, count: 1)]]
      if rest > 0, rest <= count, large < most {
        candidates.append([.init(pixels: large + 1, count: rest), .init(pixels: large, count: count - rest)])
      }
      for candidate in candidates {
        let used = candidate.filter { $0.pixels > 0 && $0.count > 0 }
        found.append((used, used.reduce(0) { $0 + Double($1.count) * cost($1.pixels) }))
      }
    }
    // Of equally cheap ones the one found first: sorting alone does not decide.
    return found.enumerated().sorted { ($0.element.cost, $0.offset) < ($1.element.cost, $1.offset) }.map(\.element)
  }

  /// The cheapest split of `channels` output channels into panels, and of `pixels` into tiles.
  func schedule(pixels: Int, channels: Int) -> ProductSchedule {
    let tail = tailChannels(of: channels)
    let vectors = ceilDivide(channels - tail, target.lanes)
    let widths = (1...8).filter { mostPixels(vectors: $0) >= 1 && $0 <= vectors }
    let sweeps = Dictionary(uniqueKeysWithValues: widths.map { ($0, tiles(pixels: pixels, vectors: $0)) })
    // best[n]: the cheapest cover of n vectors and the width of its last panel.
    var best: [(cost: Double, width: Int)] = [(0, 0)]
    for covered in 1...max(1, vectors) {
      var choice: (cost: Double, width: Int) = (.infinity, 1)
      for width in widths where width <= covered {
        let cost = best[covered - width].cost + (sweeps[width]?.cost ?? .infinity)
        if cost < choice.cost { choice = (cost, width) }
      }
      best.append(choice)
    }
    var counts: [Int: Int] = [:]
    var left = vectors
    while left > 0 {
      counts[best[left].width, default: 0] += 1
      left -= best[left].width
    }
    let panels = counts.sorted { $0.key > $1.key }.map { width, count in
      ProductSchedule.Panels(vectors: width, count: count, tiles: sweeps[width]?.tiles ?? [])
    }
    return ProductSchedule(panels: panels, tail: tailTiles(pixels: pixels, channels: tail))
  }

  /// The same panels over another number of pixels, so that one packing of the weights serves both.
  func retiled(_ schedule: ProductSchedule, pixels: Int, tail: Int) -> ProductSchedule {
    let panels = schedule.panels.map { group in
      var result = group
      result.tiles = tiles(pixels: pixels, vectors: group.vectors).tiles
      return result
    }
    return ProductSchedule(panels: panels, tail: tailTiles(pixels: pixels, channels: tail))
  }
}

// Channels after the last whole vector: padded to a vector, or summed along the reduction.
extension ProductCost {
  /// Cycles to add the halves of two vectors into one, with two shuffles and an addition: 2 to 4 by LLVM's model of Ice
  /// Lake.
  private static let foldCycles = 3.0

  /// How many of the last channels are summed along the reduction: those after whole vectors, if that is cheaper than
  /// to pad them to a vector, else 0. The number of pixels and the shares of the whole vectors do not matter, so that
  /// threads, batches and schedules do not decide how a channel is summed.
  func tailChannels(of channels: Int) -> Int {
    let rest = channels % target.lanes
    let most = rest > 0 ? mostTailPixels(channels: rest) : 0
    guard most > 0 else { return 0 }
    let padded = tile(pixels: mostPixels(vectors: 1), vectors: 1) / Double(mostPixels(vectors: 1))
    return tailTile(pixels: most, channels: rest) / Double(most) < padded ? rest : 0
  }

  /// Most pixels that a tile of tail channels may have: accumulators, a step's weights and an input in registers.
  func mostTailPixels(channels: Int) -> Int { (target.registers - channels - 1) / channels }

  /// Cycles of a tile of tail channels over the whole reduction, and of what makes its sums lanes of one vector. Its
  /// weights, fewer than a vector a step, are assumed to stay in L1.
  private func tailTile(pixels: Int, channels: Int) -> Double {
    let products = Double(pixels * channels) / Self.multiplyAddsPerCycle
    let loads = Double(pixels + channels) / Self.loadsPerCycle
    let step = max(products, loads, Self.latency)
    let folds = TailTile.folds(channels: channels, lanes: target.lanes)
    return step * Double(ceilDivide(depth, target.lanes)) + Self.foldCycles * Double(pixels * folds) + Self.tileOverhead
  }

  private func tailTiles(pixels: Int, channels: Int) -> [ProductSchedule.Tiles]? {
    guard channels > 0 else { return nil }
    return Self.tilings(pixels: pixels, most: mostTailPixels(channels: channels)) {
      tailTile(pixels: $0, channels: channels)
    }.first?.tiles
  }
}
