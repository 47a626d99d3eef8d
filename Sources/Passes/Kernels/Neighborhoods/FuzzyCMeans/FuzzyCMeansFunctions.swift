import IR

/// Hyperedges by fuzzy c-means over channels-last images: each round is two products. The first has pixels innermost,
/// the second channels, and both have hyperedges along vectors. Nothing is transposed or copied.
///
/// Memberships are [pixels, hyperedges], the hyperedges padded to vectors with zeros, and are updated in place.
/// Centres are [channels, hyperedges]. Each sum runs in one order, pixel by pixel or channel by channel, whatever the
/// tile and the number of workers.
struct FuzzyCMeansFunctions {
  enum Lowering: String, KernelLowering {
    /// Centres and distances as register-tiled products.
    case products

    static let usual = Self.products
  }

  let pixels: Int
  let channels: Int
  /// Elements from one pixel to the next.
  let pixelStride: Int
  let clustering: FuzzyClustering
  let lanes: Int
  /// The tiles of the centres' product, whose rows are channels.
  let centerTiles: HyperedgeTiles
  /// The tiles of the distances' product, whose rows are pixels.
  let pixelTiles: HyperedgeTiles

  init(
    pixels: Int, channels: Int, pixelStride: Int, clustering: FuzzyClustering, workers: Int, target: Target
  ) {
    self.pixels = pixels
    self.channels = channels
    self.pixelStride = pixelStride
    self.clustering = clustering
    lanes = target.lanes
    let vectors = ceilDivide(clustering.hyperedges, target.lanes)
    centerTiles = HyperedgeTiles(rows: channels, vectors: vectors, depth: pixels, workers: workers, target: target)
    pixelTiles = HyperedgeTiles(rows: pixels, vectors: vectors, depth: channels, workers: workers, target: target)
  }

  /// Elements of a pixel's memberships.
  var rowCount: Int { roundUp(clustering.hyperedges, toMultipleOf: lanes) }
  var membershipCount: Int { pixels * rowCount }
  var centerCount: Int { channels * rowCount }
  /// Memberships of a tile before they are divided by their sums: scratch of one worker.
  var scratchCount: Int { pixelTiles.height * rowCount }

  var type: LoopType { LoopType(.f32, lanes: lanes) }
  var vectors: Int { rowCount / lanes }
  private var inputCount: Int { (pixels - 1) * pixelStride + channels }
  var shape: String { "p\(pixels)_c\(channels)_k\(clustering.hyperedges)" }
  /// Hyperedges in the last vector, if they are fewer than its lanes.
  var rest: Int? { clustering.hyperedges % lanes == 0 ? nil : clustering.hyperedges % lanes }

  // MARK: calls

  /// What a call that updates memberships reads and writes; nearness is scratch.
  struct UpdateArguments {
    var image: LoopArgument
    var centers: LoopArgument
    var centerSquares: LoopArgument
    var squares: LoopArgument
    var memberships: LoopArgument
    var changes: LoopArgument
    var nearness: LoopArgument

    fileprivate var list: [LoopArgument] {
      [image, centers, centerSquares, squares, memberships, changes, nearness]
    }
  }

  /// The calls of all functions, which are added to the program. A share is the task's number, if the tiles are split
  /// over several tasks.
  struct Calls {
    typealias Share = [LoopArgument]

    let start:
      (_ image: LoopArgument, _ first: LoopArgument, _ table: LoopArgument, _ squares: LoopArgument) -> LoopStatement
    let sum: (_ table: LoopArgument, _ sums: LoopArgument) -> LoopStatement
    let center:
      (_ image: LoopArgument, _ table: LoopArgument, _ sums: LoopArgument, _ centers: LoopArgument, Share) ->
        LoopStatement
    let centerSquare: (_ centers: LoopArgument, _ squares: LoopArgument) -> LoopStatement
    let update: (UpdateArguments, Share) -> LoopStatement
    let norm: (_ changes: LoopArgument, _ norm: LoopArgument, _ round: LoopIndex) -> LoopStatement
    let weakest: (_ tables: LoopArgument, _ weakest: LoopArgument) -> LoopStatement
    let link: (_ table: LoopArgument, _ weakest: LoopArgument, _ links: LoopArgument, Share) -> LoopStatement

    init(_ functions: FuzzyCMeansFunctions, images: Int, in program: inout ProgramBuilder) {
      let start = functions.startFunction(in: &program)
      let sum = functions.sumFunction(in: &program)
      let center = functions.centerFunction(in: &program)
      let centerSquare = functions.centerSquareFunction(in: &program)
      let update = functions.membershipFunction(in: &program)
      let norm = functions.normFunction(images: images, in: &program)
      let weakest = functions.weakestFunction(images: images, in: &program)
      let link = functions.linkFunction(in: &program)
      self.start = { .call(start, [$0, $1, $2, $3]) }
      self.sum = { .call(sum, [$0, $1]) }
      self.center = { .call(center, [$0, $1, $2, $3] + $4) }
      self.centerSquare = { .call(centerSquare, [$0, $1]) }
      self.update = { .call(update, $0.list + $1) }
      self.norm = { .call(norm, [$0, $1, .index($2)]) }
      self.weakest = { .call(weakest, [$0, $1]) }
      self.link = { .call(link, [$0, $1, $2] + $3) }
    }
  }

  // MARK: before the rounds

  /// Arguments: the image, its first memberships [pixels, hyperedges], the memberships, the pixels' squared norms.
  private func startFunction(in program: inout ProgramBuilder) -> String {
    let edges = clustering.hyperedges
    return program.function(
      "fuzzy_start_\(shape)",
      [
        .input("input", count: inputCount), .input("first", count: pixels * edges),
        .output("memberships", count: membershipCount), .output("squares", count: pixels),
      ]
    ) { builder in
      builder.loop("pixel", 0, .constant(pixels)) { builder, pixel in
        let square = builder.register("square", .f32, .f32(0))
        builder.loop("c", 0, .constant(channels)) { builder, c in
          let x = builder.let("x", .f32, .load("input", pixel * pixelStride + c, .f32))
          builder.assign(square, .fma(x, x, .variable(square)))
        }
        builder.store("squares", pixel, .variable(square))
        let sum = builder.register("sum", .f32, .f32(0))
        builder.loop("edge", 0, .constant(edges)) { builder, edge in
          builder.assign(sum, .variable(sum) + .load("first", pixel * edges + edge, .f32))
        }
        let total = builder.let("total", type, splat(.variable(sum)))
        forEachVector(&builder) { builder, vector, mask in
          let first = LoopValue.load(buffer: "first", pixel * edges + vector * lanes, type, mask: mask)
          builder.store("memberships", pixel * rowCount + vector * lanes, masked(first / total, mask))
        }
      }
    }
  }

  // MARK: a round

  /// The sums of squared memberships of an image; they divide nothing in the padding. Arguments: memberships, sums.
  private func sumFunction(in program: inout ProgramBuilder) -> String {
    program.function(
      "fuzzy_sums_p\(pixels)_k\(clustering.hyperedges)",
      [.input("memberships", count: membershipCount), .output("sums", count: rowCount)]
    ) { builder in
      forEachVector(&builder) { builder, vector, mask in
        let sum = builder.register("sum", type, .f32(0, lanes: lanes))
        builder.loop("pixel", 0, .constant(pixels)) { builder, pixel in
          let value = builder.let("value", type, .load("memberships", pixel * rowCount + vector * lanes, type))
          builder.assign(sum, .fma(value, value, .variable(sum)))
        }
        let total = mask.map { LoopValue.select($0, .variable(sum), .f32(1, lanes: lanes)) } ?? .variable(sum)
        builder.store("sums", vector * lanes, total)
      }
    }
  }

  /// Arguments: the image, memberships, sums, centres, and the share if there are several.
  private func centerFunction(in program: inout ProgramBuilder) -> String {
    program.function(
      "fuzzy_centers_\(centerTiles.name)_\(shape)",
      [
        .input("input", count: inputCount), .input("memberships", count: membershipCount),
        .input("sums", count: rowCount), .output("centers", count: centerCount),
      ] + centerTiles.parameters
    ) { builder in
      centerTiles.loop(&builder) { builder, first, rows in
        centerTiles.panels(&builder) { builder, vector, width, _ in
          let sums = product(&builder, rows: rows, width: width, depth: pixels) { builder, pixel, place in
            let value = builder.let(
              "value", type,
              .load("memberships", pixel * rowCount + vector * lanes + .constant(place * lanes), type))
            return value * value
          } input: { row, pixel in
            pixel * pixelStride + first + .constant(row)
          }
          for (row, names) in sums.enumerated() {
            for (place, name) in names.enumerated() {
              let column = vector * lanes + .constant(place * lanes)
              builder.store(
                "centers", (first + .constant(row)) * rowCount + column,
                .variable(name) / .load("sums", column, type))
            }
          }
        }
      }
    }
  }

  /// The centres' squared norms. Arguments: centres, squares.
  private func centerSquareFunction(in program: inout ProgramBuilder) -> String {
    program.function(
      "fuzzy_center_squares_c\(channels)_k\(clustering.hyperedges)",
      [.input("centers", count: centerCount), .output("squares", count: rowCount)]
    ) { builder in
      forEachVector(&builder) { builder, vector, _ in
        let sum = builder.register("sum", type, .f32(0, lanes: lanes))
        builder.loop("c", 0, .constant(channels)) { builder, c in
          let value = builder.let("value", type, .load("centers", c * rowCount + vector * lanes, type))
          builder.assign(sum, .fma(value, value, .variable(sum)))
        }
        builder.store("squares", vector * lanes, .variable(sum))
      }
    }
  }

  /// New memberships in place of the old ones, and each pixel's squared change. Arguments: the image, centres, their
  /// squares, the pixels' squares, memberships, changes, scratch, and the share if there are several.
  private func membershipFunction(in program: inout ProgramBuilder) -> String {
    program.function(
      "fuzzy_memberships_\(pixelTiles.name)_\(shape)",
      [
        .input("input", count: inputCount), .input("centers", count: centerCount),
        .input("center_squares", count: rowCount), .input("squares", count: pixels),
        LoopParameter("memberships", .view(.readWrite, .f32, count: membershipCount, range: nil)),
        .output("changes", count: pixels),
        LoopParameter("nearness", .view(.readWrite, .f32, count: scratchCount, range: nil)),
      ] + pixelTiles.parameters
    ) { builder in
      pixelTiles.loop(&builder) { builder, first, rows in
        pixelTiles.panels(&builder) { builder, vector, width, isLast in
          nearness(&builder, first: first, rows: rows, vector: vector, width: width, isLast: isLast)
        }
        builder.loop("row", 0, .constant(rows)) { builder, row in normalize(&builder, first: first, row: row) }
      }
    }
  }

  /// The reciprocals of squared distances between a tile's pixels and a panel's centres.
  private func nearness(
    _ builder: inout LoopBuilder, first: LoopIndex, rows: Int, vector: LoopIndex, width: Int, isLast: Bool
  ) {
    let products = product(&builder, rows: rows, width: width, depth: channels) { _, c, place in
      .load("centers", c * rowCount + vector * lanes + .constant(place * lanes), type)
    } input: { row, c in
      first * pixelStride + .constant(row * pixelStride) + c
    }
    for (row, names) in products.enumerated() {
      let square = builder.let("square", type, splat(.load("squares", first + .constant(row), .f32)))
      for (place, name) in names.enumerated() {
        let column = vector * lanes + .constant(place * lanes)
        let squares = square + .load("center_squares", column, type)
        let distance = LoopValue.fma(.f32(-2, lanes: lanes), .variable(name), squares)
        // The distance is the second operand: if it is NaN, the result is NaN.
        let clamped = LoopValue.maximum(.f32(clustering.leastDistance, lanes: lanes), distance)
        let mask = isLast && place == width - 1 ? rest.map { LoopValue.firstLanes(.constant($0), lanes: lanes) } : nil
        builder.store("nearness", column + .constant(row * rowCount), masked(.f32(1, lanes: lanes) / clamped, mask))
      }
    }
  }

  /// Divides a row by its sum, and puts it in place of the pixel's memberships.
  private func normalize(_ builder: inout LoopBuilder, first: LoopIndex, row: LoopIndex) {
    let sum = builder.register("sum", type, .f32(0, lanes: lanes))
    builder.loop("vector", 0, .constant(vectors)) { builder, vector in
      builder.assign(sum, .variable(sum) + .load("nearness", row * rowCount + vector * lanes, type))
    }
    let total = builder.let("total", .f32, lanes == 1 ? .variable(sum) : .reduce(.add, .variable(sum)))
    let factor = builder.let("factor", type, splat(.f32(1) / total))
    let change = builder.register("change", type, .f32(0, lanes: lanes))
    forEachVector(&builder) { builder, vector, mask in
      let value = builder.let(
        "value", type, .load("nearness", row * rowCount + vector * lanes, type) * factor)
      // If a sum overflows or features are NaN, hyperedges cannot be compared.
      let even = LoopValue.f32(1 / Double(clustering.hyperedges), lanes: lanes)
      let known = LoopValue.select(.compare(.equal, value, value), value, even)
      let new = builder.let("new", type, masked(known, mask))
      let place = (first + row) * rowCount + vector * lanes
      let difference = builder.let("difference", type, new - .load("memberships", place, type))
      builder.assign(change, .fma(difference, difference, .variable(change)))
      builder.store("memberships", place, new)
    }
    let total2 = lanes == 1 ? LoopValue.variable(change) : .reduce(.add, .variable(change))
    builder.store("changes", first + row, total2)
  }

  /// How much a round changed the memberships of the batch; infinite for the first round. Arguments: the changes of all
  /// `images`, the norm, the round.
  private func normFunction(images: Int, in program: inout ProgramBuilder) -> String {
    program.function(
      "fuzzy_norm_\(images * pixels)",
      [
        .input("changes", count: images * pixels), .output("norm", count: 1),
        LoopParameter("round", .index(0...(clustering.mostRounds - 1))),
      ]
    ) { builder in
      let sum = CompensatedSum(&builder, .f32)
      builder.loop("pixel", 0, .constant(images * pixels)) { builder, pixel in
        sum.add(&builder, .load("changes", pixel, .f32))
      }
      builder.ifIndex([LoopComparison(.variable("round"), .greater, 0)]) { builder in
        builder.store("norm", 0, .unary(.squareRoot, sum.value))
      } else: { builder in
        builder.store("norm", 0, .f32(.infinity))
      }
    }
  }

  // MARK: pieces

  /// A register tile: accumulator (row, place) is the sum over k of the input at (row, k) times the vector at (k, place).
  func product(
    _ builder: inout LoopBuilder, rows: Int, width: Int, depth: Int,
    weight: (inout LoopBuilder, LoopIndex, Int) -> LoopValue, input: (Int, LoopIndex) -> LoopIndex
  ) -> [[String]] {
    let names = (0..<rows).map { row in
      (0..<width).map { builder.register("acc_\(row)_\($0)", type, .f32(0, lanes: lanes)) }
    }
    builder.loop("k", 0, .constant(depth)) { builder, k in
      let weights = (0..<width).map { place in
        let value = weight(&builder, k, place)
        return builder.let("w_\(place)", type, value)
      }
      for row in 0..<rows {
        let x = builder.let("x_\(row)", type, splat(.load("input", input(row, k), .f32)))
        for place in 0..<width {
          builder.assign(names[row][place], .fma(x, weights[place], .variable(names[row][place])))
        }
      }
    }
    return names
  }

  /// Every vector of a row of hyperedges; the last one comes separately, with a mask, if it is not full.
  func forEachVector(
    _ builder: inout LoopBuilder, _ body: (inout LoopBuilder, LoopIndex, LoopValue?) -> Void
  ) {
    builder.loop("vector", 0, .constant(rest == nil ? vectors : vectors - 1)) { builder, vector in
      body(&builder, vector, nil)
    }
    if let rest { body(&builder, .constant(vectors - 1), .firstLanes(.constant(rest), lanes: lanes)) }
  }

  func masked(_ value: LoopValue, _ mask: LoopValue?) -> LoopValue {
    mask.map { .select($0, value, .f32(0, lanes: lanes)) } ?? value
  }

  func splat(_ value: LoopValue) -> LoopValue { lanes == 1 ? value : .splat(value, lanes: lanes) }
}
