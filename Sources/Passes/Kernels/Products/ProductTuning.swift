import IR

/// A product as a schedule sees it: `pixels` meet `channels` output channels over a reduction of `depth` steps. Channels that
/// a convolution or a search for neighbours can only pad to whole vectors count as whole vectors.
public struct ProductShape: Hashable, Codable, Sendable {
  public var depth: Int
  public var pixels: Int
  public var channels: Int

  public init(depth: Int, pixels: Int, channels: Int) {
    (self.depth, self.pixels, self.channels) = (depth, pixels, channels)
  }
}

/// Schedules that were measured for a target, in place of those the cost model would pick.
public struct ProductTuning: Codable, Sendable {
  /// One product and the schedule that won.
  public struct Winner: Codable, Sendable {
    public var product: ProductShape
    public var schedule: ProductSchedule

    public init(product: ProductShape, schedule: ProductSchedule) {
      (self.product, self.schedule) = (product, schedule)
    }
  }

  /// The target's name: what wins with one width of vectors says nothing about another.
  public var target: String
  public var winners: [Winner]

  public init(target: String, winners: [Winner]) {
    (self.target, self.winners) = (target, winners)
  }

  /// - Throws: A `Diagnostic` if a schedule does not cover its product, or a tile does not fit the registers.
  public func validate(for target: Target) throws {
    guard self.target == target.name else {
      throw Diagnostic("the tuning is for \(self.target), not for \(target.name)")
    }
    for winner in winners {
      let product = winner.product
      guard winner.schedule.covers(product, target: target) else {
        throw Diagnostic(
          "the tuning's schedule for depth \(product.depth), \(product.pixels) pixels and \(product.channels) channels "
            + "does not fit \(target.name); measure again with 'vigc tune'")
      }
    }
  }

  func schedule(for product: ProductShape) -> ProductSchedule? {
    winners.first { $0.product == product }?.schedule
  }
}

/// The schedules of the products of a program.
struct ProductSchedules {
  let tuning: ProductTuning?
  /// The products that asked for a schedule, each once.
  private(set) var asked: [ProductShape] = []

  init(tuning: ProductTuning?) { self.tuning = tuning }

  /// The schedule that was measured for a product, or else the one the cost model picks.
  mutating func schedule(for product: ProductShape, target: Target) -> ProductSchedule {
    if !asked.contains(product) { asked.append(product) }
    return tuning?.schedule(for: product)
      ?? ProductCost(target: target, depth: product.depth).schedule(pixels: product.pixels, channels: product.channels)
  }
}

extension ProgramBuilder {
  /// The schedule of a product over a reduction of `depth` steps.
  mutating func schedule(depth: Int, pixels: Int, channels: Int) -> ProductSchedule {
    products.schedule(for: ProductShape(depth: depth, pixels: pixels, channels: channels), target: target)
  }
}

extension ProductSchedule {
  /// Whether the panels and what is left over are the product's channels, each swept over all its pixels by tiles that
  /// fit the registers. The numbers may be anything, since they come from a file.
  fileprivate func covers(_ product: ProductShape, target: Target) -> Bool {
    let extents = [product.depth, product.pixels, product.channels]
    guard extents.allSatisfy({ (1...(1 << 30)) ~= $0 }) else { return false }
    let cost = ProductCost(target: target, depth: product.depth)
    let rest = cost.tailChannels(of: product.channels)
    var vectors = ceilDivide(product.channels - rest, target.lanes)
    for panel in panels {
      guard panel.vectors > 0, panel.count > 0, panel.count <= vectors / panel.vectors,
        Self.cover(product.pixels, panel.tiles, most: cost.mostPixels(vectors: panel.vectors))
      else { return false }
      vectors -= panel.vectors * panel.count
    }
    guard vectors == 0, (tail != nil) == (rest > 0) else { return false }
    return rest == 0 || Self.cover(product.pixels, tail ?? [], most: cost.mostTailPixels(channels: rest))
  }

  /// Whether these tiles have at most `most` pixels each and `pixels` together.
  private static func cover(_ pixels: Int, _ tiles: [Tiles], most: Int) -> Bool {
    var left = pixels
    for tile in tiles {
      guard tile.pixels > 0, tile.pixels <= most, tile.count > 0, tile.count <= left / tile.pixels else { return false }
      left -= tile.pixels * tile.count
    }
    return left == 0
  }
}

/// What `vigc tune` measures.
public enum ProductTuner {
  /// The products of a model whose schedules are open, each shape once, in the graph's order.
  public static func products(of graph: Graph, for target: CompilationTarget) throws -> [ProductShape] {
    try GraphLowering.lowered(graph, for: target).program.products.asked
  }

  /// Schedules worth measuring, the cost model's own first: panels of each width, with the tilings that the model
  /// thinks cheapest.
  public static func candidates(for product: ProductShape, target: Target) -> [ProductSchedule] {
    let cost = ProductCost(target: target, depth: product.depth)
    let best = cost.schedule(pixels: product.pixels, channels: product.channels)
    var found = [best]
    let vectors = best.panels.reduce(0) { $0 + $1.vectors * $1.count }
    for width in 1...8 where width <= vectors && cost.mostPixels(vectors: width) >= 1 {
      let rest = vectors % width
      for tiling in cost.tilings(pixels: product.pixels, vectors: width).prefix(3) {
        var panels = [ProductSchedule.Panels(vectors: width, count: vectors / width, tiles: tiling.tiles)]
        if rest > 0 {
          let tiles = cost.tiles(pixels: product.pixels, vectors: rest).tiles
          panels.append(ProductSchedule.Panels(vectors: rest, count: 1, tiles: tiles))
        }
        let schedule = ProductSchedule(panels: panels, tail: best.tail)
        if !found.contains(schedule) { found.append(schedule) }
      }
    }
    return found
  }

  /// A program that runs each candidate once, each as a layer of its own: timed over and over, they take turns. The
  /// first layer runs the first candidate too, so that no candidate finds the caches as another program left them. That
  /// layer does not count.
  public static func program(
    for product: ProductShape, _ candidates: [ProductSchedule], target: Target
  ) -> LoopProgram {
    var program = ProgramBuilder(name: "product", target: target, workers: 1)
    let lanes = target.lanes
    let width = roundUp(product.channels, toMultipleOf: lanes)
    let stride = roundUp(product.depth, toMultipleOf: lanes)
    let input = program.buffer("input", .input, count: product.pixels * stride)
    let output = program.buffer("output", .output, count: product.pixels * width)
    // Zeros in the arena serve as weights and need no packing. Their number is rounded up for channels summed along the
    // reduction.
    let weights = program.buffer("weights", .arena, count: stride * width)
    let bias = program.buffer("bias", .arena, count: width)
    for (place, schedule) in (candidates.prefix(1) + candidates).enumerated() {
      let kernel = PointwiseFunction(
        pixels: product.pixels, segments: [.init(channels: product.depth, stride: stride)], outputStride: width,
        epilogue: Epilogue(), panels: ProductPanels(schedule: schedule, lanes: lanes, channels: product.channels))
      func all(_ buffer: String) -> LoopArgument { .view(buffer: buffer, 0) }
      let call = kernel.call(
        ProductArguments(
          inputs: [all(input)], weights: all(weights), bias: all(bias), residuals: [], channelVectors: [],
          output: all(output)), in: &program)
      program.entry.layer("\(place)") { $0.append(call) }
    }
    return program.finished()
  }
}
