import IR

/// How a product of rows by hyperedges is cut into register tiles: `height` rows at a time, whose hyperedges go by in
/// panels of `width` vectors.
///
/// Unlike a `ProductSchedule` it sweeps all panels of a tile before the next tile: what a tile computes stays in L1 for
/// what needs whole rows of it.
struct ClusterTiles: Hashable {
  let rows: Int
  let vectors: Int
  /// Rows of a tile.
  let height: Int
  /// Vectors of a panel; the last one may have fewer.
  let width: Int
  /// Tasks that share the tiles.
  let shares: Int

  /// - Parameters:
  ///   - depth: Length of the reduction.
  ///   - workers: Tasks there may be.
  init(rows: Int, vectors: Int, depth: Int, workers: Int, target: Target) {
    let cost = ProductCost(target: target, depth: depth)
    var best = (height: 1, width: 1, cost: Double.infinity)
    for width in 1...min(8, vectors) where cost.mostPixels(vectors: width) >= 1 {
      let height = min(rows, cost.mostPixels(vectors: width))
      let panels = [(width, vectors / width), (vectors % width, vectors % width > 0 ? 1 : 0)]
      let tile = panels.reduce(0) { $0 + ($1.1 > 0 ? Double($1.1) * cost.tile(pixels: height, vectors: $1.0) : 0) }
      if tile / Double(height) < best.cost { best = (height, width, tile / Double(height)) }
    }
    self.rows = rows
    self.vectors = vectors
    height = best.height
    width = best.width
    let each = ceilDivide(rows / height, max(1, min(workers, rows / height)))
    shares = ceilDivide(rows / height, each)
  }

  /// Of a function that works on one share: which one, where there are several.
  var parameters: [LoopParameter] { shares > 1 ? [LoopParameter("share", .index(0...(shares - 1)))] : [] }

  var name: String { "\(height)x\(width)" }

  /// Writes the tiles of one share: gets the first row and how many rows.
  func loop(_ builder: inout LoopBuilder, _ body: (inout LoopBuilder, LoopIndex, Int) -> Void) {
    let whole = rows / height
    let rest = rows % height
    if shares == 1 {
      builder.loop("tile", 0, .constant(whole)) { builder, tile in body(&builder, tile * height, height) }
      if rest > 0 { body(&builder, .constant(whole * height), rest) }
      return
    }
    let each = ceilDivide(whole, shares)
    let share = LoopIndex.variable("share")
    builder.loop("tile", share * each, .minimum(share * each + .constant(each), .constant(whole))) { builder, tile in
      body(&builder, tile * height, height)
    }
    guard rest > 0 else { return }
    builder.ifIndex([LoopComparison(share, .equal, .constant(shares - 1))]) { builder in
      body(&builder, .constant(whole * height), rest)
    }
  }

  /// Writes the panels of a tile, the last one apart: gets the first vector, how many, and whether it is the last.
  func panels(_ builder: inout LoopBuilder, _ body: (inout LoopBuilder, LoopIndex, Int, Bool) -> Void) {
    let before = (vectors - 1) / width
    builder.loop("panel", 0, .constant(before)) { builder, panel in body(&builder, panel * width, width, false) }
    body(&builder, .constant(before * width), vectors - before * width, true)
  }
}
