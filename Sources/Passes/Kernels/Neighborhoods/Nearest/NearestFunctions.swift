import IR

/// How distances reach the selection of neighbours; both ways give the same bits.
enum NearestLowering: String, KernelLowering {
  /// All distances of an image are in memory before the first selection.
  case fullMatrix = "full_matrix"
  /// The distances of a block of pixels go from the product straight into their selection.
  case streamed = "streamed_top_k"

  static let usual = Self.streamed
}

/// Squared distances between the pixels of an image and candidates, as a product: features are scaled by their norms,
/// the candidates' transposed into panels, and a register tile of pixels x candidates sums over the channels, in their
/// order whatever the tile.
///
/// Places after the last candidate, up to whole vectors, are infinitely far; so are candidates whose distance is NaN.
struct NearestFunctions {
  /// What is added to the distances, and how it lies.
  enum Positions {
    /// `[pixels, candidates]`, computed at run time.
    case rows
    /// Constants, panel after panel of candidates, each `[pixels][width]`, so that the tiles of a panel read one
    /// stream.
    case panels
  }

  var channels: Int
  /// Elements from one pixel to the next: the channels, padded to vectors with zeros.
  var pixelStride: Int
  var candidates: Int
  var leastNorm: Double
  var positions: Positions?
  var lanes: Int

  private var type: LoopType { LoopType(.f32, lanes: lanes) }
  private var vectors: Int { pixelStride / lanes }
  /// Elements from one pixel's distances to the next one's.
  var distanceStride: Int { roundUp(candidates, toMultipleOf: lanes) }

  /// Pixels of one task: as many as keep a block's distances within 64 KiB, but up to 32 in any case, since all
  /// candidates are read for each block. Equal blocks are preferred if they are at least half as large.
  static func blockPixels(pixels: Int, candidates: Int) -> Int {
    let most = min(pixels, max(32, 16384 / candidates), 64)
    return (ceilDivide(most, 2)...most).last { pixels.isMultiple(of: $0) } ?? most
  }

  /// The call that scales some pixels by their norms, and writes the squared norms of what comes out.
  func scale(
    pixels: Int, input: LoopArgument, scaled: LoopArgument, squares: LoopArgument, in program: inout ProgramBuilder
  ) -> LoopStatement {
    .call(scaleFunction(pixels: pixels, in: &program), [input, scaled, squares])
  }

  private func scaleFunction(pixels: Int, in program: inout ProgramBuilder) -> String {
    let parameters: [LoopParameter] = [
      .input("input", count: pixels * pixelStride),
      LoopParameter("scaled", .view(.readWrite, .f32, count: pixels * pixelStride, range: nil)),
      .output("squares", count: pixels),
    ]
    return program.function("nearest_scale_p\(pixels)_c\(pixelStride)", parameters) { builder in
      builder.loop("pixel", 0, .constant(pixels)) { builder, pixel in
        let square = sumOfSquares(&builder, "input", pixel * pixelStride)
        let norm = builder.let(
          "norm", .f32, .maximum(.unary(.squareRoot, square), .f32(leastNorm)))
        builder.loop("vector", 0, .constant(vectors)) { builder, vector in
          let place = pixel * pixelStride + vector * lanes
          builder.store("scaled", place, .load("input", place, type) / .splat(norm, lanes: lanes))
        }
        builder.store("squares", pixel, sumOfSquares(&builder, "scaled", pixel * pixelStride))
      }
    }
  }

  private func sumOfSquares(_ builder: inout LoopBuilder, _ buffer: String, _ pixel: LoopIndex) -> LoopValue {
    let sum = builder.register("sum", type, .f32(0, lanes: lanes))
    builder.loop("vector", 0, .constant(vectors)) { builder, vector in
      let x = builder.let("x", type, .load(buffer, pixel + vector * lanes, type))
      builder.assign(sum, .fma(x, x, .variable(sum)))
    }
    return builder.let("square", .f32, lanes == 1 ? .variable(sum) : .reduce(.add, .variable(sum)))
  }

  /// The call that transposes the candidates of one panel: channel after channel, `width` candidates each, zeros after the
  /// `live`.
  func pack(
    width: Int, live: Int, scaled: LoopArgument, panel: LoopArgument, in program: inout ProgramBuilder
  ) -> LoopStatement {
    .call(packFunction(width: width, live: live, in: &program), [scaled, panel])
  }

  private func packFunction(width: Int, live: Int, in program: inout ProgramBuilder) -> String {
    let parameters: [LoopParameter] = [
      .input("scaled", count: live * pixelStride), .output("panel", count: channels * width),
    ]
    return program.function("nearest_pack_\(width)_c\(channels)", parameters) { builder in
      builder.loop("c", 0, .constant(channels)) { builder, c in
        builder.loop("candidate", 0, .constant(live)) { builder, candidate in
          builder.store("panel", c * width + candidate, .load("scaled", candidate * pixelStride + c, .f32))
        }
        builder.loop("candidate", .constant(live), .constant(width)) { builder, candidate in
          builder.store("panel", c * width + candidate, .f32(0))
        }
      }
    }
  }

  /// What a call that measures distances reads and writes: the pixels' scaled features and their squares, a panel of
  /// candidates and their squares, positions if there are any, distances; the last two from the panel's first candidate
  /// on.
  struct DistanceArguments {
    var own: LoopArgument
    var ownSquares: LoopArgument
    var panel: LoopArgument
    var squares: LoopArgument
    var positions: LoopArgument?
    var distances: LoopArgument

    fileprivate var list: [LoopArgument] {
      [own, ownSquares, panel, squares] + (positions.map { [$0] } ?? []) + [distances]
    }
  }

  /// The call that measures the distances between some pixels and the candidates of one panel.
  /// - Parameters:
  ///   - panel: its vectors, and the tiles that sweep the pixels.
  ///   - live: candidates of the panel that exist.
  func distances(
    pixels: Int, panel: ProductSchedule.Panels, live: Int, _ arguments: DistanceArguments,
    in program: inout ProgramBuilder
  ) -> LoopStatement {
    .call(distancesFunction(pixels: pixels, panel: panel, live: live, in: &program), arguments.list)
  }

  private func distancesFunction(
    pixels: Int, panel: ProductSchedule.Panels, live: Int, in program: inout ProgramBuilder
  ) -> String {
    let width = panel.vectors * lanes
    var parameters: [LoopParameter] = [
      .input("own", count: pixels * pixelStride), .input("own_squares", count: pixels),
      .input("panel", count: channels * width), .input("squares", count: width),
    ]
    switch positions {
    case .rows: parameters.append(.input("positions", count: (pixels - 1) * candidates + live))
    case .panels: parameters.append(.input("positions", count: pixels * width))
    case nil: break
    }
    parameters.append(.output("distances", count: (pixels - 1) * distanceStride + width))
    return program.function("nearest_distances_p\(pixels)_\(live)_c\(channels)", parameters) { builder in
      var first = 0
      for tiles in panel.tiles {
        builder.loop("tile", 0, .constant(tiles.count)) { builder, tile in
          writeTile(
            &builder, pixels: tiles.pixels, vectors: panel.vectors, first: tile * tiles.pixels + .constant(first),
            live: live)
        }
        first += tiles.pixels * tiles.count
      }
    }
  }

  private func writeTile(_ builder: inout LoopBuilder, pixels: Int, vectors: Int, first: LoopIndex, live: Int) {
    let tile = ProductTile(&builder, pixels: pixels, vectors: vectors, lanes: lanes)
    tile.accumulate(
      &builder, depth: channels, inputs: (0..<pixels).map { ($0, "own", (first + .constant($0)) * pixelStride) },
      inputStride: 1, weights: "panel", weightBase: 0)
    for pixel in 0..<pixels {
      let row = first + .constant(pixel)
      let own = builder.let("own_square", type, .splat(.load("own_squares", row, .f32), lanes: lanes))
      for vector in 0..<vectors {
        let left = live - vector * lanes
        let mask = left < lanes ? LoopValue.firstLanes(.constant(max(0, left)), lanes: lanes) : nil
        let place = LoopIndex.constant(vector * lanes)
        var distance: LoopValue = own - .f32(2, lanes: lanes) * tile.sum(pixel: pixel, vector: vector)
        distance = builder.let("distance", type, distance + .load("squares", place, type))
        switch positions {
        case .rows: distance = distance + .load(buffer: "positions", row * candidates + place, type, mask: mask)
        case .panels: distance = distance + .load("positions", row * (vectors * lanes) + place, type)
        case nil: break
        }
        // If an operand is NaN, the minimum is the second one.
        let far = LoopValue.f32(.infinity, lanes: lanes)
        var value = LoopValue.minimum(distance, far)
        if let mask { value = .select(mask, value, far) }
        builder.store("distances", row * distanceStride + place, value)
      }
    }
  }
}
