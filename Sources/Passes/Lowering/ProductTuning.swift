import IR

/// A product as a schedule sees it: `pixels` meet `vectors` vectors of output channels over a reduction of `depth` steps.
public struct ProductShape: Hashable, Codable, Sendable {
  public var depth: Int
  public var pixels: Int
  public var vectors: Int

  public init(depth: Int, pixels: Int, vectors: Int) {
    (self.depth, self.pixels, self.vectors) = (depth, pixels, vectors)
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

  /// The target's name: what wins with one width of vectors says nothing of another.
  public var target: String
  public var winners: [Winner]

  public init(target: String, winners: [Winner]) {
    (self.target, self.winners) = (target, winners)
  }

  /// - Throws: A `Diagnostic` where a schedule does not cover its product, or a tile does not fit the registers.
  public func validate(for target: Target) throws {
    guard self.target == target.name else {
      throw Diagnostic("the tuning is for \(self.target), not for \(target.name)")
    }
    for winner in winners {
      let product = winner.product
      let cost = ProductCost(target: target, depth: product.depth)
      let panels = winner.schedule.panels
      let isWhole = panels.allSatisfy { panel in
        panel.vectors > 0 && panel.count > 0
          && panel.tiles.reduce(0) { $0 + $1.pixels * $1.count } == product.pixels
          && panel.tiles.allSatisfy { $0.count > 0 && (1...cost.mostPixels(vectors: panel.vectors)) ~= $0.pixels }
      }
      if !isWhole || panels.reduce(0, { $0 + $1.vectors * $1.count }) != product.vectors {
        throw Diagnostic(
          "the tuning's schedule for depth \(product.depth), \(product.pixels) pixels and \(product.vectors) vectors "
            + "does not fit \(target.name); measure again with 'vigc tune'")
      }
    }
  }

  func schedule(for product: ProductShape) -> ProductSchedule? {
    winners.first { $0.product == product }?.schedule
  }
}

/// What `vigc tune` measures.
public enum ProductTuner {
  /// The products of a model whose schedules are open, each shape once, in the graph's order.
  public static func products(of graph: Graph, for target: CompilationTarget) throws -> [ProductShape] {
    try GraphLowering.lowered(graph, for: target).program.scheduled
  }

  /// Schedules worth measuring, the cost model's own first: panels of each width, with the tilings that the model
  /// thinks cheapest.
  public static func candidates(for product: ProductShape, target: Target) -> [ProductSchedule] {
    let cost = ProductCost(target: target, depth: product.depth)
    var found = [cost.schedule(pixels: product.pixels, vectors: product.vectors)]
    for width in 1...8 where width <= product.vectors && cost.mostPixels(vectors: width) >= 1 {
      let rest = product.vectors % width
      for tiling in cost.tilings(pixels: product.pixels, vectors: width).prefix(3) {
        var panels = [ProductSchedule.Panels(vectors: width, count: product.vectors / width, tiles: tiling.tiles)]
        if rest > 0 {
          let tiles = cost.tiles(pixels: product.pixels, vectors: rest).tiles
          panels.append(ProductSchedule.Panels(vectors: rest, count: 1, tiles: tiles))
        }
        let schedule = ProductSchedule(panels: panels)
        if !found.contains(schedule) { found.append(schedule) }
      }
    }
    return found
  }

  /// A program that runs each candidate once, each as a layer of its own: timed over and over, they take turns.
  public static func program(
    for product: ProductShape, _ candidates: [ProductSchedule], target: Target
  ) -> LoopProgram {
    var program = ProgramBuilder(name: "product", target: target, workers: 1)
    let lanes = target.lanes
    let width = product.vectors * lanes
    let stride = roundUp(product.depth, toMultipleOf: lanes)
    let input = program.buffer("input", .input, count: product.pixels * stride)
    let output = program.buffer("output", .output, count: product.pixels * width)
    // Zeros in the arena are as good as weights, and nobody packs them.
    let weights = program.buffer("weights", .arena, count: product.depth * width)
    let bias = program.buffer("bias", .arena, count: width)
    for (place, schedule) in candidates.enumerated() {
      let kernel = PointwiseKernel(
        pixels: product.pixels, segments: [.init(channels: product.depth, stride: stride)], outputStride: width,
        epilogue: Epilogue(), panels: ProductPanels(schedule: schedule, lanes: lanes, channels: width))
      let function = kernel.function(in: &program)
      program.entry.layer("\(place)") { builder in
        builder.call(function, [input, weights, bias, output].map { .view(buffer: $0, 0) })
      }
    }
    return program.finished()
  }
}
