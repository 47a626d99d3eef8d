import IR

/// Whether a chain pays, and how many rows a step makes. The cost is that of one worker: with several, each reads the
/// weights as often, for fewer rows. The graph does not depend on how many workers there are.
struct RowChainCost {
  /// Bytes of a row of each image in between, and the rows it has.
  private var imagesBetween: [(rowBytes: Int, rows: Int)] = []
  private var windows: [Window]
  /// Bytes of the weights of all stages.
  private var weightBytes: Int
  private var outputRows: Int
  private var outputWidth: Int
  /// Whether a stage makes several rows in one call.
  private var takesBlocks: Bool
  private var target: Target

  /// - Parameter stages: products, each reading the one before.
  init(_ stages: [any ProductKernel], target: Target) {
    self.target = target
    let shapes = stages.map(\.product.outputShape)
    imagesBetween = shapes.dropLast().map { shape in
      (shape[3] * roundUp(shape[1], toMultipleOf: target.lanes) * 4, shape[2])
    }
    windows = stages.map(\.product.rows)
    weightBytes = stages.reduce(0) { $0 + $1.product.weightBytes }
    outputRows = shapes.last?[2] ?? 1
    outputWidth = shapes.last?[3] ?? 1
    takesBlocks = stages.contains { $0 is PointwiseKernel }
  }

  /// What an image may take of L2, and rings.
  private var budget: Int { target.cache.l2 / 2 }

  /// Bytes of all rings for `rows` output rows a step.
  private func ringBytes(rows: Int) -> Int {
    zip(RowRings(windows: windows, rowsPerStep: rows).ringRows, imagesBetween).reduce(0) { $0 + $1.0 * $1.1.rowBytes }
  }

  /// Images larger than this come from memory, while weights and smaller images come from the last cache; and how much
  /// more a byte then costs (60 and 21, or 36 and 18 GB/s on Zen 3, by `Benchmarks/compare`).
  private static let farImage = 8 << 20
  private static let farPrice = 3

  /// Bytes that pass the edge of L2 when each stage makes its whole image: those too large to stay, written and read
  /// again.
  private var apartBytes: Int {
    imagesBetween.map { $0.rows * $0.rowBytes }.filter { $0 > budget }
      .reduce(0) { $0 + 2 * $1 * ($1 > Self.farImage ? Self.farPrice : 1) }
  }

  /// Bytes of weights that pass it in a chain.
  private func chainedBytes(rows: Int) -> Int {
    let stays = weightBytes + ringBytes(rows: rows) <= target.cache.l2
    return stays ? 0 : weightBytes * ceilDivide(outputRows, rows)
  }

  /// Nil if a chain does not pay.
  var schedule: RowChainKernel.Schedule? {
    guard apartBytes > 0 else { return nil }
    // More than a few hundred pixels in one call gain nothing, since the weights are read once for each call.
    let useful = takesBlocks ? max(1, ceilDivide(224, outputWidth)) : 1
    let fitting = (1...min(outputRows, useful)).filter { ringBytes(rows: $0) <= budget }
    // In wide images even one row a step does not fit in L2. But it comes back from the next cache, which could not
    // hold the whole image.
    let rows = fitting.last ?? 1
    let bytes = chainedBytes(rows: rows)
    guard bytes < apartBytes else { return nil }
    return RowChainKernel.Schedule(
      rows: rows, ringBytes: ringBytes(rows: rows),
      reason: "past L2: \(bytes / 1024) KiB of weights against \(apartBytes / 1024) KiB of images; "
        + "\(ringBytes(rows: rows) / 1024) KiB of rings")
  }
}
