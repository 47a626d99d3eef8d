import IR

/// Hyperedges by fuzzy c-means over the batch: rounds until the memberships hardly change, then the members of each
/// hyperedge. Tasks share the channels of the centres and the pixels of the memberships.
struct FuzzyCMeansKernel: Kernel {
  static let name: KernelName = "fuzzy_c_means"
  static let summary = "hyperedges by rounds of two products; tasks are channels, then pixels"
  static let phase = KernelPhase.operations

  let site: FuseSite
  let choice: LoweringChoice?
  private let clustering: FuzzyClustering
  /// What it reads outside: the features and the first memberships.
  private let features: ValueID
  private let memberships: ValueID

  init(_ site: FuseSite) throws {
    self.site = site
    let (build, node) = try site.onlyNode(BuildNeighborhood.self)
    guard let clustering = build.construction.clustering, node.operands.count == 2,
      let image = site.tensor(node.operands[0]), image.element == .f32, image.rank == 4
    else { throw site.diagnostic("builds a hypergraph by a clustering that it knows") }
    self.clustering = clustering
    features = try site.outerOperand(0, of: node)
    memberships = try site.outerOperand(1, of: node)
    choice = try site.schedule(LoweringSchedule<FuzzyCMeansFunctions.Lowering>.self).choice
  }

  static func match(_ node: Node, in rewriter: GraphRewriter) -> KernelMatch? {
    guard let clustering = (node.op as? BuildNeighborhood)?.construction.clustering,
      rewriter.isImage(node.operands[0])
    else { return nil }
    let candidate = LoweringCandidate(
      FuzzyCMeansFunctions.Lowering.products.rawValue,
      cost: Double(2 * clustering.mostRounds * clustering.hyperedges),
      reason: "at most \(clustering.mostRounds) rounds of two products with \(clustering.hyperedges) centres")
    return KernelMatch(nodes: [node], candidates: [candidate])
  }

  /// Working memory of all images of a batch, and of one.
  private struct Memory {
    let memberships: String
    let squares: String
    let sums: String
    let centers: String
    let centerSquares: String
    let changes: String
    let norm: String
    let weakest: String
    let nearness: String

    init(_ functions: FuzzyCMeansFunctions, images: Int, in program: inout ProgramBuilder) {
      memberships = program.buffer("memberships", .arena, count: images * functions.membershipCount)
      squares = program.buffer("pixel_squares", .arena, count: images * functions.pixels)
      sums = program.buffer("membership_sums", .arena, count: functions.rowCount)
      centers = program.buffer("centers", .arena, count: functions.centerCount)
      centerSquares = program.buffer("center_squares", .arena, count: functions.rowCount)
      changes = program.buffer("changes", .arena, count: images * functions.pixels)
      norm = program.buffer("change_norm", .arena, count: 1)
      weakest = program.buffer("weakest", .arena, count: 1)
      nearness = program.buffer("nearness", .scratch, count: functions.scratchCount)
    }
  }

  func lower(_ node: Node, into lowering: inout GraphLowering) throws {
    let shape = lowering.graph.tensorType(of: features).shape
    let images = shape[0]
    let functions = FuzzyCMeansFunctions(
      pixels: shape[2] * shape[3], channels: shape[1], pixelStride: lowering.padded(shape[1]),
      clustering: clustering, workers: lowering.workers, target: lowering.target)
    let pixels = functions.pixels
    let links = (count: pixels * clustering.hyperedges, input: lowering.image(features))
    let first = lowering.buffer(for: memberships)
    let result = lowering.buffer(for: node.results[0])
    let memory = Memory(functions, images: images, in: &lowering.program)
    let calls = FuzzyCMeansFunctions.Calls(functions, images: images, in: &lowering.program)

    func all(_ buffer: String) -> LoopArgument { .view(buffer: buffer, 0) }
    func own(_ buffer: String, _ image: LoopIndex, _ count: Int) -> LoopArgument {
      .view(buffer: buffer, image * count)
    }
    func source(_ image: LoopIndex) -> LoopArgument { own(links.input.buffer, image, links.input.imageElements) }
    func table(_ image: LoopIndex) -> LoopArgument { own(memory.memberships, image, functions.membershipCount) }
    func squares(_ image: LoopIndex) -> LoopArgument { own(memory.squares, image, pixels) }
    lowering.write { entry, _ in
      entry.loop("image", 0, .constant(images)) { builder, image in
        builder.append(calls.start(source(image), own(first, image, links.count), table(image), squares(image)))
      }
      entry.store(memory.norm, 0, .f32(.infinity))
      let isSettled = LoopValue.compare(.less, .load(memory.norm, 0, .f32), .f32(clustering.leastChange))
      entry.loop("round", atMost: clustering.mostRounds, while: .unary(.not, isSettled)) { builder, round in
        builder.loop("image", 0, .constant(images)) { builder, image in
          builder.append(calls.sum(table(image), all(memory.sums)))
          functions.centerTiles.overShares(&builder) {
            calls.center(source(image), table(image), all(memory.sums), all(memory.centers), $0)
          }
          builder.append(calls.centerSquare(all(memory.centers), all(memory.centerSquares)))
          functions.pixelTiles.overShares(&builder) { share in
            calls.update(
              FuzzyCMeansFunctions.UpdateArguments(
                image: source(image), centers: all(memory.centers), centerSquares: all(memory.centerSquares),
                squares: squares(image), memberships: table(image), changes: own(memory.changes, image, pixels),
                nearness: all(memory.nearness)), share)
          }
        }
        builder.append(calls.norm(all(memory.changes), all(memory.norm), round))
      }
      entry.append(calls.weakest(all(memory.memberships), all(memory.weakest)))
      entry.loop("image", 0, .constant(images)) { builder, image in
        functions.pixelTiles.overShares(&builder) {
          calls.link(table(image), all(memory.weakest), own(result, image, links.count), $0)
        }
      }
    }
  }
}

extension GraphRewriter {
  /// Whether a value is a batch of float32 images, as kernels read them.
  func isImage(_ value: ValueID) -> Bool {
    graph.type(of: value).tensor.map { $0.element == .f32 && $0.rank == 4 } ?? false
  }
}
