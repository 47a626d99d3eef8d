import Frontends
import IR
import Testing

@testable import Passes

/// Hypergraphs through passes, lowering, proofs and the loop interpreter, against the graph interpreter in double.
@Suite struct HypergraphLoweringTests {
  /// Images and the memberships that fuzzy c-means starts from.
  struct Case {
    var shape: [Int]
    var hyperedges: Int
    var x: [Float]
    var memberships: [Float]

    var pixels: Int { shape[2] * shape[3] }

    /// Uniform features and memberships.
    init(_ shape: [Int], hyperedges: Int, seed: UInt64) {
      self.shape = shape
      self.hyperedges = hyperedges
      let weights = SyntheticWeights(seed: seed)
      x = weights.uniform("x", count: shape.reduce(1, *))
      let count = shape[0] * shape[2] * shape[3] * hyperedges
      memberships = weights.uniform("memberships", count: count).map { ($0 + 1) / 2 }
    }

    /// Two images of 5 x 7 pixels in 12 clusters around the points 4 and -4 of six axes. In the first, pixel 17 is as far
    /// from all of them and pixel 30 in the middle of two; the second has pixels in three of the clusters only.
    static func clusters(weakPixel: Bool = true) -> Case {
      var result = Case([2, 6, 5, 7], hyperedges: 12, seed: 3)
      for image in 0..<2 {
        for pixel in 0..<35 {
          let cluster = image == 0 ? pixel % 12 : pixel % 3
          var center = [Float](repeating: 0, count: 6)
          func move(_ cluster: Int, _ share: Float) { center[cluster % 6] += (cluster < 6 ? 4 : -4) * share }
          switch (image, pixel) {
          case (0, 17) where weakPixel: break
          case (0, 30):
            move(1, 0.5)
            move(2, 0.5)
          default: move(cluster, 1)
          }
          for channel in 0..<6 {
            let place = (image * 6 + channel) * 35 + pixel
            result.x[place] = center[channel] + 0.2 * result.x[place]
          }
          let row = (image * 35 + pixel) * 12
          for edge in 0..<12 { result.memberships[row + edge] = result.memberships[row + edge] * 0.1 }
          result.memberships[row + cluster] += 1
        }
      }
      return result
    }

    /// One image of a batch.
    func image(_ index: Int) -> Case {
      var result = self
      result.shape[0] = 1
      let elements = x.count / shape[0]
      let rows = memberships.count / shape[0]
      result.x = Array(x[(index * elements)..<((index + 1) * elements)])
      result.memberships = Array(memberships[(index * rows)..<((index + 1) * rows)])
      return result
    }

    /// Links; means of hyperedges; means of those, plain, plus the image, and plus 1.25 times the image. The features go
    /// through a convolution that copies them, so that they lie channels-last.
    func graph() throws -> Graph {
      var graph = Graph(name: "test")
      let x = graph.addInput(TensorType(.f32, shape), name: "x")
      func constant(_ name: String, _ shape: [Int], _ values: [Float]) throws -> ValueID {
        graph.weights[name] = TensorData(shape: shape, floats: values)
        return try graph.add(Constant(type: TensorType(.f32, shape), source: .named(name)), [], name: name)[0]
      }
      let channels = shape[1]
      let copy = try constant(
        "copy", [channels, channels, 1, 1],
        (0..<(channels * channels)).map { $0 / channels == $0 % channels ? 1 : 0 })
      let start = try constant("start", [shape[0], pixels, hyperedges], memberships)
      let convolution = Conv2D(strides: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1], groups: 1)
      let features = try graph.add(convolution, [x, copy])[0]
      let hypergraph = try graph.add(
        BuildNeighborhood(construction: Hypergraph(hyperedges: hyperedges)), [features, start], name: "h")[0]
      let edges = try graph.add(IncidenceMean(to: .hyperedges), [features, hypergraph])[0]
      func nodes() throws -> ValueID { try graph.add(IncidenceMean(to: .nodes), [edges, hypergraph])[0] }
      let factor = try constant("factor", [1], [1.25])
      let own = try graph.add(Multiply(), [features, factor])[0]
      graph.outputs = [
        try graph.add(Links(), [hypergraph])[0], edges, try nodes(), try graph.add(Add(), [nodes(), features])[0],
        try graph.add(Add(), [own, nodes()])[0],
      ]
      return graph
    }

    func expected() throws -> [[Double]] {
      try GraphInterpreter<Double>().run(graph(), inputs: [Tensor(shape: shape, real: x.map(Double.init))])
        .map(\.real)
    }

    func lowered(_ name: String, workers: Int) throws -> LoopProgram {
      let target = try Target.named(name)
      var manager = PassManager()
      let optimized = try manager.run(Pipeline.passes(for: target), on: graph())
      let program = try GraphLowering.lower(optimized, for: CompilationTarget(target: target, workers: workers))
      try program.verify(target: target)
      return program
    }

    /// The outputs, equal whatever lies in the arena and in whatever order parallel loops run.
    func found(_ name: String, workers: Int) throws -> [[Float]] {
      let interpreter = try LoopInterpreter(program: lowered(name, workers: workers), target: Target.named(name))
      let found = try interpreter.run(floats: ["input": x])
      let again = try interpreter.run(floats: ["input": x], poison: .random(seed: 7), reversesParallelLoops: true)
      return try (0..<5).map { index in
        let values = try #require(found["output_\(index)"])
        #expect(values.map(\.bitPattern) == again["output_\(index)"]?.map(\.bitPattern))
        return values
      }
    }

    /// Whether the kernels do what the reference does: the same links, and means equal but for rounding.
    func check(_ target: String, workers: Int) throws {
      let expected = try expected()
      let found = try found(target, workers: workers)
      #expect(found[0].map(Double.init) == expected[0], "links of \(shape), \(hyperedges) hyperedges")
      for (values, wanted) in zip(found, expected).dropFirst() {
        #expect(values.count == wanted.count)
        let worst = zip(values, wanted).map { abs(Double($0) - $1) }.max() ?? .infinity
        #expect(worst < 1e-5, "\(shape), \(hyperedges) hyperedges")
      }
    }
  }

  static let targets = ["scalar", "avx2", "avx512"]

  /// With at most ten hyperedges no pixel is weak: members are above 0.01.
  @Test(arguments: targets, [1, 3]) func strongMemberships(_ target: String, _ workers: Int) throws {
    for (shape, hyperedges) in [
      ([2, 11, 5, 7], 3), ([1, 3, 4, 6], 8), ([3, 5, 7, 4], 9), ([1, 19, 4, 5], 7), ([2, 6, 1, 1], 1),
    ] {
      let given = Case(shape, hyperedges: hyperedges, seed: 1)
      let links = try given.expected()[0]
      #expect(links.allSatisfy { $0 != 2 } && links.contains(1))
      try given.check(target, workers: workers)
    }
  }

  @Test(arguments: targets, [1, 3]) func weakMemberships(_ target: String, _ workers: Int) throws {
    let given = Case.clusters()
    let links = try given.expected()[0].map { Int($0) }
    func row(_ pixel: Int) -> [Int] { Array(links[(pixel * 12)..<((pixel + 1) * 12)]) }
    // The weak pixel is a member of one hyperedge; the one in the middle reads one without being its member.
    #expect(row(17).filter { $0 != 0 } == [1])
    #expect(row(30).filter { $0 != 0 } == [2])
    // Hyperedges that nobody is a member of.
    let second = links.suffix(35 * 12)
    #expect((0..<12).contains { edge in !second.enumerated().contains { $0.offset % 12 == edge && $0.element == 1 } })
    try given.check(target, workers: workers)
  }

  /// A weak pixel of one image changes the rule for the other.
  @Test(arguments: targets) func weaknessIsOfTheBatch(_ target: String) throws {
    for weakPixel in [true, false] {
      let given = Case.clusters(weakPixel: weakPixel)
      let alone = try given.image(1).found(target, workers: 1)[0]
      let together = try given.found(target, workers: 1)[0]
      #expect((Array(together.suffix(alone.count)) == alone) == !weakPixel)
      try given.check(target, workers: 1)
    }
  }

  /// An image goes on changing for as long as another one of its batch does. The first one's hyperedges begin all but
  /// equal: by itself it stops there, while with the second they have time to part.
  @Test(arguments: targets) func convergenceIsOfTheBatch(_ target: String) throws {
    var given = Case([2, 2, 6, 7], hyperedges: 2, seed: 5)
    for pixel in 0..<42 {
      let side: Float = pixel % 3 == 0 ? 1 : -1
      for channel in 0..<2 { given.x[channel * 42 + pixel] = side + 0.1 * given.x[channel * 42 + pixel] }
      given.memberships[pixel * 2] = 0.5 + side * 2e-6
      given.memberships[pixel * 2 + 1] = 0.5 - side * 2e-6
    }
    let alone = try given.image(0).expected()[0]
    #expect(alone.allSatisfy { $0 == 1 })
    #expect(try given.expected()[0].prefix(alone.count).contains(0))
    for images in [given, given.image(0)] { try images.check(target, workers: 1) }
  }

  @Test(arguments: targets) func workersChangeNoBit(_ target: String) throws {
    for given in [.clusters(), Case([2, 37, 9, 7], hyperedges: 21, seed: 2)] {
      let one = try given.found(target, workers: 1).map { $0.map(\.bitPattern) }
      for workers in [2, 3, 5] {
        #expect(try given.found(target, workers: workers).map { $0.map(\.bitPattern) } == one)
      }
    }
  }

  /// Features without an order make every membership equal.
  @Test(arguments: targets) func notANumber(_ target: String) throws {
    var given = Case([1, 3, 4, 5], hyperedges: 5, seed: 0)
    given.x[7] = .nan
    let links = try given.found(target, workers: 1)[0]
    #expect(links.allSatisfy { $0 == 1 })
    #expect(try given.expected()[0].allSatisfy { $0 == 1 })
  }

  /// The first round always counts as a change, and later ones by the root of the sum.
  @Test func normOfChanges() throws {
    let target = try Target.named("avx2")
    let clustering = try #require(Hypergraph(hyperedges: 3).clustering)
    let kernel = FuzzyCMeansFunctions(
      pixels: 5, channels: 4, pixelStride: 8, clustering: clustering, workers: 1, target: target)
    for (round, expected) in [(0, Float.infinity), (1, 5), (14, 5)] {
      var builder = ProgramBuilder(name: "test", target: target, workers: 1)
      let calls = FuzzyCMeansFunctions.Calls(kernel, images: 2, in: &builder)
      let changes = builder.buffer("changes", .input, count: 10)
      let norm = builder.buffer("norm", .output, count: 1)
      builder.entry.append(calls.norm(.view(buffer: changes, 0), .view(buffer: norm, 0), .constant(round)))
      let program = builder.finished()
      try program.verify(target: target)
      let input: [Float] = [0, 9, 0, 0, 0, 0, 0, 0, 15, 1]
      let found = try LoopInterpreter(program: program, target: target).run(floats: ["changes": input])
      #expect(found["norm"] == [expected])
    }
  }

  /// Rounds and means are kernels, and the image times its factor is part of one of them.
  @Test func nothingIsLeftToPlainLoops() throws {
    let target = try Target.named("avx2")
    var manager = PassManager()
    let optimized = try manager.run(Pipeline.passes(for: target), on: Case.clusters().graph())
    let plain = optimized.nodes.filter { !($0.op is Fuse || $0.op is Constant || $0.op is ConvertLayout) }
    #expect(plain.map(\.op.mnemonic) == ["links"])
    let kernels = optimized.nodes.compactMap { ($0.op as? Fuse)?.kernel }
    #expect(kernels.filter { $0 == "fuzzy_c_means" }.count == 1)
    #expect(kernels.filter { $0 == "incidence_mean" }.count == 4)
  }

  @Test func unknownLowering() throws {
    let request = FormKernels(requests: LoweringRequests(["h": "plain"]))
    #expect(throws: Diagnostic.self) { try request.run(Case.clusters().graph()) }
  }
}
