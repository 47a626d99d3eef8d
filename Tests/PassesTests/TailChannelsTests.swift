import Frontends
import IR
import Testing

@testable import Passes

/// Output channels after the last whole vector, summed along the reduction where that is cheaper than padding.
@Suite struct TailChannelsTests {
  /// What each target leaves over, of these channels after a reduction of this depth.
  @Test(arguments: [
    ("avx2", 168, 42, 2), ("avx2", 336, 84, 4), ("avx2", 168, 47, 0), ("avx2", 12, 42, 0), ("avx2", 168, 48, 0),
    ("avx2", 168, 3, 3), ("avx512", 336, 84, 4), ("avx512", 672, 168, 8), ("avx512", 168, 42, 0),
    ("scalar", 168, 42, 0),
  ])
  func areChosenByCost(_ target: String, _ depth: Int, _ channels: Int, _ tail: Int) throws {
    let cost = ProductCost(target: try Target.named(target), depth: depth)
    #expect(cost.tailChannels(of: channels) == tail)
    for pixels in [1, 2, 7, 49, 3136] {
      let schedule = cost.schedule(pixels: pixels, channels: channels)
      let tiles = try #require(schedule.tail ?? (tail == 0 ? [] : nil))
      #expect(tiles.reduce(0) { $0 + $1.pixels * $1.count } == (tail == 0 ? 0 : pixels))
      let vectors = schedule.panels.reduce(0) { $0 + $1.vectors * $1.count }
      #expect(vectors == ceilDivide(channels - tail, cost.target.lanes))
    }
  }

  /// A product of depth 41 with these outputs, a residual and an op that does not keep padding zero after it; then one
  /// of two inputs, joined; then one of a single pixel to an output without padding.
  private static func graph(outputs: Int, batch: Int = 2) throws -> Graph {
    try LoweringTests.graph([batch, 41, 5, 7]) { graph, x in
      let a = try LoweringTests.convolution(&graph, x, "a", outputs: outputs)
      let b = try LoweringTests.convolution(&graph, x, "b", outputs: outputs)
      let sum = try graph.add(Sigmoid(), [try graph.add(Add(), [a, b])[0]])[0]
      let joined = try graph.add(Concat(axis: 1), [x, sum])[0]
      let c = try LoweringTests.convolution(&graph, joined, "c", outputs: outputs)
      let pooled = try graph.add(GlobalAveragePool(), [c])[0]
      let d = try LoweringTests.convolution(
        &graph, try graph.add(Concat(axis: 1), [pooled, pooled, pooled])[0], "d", outputs: outputs)
      return [try graph.add(Reshape(shape: [batch, outputs]), [d])[0], c]
    }
  }

  @Test(arguments: ["avx2", "avx512"], [1, 2]) func areRight(_ target: String, _ workers: Int) throws {
    var summed: Set<Int> = []
    for outputs in [1, 9, 10, 11, 12, 17, 18, 20, 24, 34] {
      let graph = try Self.graph(outputs: outputs)
      #expect(try LoweringTests.error(graph, target: target, workers: workers) < 2e-6)
      if try Self.lower(graph, target: target).valueFunctions.contains(where: { $0.name.hasPrefix("lane_sums_") }) {
        summed.insert(outputs % (target == "avx2" ? 8 : 16))
      }
    }
    #expect(summed.isSuperset(of: [1, 2]) && !summed.contains(0))
  }

  /// Groups that share vectors, the last share smaller than the others and with a depth of its own.
  @Test(arguments: ["avx2", "avx512"], [1, 2]) func areRightOfGroups(_ target: String, _ workers: Int) throws {
    let graph = try LoweringTests.graph([2, 192, 5, 7]) { graph, x in
      [try LoweringTests.convolution(&graph, x, "grouped", outputs: 12, groups: 3)]
    }
    #expect(try LoweringTests.error(graph, target: target, workers: workers) < 2e-6)
    let program = try Self.lower(graph, target: target, workers: workers)
    #expect(program.valueFunctions.contains { $0.name.hasPrefix("lane_sums_4_") } == (target == "avx2"))
  }

  /// Weights larger than the first cache: those left over are asked for too, and nothing after them.
  @Test(arguments: [1, 2]) func areRightWithHints(_ workers: Int) throws {
    let graph = try LoweringTests.graph([1, 600, 7, 7]) { graph, x in
      [try LoweringTests.convolution(&graph, x, "a", outputs: 42)]
    }
    #expect(try LoweringTests.error(graph, target: "avx2", workers: workers) < 2e-6)
    let text = try Self.lower(graph, target: "avx2", workers: workers).text
    #expect(text.contains("prefetch weights[") && text.contains("lane_sums_2_f32x8"))
  }

  /// Lanes after the last channel are zeros, whatever the epilogue makes of a zero.
  @Test(arguments: ["avx2", "avx512"]) func leaveZerosBehindThem(_ name: String) throws {
    let target = try Target.named(name)
    let lanes = target.lanes
    let depth = 80
    let channels = lanes + 1
    var program = ProgramBuilder(name: "product", target: target, workers: 1)
    let schedule = program.schedule(depth: depth, pixels: 5, channels: channels)
    #expect(schedule.tail != nil)
    let panels = ProductPanels(schedule: schedule, lanes: lanes, channels: channels)
    var epilogue = Epilogue()
    epilogue.steps = [.unary(Sigmoid())]
    let input = program.buffer("input", .input, count: 5 * depth)
    let output = program.buffer("output", .output, count: 5 * 2 * lanes)
    let weights = program.constant("weights", panels.pack(pieces: [depth]) { Float($0 + $1) / 100 })
    let bias = program.constant("bias", panels.pack { _ in 1 })
    let kernel = PointwiseFunction(
      pixels: 5, segments: [.init(channels: depth, stride: depth)], outputStride: 2 * lanes, epilogue: epilogue,
      panels: panels)
    func all(_ buffer: String) -> LoopArgument { .view(buffer: buffer, 0) }
    let call = kernel.call(
      ProductArguments(
        inputs: [all(input)], weights: all(weights), bias: all(bias), residuals: [], channelVectors: [],
        output: all(output)), in: &program)
    program.entry.append(call)
    let finished = program.finished()
    try finished.verify(target: target)
    let values = SyntheticWeights(seed: 1).uniform("image", count: 5 * depth)
    let found = try #require(
      try LoopInterpreter(program: finished, target: target).run(floats: ["input": values])["output"])
    for pixel in 0..<5 {
      let row = found[(pixel * 2 * lanes)..<((pixel + 1) * 2 * lanes)]
      #expect(row.prefix(channels).allSatisfy { $0 > 0 })
      #expect(row.dropFirst(channels).allSatisfy { $0 == 0 })
    }
  }

  private static func lower(_ graph: Graph, target name: String, workers: Int = 1) throws -> LoopProgram {
    var graph = graph
    LoweringTests.fillWeights(&graph, seed: 0)
    let target = try Target.named(name)
    var manager = PassManager()
    let optimized = try manager.run(Pipeline.passes(for: target), on: graph)
    return try GraphLowering.lower(optimized, for: CompilationTarget(target: target, workers: workers))
  }

  /// Threads split channels and batches join pixels: neither may decide how a channel is summed.
  @Test func areTheSameForThreadsAndBatches() throws {
    let target = try Target.named("avx2")
    let images = (0..<2).map { SyntheticWeights(seed: 3).uniform("image_\($0)", count: 41 * 35) }
    func run(batch: Int, workers: Int, _ input: [Float]) throws -> [[Float]] {
      let program = try Self.lower(try Self.graph(outputs: 42, batch: batch), target: "avx2", workers: workers)
      #expect(program.valueFunctions.contains { $0.name == "lane_sums_2_f32x8" })
      let found = try LoopInterpreter(program: program, target: target).run(floats: ["input": input])
      return try ["output_0", "output_1"].map { try #require(found[$0]) }
    }
    let whole = try run(batch: 2, workers: 1, images[0] + images[1])
    for workers in [2, 3, 4] { #expect(try run(batch: 2, workers: workers, images[0] + images[1]) == whole) }
    let single = try images.map { try run(batch: 1, workers: 1, $0) }
    for output in 0..<2 { #expect(single[0][output] + single[1][output] == whole[output]) }
  }

  /// Every lane of the result is the sum that `reduce add` gives, and the lanes after the last are zeros.
  @Test(arguments: [("avx2", 8), ("avx512", 16)]) func laneSumsAreReductions(_ name: String, _ lanes: Int) throws {
    let target = try Target.named(name)
    let type = LoopType(.f32, lanes: lanes)
    for channels in 1...lanes {
      var program = ProgramBuilder(name: "sums", target: target, workers: 1)
      let input = program.buffer("input", .input, count: channels * lanes)
      let output = program.buffer("output", .output, count: lanes + channels)
      let sums = program.valueFunction(TailTile.laneSums(channels: channels, lanes: lanes))
      let vectors = (0..<channels).map { LoopValue.load(input, .constant($0 * lanes), type) }
      program.entry.store(output, 0, .apply(sums, vectors))
      for (channel, vector) in vectors.enumerated() {
        program.entry.store(output, .constant(lanes + channel), .reduce(.add, vector))
      }
      let values = SyntheticWeights(seed: 1).uniform("lanes", count: channels * lanes)
      let finished = program.finished()
      try finished.verify(target: target)
      let found = try #require(
        try LoopInterpreter(program: finished, target: target).run(floats: ["input": values])["output"])
      let expected = Array(found[lanes...]) + [Float](repeating: 0, count: lanes - channels)
      #expect(found[..<lanes].map(\.bitPattern) == expected.map(\.bitPattern))
    }
  }

  /// A tuning comes from a file, which may say anything.
  @Test func tuningsThatDoNotFitAreRefused() throws {
    let target = try Target.named("avx2")
    let product = ProductShape(depth: 168, pixels: 56, channels: 42)
    let good = ProductCost(target: target, depth: 168).schedule(pixels: 56, channels: 42)
    func check(_ product: ProductShape, _ schedule: ProductSchedule) throws {
      try ProductTuning(target: "avx2", winners: [.init(product: product, schedule: schedule)]).validate(for: target)
    }
    try check(product, good)
    for candidate in ProductTuner.candidates(for: product, target: target) { try check(product, candidate) }
    let changes: [(inout ProductShape, inout ProductSchedule) -> Void] = [
      { _, schedule in schedule.tail = nil },
      { _, schedule in schedule.tail?[0].count += 1 },
      { _, schedule in schedule.tail?[0].pixels = 0 },
      { _, schedule in schedule.tail = [.init(pixels: 56, count: 1)] },
      { _, schedule in schedule.panels[0].count = .max },
      { _, schedule in schedule.panels[0].count = 0 },
      { _, schedule in schedule.panels[0].vectors = 0 },
      { _, schedule in schedule.panels[0].tiles = [.init(pixels: 56, count: 1)] },
      { _, schedule in schedule.panels[0].tiles += [.init(pixels: 1, count: 0)] },
      { _, schedule in schedule.panels[0].tiles = [.init(pixels: 1, count: 57), .init(pixels: 1, count: -1)] },
      { _, schedule in schedule.panels[0].vectors = 40 },
      { _, schedule in schedule.panels[0].vectors = -1 },
      { _, schedule in schedule.panels[0].tiles[0].count = .max },
      { _, schedule in schedule.panels[0].tiles[0].pixels = .max },
      { _, schedule in schedule.panels = [] },
      { product, _ in product.channels = 40 },
      { product, _ in product.channels = 48 },
      { product, _ in product.channels = 43 },
      { product, _ in product.pixels = 57 },
      { product, _ in product.depth = .max },
      { product, _ in product.channels = .max },
      { product, _ in product.pixels = 0 },
    ]
    for change in changes {
      var (shape, schedule) = (product, good)
      change(&shape, &schedule)
      #expect(throws: Diagnostic.self) { try check(shape, schedule) }
    }
  }
}
