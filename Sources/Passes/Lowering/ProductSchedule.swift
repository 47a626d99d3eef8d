import IR

/// How a product of pixels by output channels is cut into register tiles: panels of `vectors` weight vectors, each
/// swept by pixel tiles.
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

  /// The largest tile, for a kernel's name.
  public var name: String {
    let largest = panels.max { $0.vectors < $1.vectors } ?? Panels(vectors: 0, count: 0, tiles: [])
    return "\(largest.tiles.map(\.pixels).max() ?? 0)x\(largest.vectors)"
  }
}

/// The cost model that picks a schedule, in cycles of one step of the reduction.
///
/// Figures of Zen 3 and Ice Lake: two fused multiply-adds and two loads a cycle, four cycles of latency; weights that
/// do not fit in L1 are assumed to stream from L2 at 24 bytes a cycle, a quarter less than `Benchmarks/compare` reads on
/// Zen 3. Held against timed products there: of 18 of mobilevig_ti, `vigc tune` found nothing 1 % faster for 16
/// (docs/Performance.md).
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
    var found: [(tiles: [ProductSchedule.Tiles], cost: Double)] = []
    for large in 1...max(1, min(pixels, mostPixels(vectors: vectors))) {
      let count = pixels / large
      let rest = pixels - count * large
      // Either one small tile for the rest, or the rest spread over tiles one pixel larger.
      var candidates = [[ProductSchedule.Tiles(pixels: large, count: count), .init(pixels: rest, count: 1)]]
      if rest > 0, rest <= count, large < mostPixels(vectors: vectors) {
        candidates.append([.init(pixels: large + 1, count: rest), .init(pixels: large, count: count - rest)])
      }
      for candidate in candidates {
        let used = candidate.filter { $0.pixels > 0 && $0.count > 0 }
        found.append((used, used.reduce(0) { $0 + Double($1.count) * tile(pixels: $1.pixels, vectors: vectors) }))
      }
    }
    // Of equals the one found first: sorting alone would not say.
    return found.enumerated().sorted { ($0.element.cost, $0.offset) < ($1.element.cost, $1.offset) }.map(\.element)
  }

  /// The cheapest split of `vectors` output vectors into panels, and of `pixels` into tiles.
  func schedule(pixels: Int, vectors: Int) -> ProductSchedule {
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
    return ProductSchedule(panels: panels)
  }

  /// The same panels over another number of pixels, so that one packing of the weights serves both.
  func retiled(_ schedule: ProductSchedule, pixels: Int) -> ProductSchedule {
    ProductSchedule(
      panels: schedule.panels.map { group in
        var result = group
        result.tiles = tiles(pixels: pixels, vectors: group.vectors).tiles
        return result
      })
  }
}
