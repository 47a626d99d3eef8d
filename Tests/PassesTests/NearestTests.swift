import Frontends
import IR
import Testing

@testable import Passes

/// Graphs of indices and the products after them, lowered, proved and run in the loop interpreter: neighbours equal to
/// the reference's, one by one, and the same bits by every lowering and any number of workers.
@Suite struct NearestTests {
  /// One KNN over an image, as ViG (candidates are the pixels) or Pyramid ViG (a pooled copy, positions) has it.
  struct Case: CustomTestStringConvertible, Sendable {
    var name: String
    var shape: [Int]
    var k: Int
    var dilation = 1
    /// Side of the windows that make candidates; 1 takes the pixels themselves.
    var pool = 1
    var hasPositions = false
    /// Positions depend on the input, so that they are no constant.
    var computesPositions = false
    var direction = Aggregate.Direction.neighborMinusSelf
    var start: Double?
    /// The distinct pixels of an image, which repeat; nil where all differ.
    var distinct: Int?
    /// Every so many a pixel is infinite in its first channel, which makes its distances NaN.
    var infiniteEvery: Int?

    var testDescription: String { name }

    func graph() throws -> Graph {
      var graph = Graph(name: "nearest")
      let x = graph.addInput(TensorType(.f32, shape), name: "x")
      var data: [ValueID] = []
      if pool > 1 { data = try graph.add(AveragePool(kernel: [pool, pool], strides: [pool, pool]), [x]) }
      if hasPositions {
        if data.isEmpty { data = [x] }
        let others = graph.tensorType(of: data[0]).shape
        let type = TensorType(.f32, [1, shape[2] * shape[3], others[2] * others[3]])
        var positions = try graph.add(Constant(type: type, source: .named("positions")), [], name: "positions")
        if computesPositions {
          let mean = try graph.add(Reduce(kind: .mean, axes: [0, 1, 2, 3], keepDims: true), [x])
          let scalar = try graph.add(Reshape(shape: [1, 1, 1]), mean)
          positions = try graph.add(Add(), positions + graph.add(Broadcast(shape: type.shape), scalar))
        }
        data += positions
      }
      let knn = KNN(k: k, dilation: dilation)
      let n = try graph.add(BuildNeighborhood(construction: knn), [x] + data, name: "n", layer: "n")
      let op = Aggregate(kind: .maxRelative, direction: direction, start: start)
      let a = try graph.add(op, [x] + n + (pool > 1 ? [data[0]] : []), name: "a")
      graph.outputs = try a + graph.add(Links(), n)
      LoweringTests.fillWeights(&graph, seed: 5)
      return graph
    }

    var values: [Float] {
      let pixels = shape[2] * shape[3]
      var values = SyntheticWeights(seed: 9).uniform("x", count: shape.reduce(1, *))
      for place in values.indices {
        let pixel = place % pixels
        if let distinct { values[place] = values[place - pixel + pixel % distinct] }
        if let infiniteEvery, place / pixels % shape[1] == 0, pixel % infiniteEvery == 1 { values[place] = .infinity }
      }
      return values
    }
  }

  static let cases = [
    Case(name: "few of the pixels", shape: [2, 3, 5, 7], k: 3),
    Case(name: "dilated, channels over several vectors", shape: [1, 37, 6, 9], k: 4, dilation: 3, start: 0),
    Case(name: "all candidates", shape: [1, 5, 5, 7], k: 7, dilation: 5, direction: .selfMinusNeighbor),
    Case(name: "all but a few", shape: [1, 13, 6, 9], k: 9, dilation: 5),
    Case(name: "one candidate", shape: [1, 4, 1, 1], k: 1),
    Case(name: "nearest only", shape: [1, 4, 3, 11], k: 1, start: -0.25),
    Case(name: "pooled, all candidates", shape: [2, 11, 4, 6], k: 3, dilation: 2, pool: 2),
    Case(name: "pooled, with positions", shape: [1, 21, 10, 14], k: 9, pool: 2, hasPositions: true),
    Case(name: "positions over the pixels", shape: [2, 9, 7, 5], k: 6, dilation: 2, hasPositions: true),
    Case(name: "computed positions", shape: [1, 9, 8, 10], k: 9, pool: 2, hasPositions: true, computesPositions: true),
    Case(name: "many candidates", shape: [1, 6, 13, 17], k: 9, dilation: 2),
    Case(name: "ties at the threshold", shape: [1, 4, 6, 9], k: 5, distinct: 2),
    Case(name: "ties behind nearer ones", shape: [1, 4, 6, 9], k: 10, dilation: 2, distinct: 3),
    Case(name: "ties everywhere", shape: [1, 7, 6, 9], k: 5, dilation: 3, distinct: 1),
    Case(name: "ties in pairs", shape: [1, 7, 6, 10], k: 9, dilation: 2, distinct: 30),
    Case(name: "some at no distance", shape: [1, 3, 6, 9], k: 9, infiniteEvery: 4),
    Case(name: "too few at a distance", shape: [1, 3, 6, 9], k: 10, dilation: 5, infiniteEvery: 2),
  ]

  private func run(
    _ graph: Graph, _ values: [Float], _ target: Target, _ lowering: NearestLowering, workers: Int
  ) throws -> [[Float]] {
    var manager = PassManager()
    let requests = LoweringRequests(["n": lowering.rawValue])
    let optimized = try manager.run(Pipeline.passes(for: target, lowerings: requests), on: graph)
    let kernels = optimized.nodes.compactMap { ($0.op as? Fuse)?.kernel }
    #expect(kernels.contains("nearest") && kernels.contains("indexed_max_relative"))
    let program = try GraphLowering.lower(optimized, for: CompilationTarget(target: target, workers: workers))
    try program.verify(target: target)
    let interpreter = try LoopInterpreter(program: program, target: target)
    let found = try interpreter.run(floats: ["input": values])
    // What lies in memory before, and the order of the tasks, must not matter.
    let again = try interpreter.run(floats: ["input": values], poison: .random(seed: 3), reversesParallelLoops: true)
    return try ["output_0", "output_1"].map { name in
      let output = try #require(found[name])
      #expect(output.map(\.bitPattern) == again[name]?.map(\.bitPattern))
      return output
    }
  }

  @Test(arguments: cases, LoweringTests.targets) func neighboursAreTheReferences(_ test: Case, _ name: String) throws {
    let graph = try test.graph()
    let target = try Target.named(name)
    let values = test.values
    let input = Tensor(shape: test.shape, real: values.map(Double.init))
    let expected = try GraphInterpreter<Double>().run(graph, inputs: [input])
    var results: [[[UInt32]]] = []
    for lowering in NearestLowering.allCases {
      for workers in [1, 3] {
        let found = try run(graph, values, target, lowering, workers: workers)
        #expect(found[1].map(Double.init) == expected[1].real, "\(lowering), \(workers) workers")
        if test.infiniteEvery == nil {
          for (a, b) in zip(found[0], expected[0].real) { #expect(abs(Double(a) - b) < 1e-6) }
        }
        results.append(found.map { $0.map(\.bitPattern) })
      }
    }
    for result in results { #expect(result == results[0]) }
  }

  @Test func distancesThatRepeatTakeTheLowerIndex() throws {
    let test = try #require(Self.cases.first { $0.name == "ties at the threshold" })
    let links = try GraphInterpreter<Double>().run(
      try test.graph(), inputs: [Tensor(shape: test.shape, real: test.values.map(Double.init))])[1].real
    // Two kinds of pixels take turns, so each finds the first five of its own kind.
    #expect(Array(links[..<10]) == [0, 2, 4, 6, 8, 1, 3, 5, 7, 9])
  }

  @Test func streamedDistancesNeedNoMatrix() throws {
    let test = Case(name: "", shape: [1, 8, 30, 40], k: 9)
    var graph = try test.graph()
    graph.outputs = [graph.outputs[0]]
    let target = try Target.named("avx2")
    func largestBuffer(_ lowering: NearestLowering) throws -> Int {
      var manager = PassManager()
      let requests = LoweringRequests(["*": lowering.rawValue])
      let optimized = try manager.run(Pipeline.passes(for: target, lowerings: requests), on: graph.compacted())
      let program = try GraphLowering.lower(optimized, for: CompilationTarget(target: target, workers: 2))
      return program.buffers.map(\.count).max() ?? 0
    }
    #expect(try largestBuffer(.fullMatrix) == 1200 * 1200)
    #expect(try largestBuffer(.streamed) < 1200 * 1200 / 16)
  }

  @Test func sharedPositionsArePackedOnce() throws {
    var graph = Graph(name: "shared")
    let x = graph.addInput(TensorType(.f32, [1, 12, 6, 10]), name: "x")
    let type = TensorType(.f32, [1, 60, 60])
    let positions = try graph.add(Constant(type: type, source: .named("positions")), [], name: "positions")
    for (name, k) in [("a", 9), ("b", 5)] {
      let n = try graph.add(BuildNeighborhood(construction: KNN(k: k)), [x, x] + positions, name: name, layer: name)
      graph.outputs += try graph.add(Aggregate(kind: .maxRelative, direction: .neighborMinusSelf, start: nil), [x] + n)
    }
    LoweringTests.fillWeights(&graph, seed: 5)
    let target = try Target.named("avx2")
    var manager = PassManager()
    let optimized = try manager.run(Pipeline.passes(for: target), on: graph)
    let program = try GraphLowering.lower(optimized, for: CompilationTarget(target: target, workers: 1))
    let weights = program.buffers.filter { $0.storage == .weights }
    #expect(weights.map(\.count) == [60 * 64])
  }

  @Test func blocksCoverTheirPixelsEvenly() {
    for pixels in 1...200 {
      for candidates in [1, 49, 196, 784, 3136] {
        let block = NearestFunctions.blockPixels(pixels: pixels, candidates: candidates)
        #expect((1...min(pixels, 64)).contains(block))
        #expect(block <= 32 || block * candidates <= 16384)
      }
    }
    #expect(NearestFunctions.blockPixels(pixels: 3136, candidates: 196) == 64)
    #expect(NearestFunctions.blockPixels(pixels: 196, candidates: 196) == 49)
  }

  @Test func costsFollowWhatStaysNear() {
    func cheapest(_ pixels: Int, _ candidates: Int, _ channels: Int) -> String? {
      IndicesCost(pixels: pixels, candidates: candidates, channels: channels).lowerings
        .min { $0.cost < $1.cost }?.name
    }
    #expect(cheapest(3136, 196, 48) == "streamed_top_k")
    #expect(cheapest(3136, 3136, 48) == "streamed_top_k")
    // 1024 x 1024: distances of all pixels would take 67 MB, and the arena would grow with the square of the pixels.
    for side in [32, 48, 64, 128] { #expect(cheapest(side * side, side * side, 192) == "streamed_top_k") }
    #expect(cheapest(196, 196, 192) == "streamed_top_k")
    // Blocks of 32 pixels would read two million floats twice.
    #expect(cheapest(64, 4096, 512) == "full_matrix")
  }

  // MARK: Products, sums and pools around them

  /// `count` images side by side, their channels in turns.
  private static func interleaved(_ graph: inout Graph, _ images: [ValueID]) throws -> ValueID {
    let shape = graph.tensorType(of: images[0]).shape
    let flat = try images.map { try graph.add(Reshape(shape: [shape[0], shape[1], 1, shape[2] * shape[3]]), [$0])[0] }
    let joint = try graph.add(Concat(axis: 2), flat)
    return try graph.add(Reshape(shape: [shape[0], shape[1] * images.count, shape[2], shape[3]]), joint)[0]
  }

  /// Channels of each image, outputs, groups; what the vectors divide and what they do not.
  static let groupings = [(12, 20, 4), (6, 96, 4), (10, 15, 5), (9, 9, 3), (16, 64, 8), (5, 24, 1), (48, 96, 4)]

  @Test(arguments: LoweringTests.targets, groupings) func groupedProducts(
    _ target: String, _ grouping: (channels: Int, outputs: Int, groups: Int)
  ) throws {
    for (images, size, workers) in [(1, [5, 7], 1), (2, [5, 7], 3), (3, [3, 2], 2), (2, [1, 1], 1)]
    where images * grouping.channels % grouping.groups == 0 {
      let graph = try LoweringTests.graph([2, 3] + size) { graph, x in
        let parts = try (0..<images).map {
          try LoweringTests.convolution(&graph, x, "part_\($0)", outputs: grouping.channels)
        }
        let joint = images == 1 ? parts[0] : try Self.interleaved(&graph, parts)
        let product = try LoweringTests.convolution(
          &graph, joint, "grouped", outputs: grouping.outputs, groups: grouping.groups)
        let active = try graph.add(Sigmoid(), [product])[0]
        let residual = try LoweringTests.convolution(&graph, x, "residual", outputs: grouping.outputs)
        return try graph.add(Add(), [active, residual])
      }
      #expect(try LoweringTests.error(graph, target: target, workers: workers) < 2e-6)
      #expect(try Self.plainOps(graph, target: target).isEmpty)
    }
  }

  /// What is left as plain loops, but for what converts at the borders.
  private static func plainOps(_ graph: Graph, target: String) throws -> [String] {
    var graph = graph
    LoweringTests.fillWeights(&graph, seed: 0)
    var manager = PassManager()
    let optimized = try manager.run(Pipeline.passes(for: try Target.named(target)), on: graph)
    return optimized.nodes.filter { !($0.op is Fuse || $0.op is Constant || $0.op is ConvertLayout) }
      .map(\.op.mnemonic)
  }

  @Test(arguments: LoweringTests.targets, [1, 2]) func embeddedPositions(_ target: String, _ batch: Int) throws {
    for kernel in [[3, 3], [1, 1]] {
      let graph = try LoweringTests.graph([batch, 3, 5, 7]) { graph, x in
        let padding = kernel == [3, 3] ? [1, 1, 1, 1] : [0, 0, 0, 0]
        let stem = try LoweringTests.convolution(&graph, x, "stem", outputs: 11, kernel: kernel, padding: padding)
        let type = TensorType(.f32, [1, 11, 5, 7])
        let positions = try graph.add(Constant(type: type, source: .named("pos_embed")), [], name: "pos_embed")
        let sum = try graph.add(Add(), [stem] + positions)[0]
        return [try LoweringTests.convolution(&graph, sum, "next", outputs: 6)]
      }
      #expect(try LoweringTests.error(graph, target: target) < 2e-6)
      // Products of single pixels run over the whole batch at once and cannot repeat an image.
      if batch == 1 || kernel == [3, 3] { #expect(try Self.plainOps(graph, target: target).isEmpty) }
    }
  }

  @Test(arguments: LoweringTests.targets, [1, 3]) func averagePools(_ target: String, _ workers: Int) throws {
    for (kernel, strides) in [([2, 2], [2, 2]), ([3, 2], [2, 1]), ([1, 4], [3, 4]), ([7, 9], [1, 1])] {
      let graph = try LoweringTests.graph([2, 13, 7, 9]) { graph, x in
        let a = try LoweringTests.convolution(&graph, x, "a", outputs: 11)
        return try graph.add(AveragePool(kernel: kernel, strides: strides), [a])
      }
      #expect(try LoweringTests.error(graph, target: target, workers: workers) < 2e-6)
      #expect(try Self.plainOps(graph, target: target).isEmpty)
    }
  }
}
