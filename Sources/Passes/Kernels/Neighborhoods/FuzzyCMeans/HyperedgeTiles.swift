import IR

/// How a product of rows by hyperedges is cut into register tiles: `height` rows at a time, whose hyperedges go by in
/// panels of `width` vectors.
///
/// Unlike a `ProductSchedule` it sweeps all panels of a tile before the next tile: the tile's results stay in L1 for
/// the code that needs whole rows of them.
struct HyperedgeTiles: Hashable {
  let rows: Int
  let vectors: Int
  /// Rows of a tile.
  let height: Int
  /// Vectors of a panel; the last one may have fewer.
  let width: Int
  /// Tasks that share the tiles; if there are several, rows that do not fill a tile are a task of their own.
  let shares: Int
  /// Whole tiles of a task.
  private let tilesPerShare: Int

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
    let whole = rows / height
    // Tasks of one size, about four a worker, so that none waits long for the last.
    let most = workers > 1 ? max(1, whole / (4 * workers)) : whole
    tilesPerShare = (1...most).last { whole % $0 == 0 } ?? 1
    let full = whole / tilesPerShare
    shares = full > 1 && rows % height > 0 ? full + 1 : full
  }

  /// For a function that works on one share: which share, if there are several.
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
    let share = LoopIndex.variable("share")
    let first = share * tilesPerShare
    func tiles(_ builder: inout LoopBuilder) {
      builder.loop("tile", 0, .constant(tilesPerShare)) { builder, tile in
        body(&builder, (first + tile) * height, height)
      }
    }
    if rest == 0 { return tiles(&builder) }
    builder.ifIndex([LoopComparison(share, .less, .constant(shares - 1))]) { builder in
      tiles(&builder)
    } else: { builder in
      body(&builder, .constant(whole * height), rest)
    }
  }

  /// A call for each share of the tiles: in parallel, each with its number, if there are several.
  func overShares(_ builder: inout LoopBuilder, _ call: ([LoopArgument]) -> LoopStatement) {
    if shares == 1 { return builder.append(call([])) }
    builder.loop("share", 0, .constant(shares), order: .parallel) { builder, share in
      builder.append(call([.index(share)]))
    }
  }

  /// Writes the panels of a tile, the last one separately. The body gets the first vector, how many vectors, and
  /// whether the panel is the last.
  func panels(_ builder: inout LoopBuilder, _ body: (inout LoopBuilder, LoopIndex, Int, Bool) -> Void) {
    let before = (vectors - 1) / width
    builder.loop("panel", 0, .constant(before)) { builder, panel in body(&builder, panel * width, width, false) }
    body(&builder, .constant(before * width), vectors - before * width, true)
  }
}
