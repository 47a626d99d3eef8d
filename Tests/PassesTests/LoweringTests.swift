import Frontends
import IR
import Testing

@testable import Passes

/// Whole graphs through passes, lowering, proofs and the loop interpreter, against the graph interpreter in double.
@Suite struct LoweringTests {
  /// Runs `graph` through everything for a target and returns the largest error relative to the largest result.
  static func error(
    _ graph: Graph, target name: String, workers: Int = 1, passes: [any Pass]? = nil, seed: UInt64 = 0
  ) throws -> Double {
    var graph = graph
    fillWeights(&graph, seed: seed)
    try GraphVerifier.verify(graph)
    let target = try Target.named(name)
    var manager = PassManager()
    let optimized = try manager.run(passes ?? Pipeline.passes(for: target), on: graph)
    let program = try GraphLowering.lower(optimized, for: CompilationTarget(target: target, workers: workers))
    try program.verify(target: target)
    var floats: [String: [Float]] = [:]
    var tensors: [Tensor<Double>] = []
    for (index, input) in graph.inputs.enumerated() {
      let shape = graph.tensorType(of: input).shape
      let values = SyntheticWeights(seed: seed).uniform("input_\(index)", count: shape.reduce(1, *))
      floats[graph.inputs.count == 1 ? "input" : "input_\(index)"] = values
      tensors.append(Tensor(shape: shape, real: values.map(Double.init)))
    }
    let expected = try GraphInterpreter<Double>().run(graph, inputs: tensors)
    let interpreter = try LoopInterpreter(program: program, target: target)
    let found = try interpreter.run(floats: floats)
    // Parallel loops in reverse, and other garbage in the arena, must change nothing.
    let again = try interpreter.run(floats: floats, poison: .random(seed: 7), reversesParallelLoops: true)
    var worst = 0.0
    for (index, tensor) in expected.enumerated() {
      let name = expected.count == 1 ? "output" : "output_\(index)"
      let values = try #require(found[name])
      #expect(values.map(\.bitPattern) == again[name]?.map(\.bitPattern))
      #expect(values.count == tensor.real.count)
      let scale = max(1, tensor.real.map(abs).max() ?? 1)
      for (a, b) in zip(values, tensor.real) {
        worst = max(worst, (Double(a) - b).isNaN ? .infinity : abs(Double(a) - b) / scale)
      }
    }
    return worst
  }

  /// Gives every constant without contents synthetic ones.
  static func fillWeights(_ graph: inout Graph, seed: UInt64) {
    for node in graph.nodes {
      guard let constant = node.op as? Constant, case .named(let name) = constant.source,
        graph.weights[name] == nil
      else { continue }
      graph.weights[name] = SyntheticWeights(seed: seed).tensor(name, shape: constant.type.shape)
    }
  }

  /// `ops` gets a graph and its image input and returns the outputs.
  static func graph(
    _ shape: [Int], _ ops: (inout Graph, ValueID) throws -> [ValueID]
  ) rethrows -> Graph {
    var graph = Graph(name: "test")
    let input = graph.addInput(TensorType(.f32, shape), name: "x")
    graph.outputs = try ops(&graph, input)
    return graph
  }

  static func convolution(
    _ graph: inout Graph, _ x: ValueID, _ name: String, outputs: Int, kernel: [Int] = [1, 1], strides: [Int] = [1, 1],
    padding: [Int] = [0, 0, 0, 0], dilation: [Int] = [1, 1], groups: Int = 1
  ) throws -> ValueID {
    let channels = graph.tensorType(of: x).shape[1]
    let shape = [outputs, channels / groups] + kernel
    let weight = try graph.add(
      Constant(type: TensorType(.f32, shape), source: .named("\(name).weight")), [], name: "\(name).weight")[0]
    let bias = try graph.add(
      Constant(type: TensorType(.f32, [outputs]), source: .named("\(name).bias")), [], name: "\(name).bias")[0]
    let op = Conv2D(strides: strides, padding: padding, dilation: dilation, groups: groups)
    return try graph.add(op, [x, weight, bias], name: name, layer: name)[0]
  }

  static let targets = ["scalar", "avx2", "avx512"]

  @Test(arguments: targets, [1, 3]) func denseConvolutions(_ target: String, _ workers: Int) throws {
    for (kernel, strides, padding, dilation) in [
      ([3, 3], [2, 2], [1, 1, 1, 1], [1, 1]), ([3, 2], [1, 2], [0, 2, 1, 0], [1, 1]),
      ([1, 1], [2, 2], [0, 0, 0, 0], [1, 1]), ([3, 3], [1, 1], [2, 2, 2, 2], [2, 2]),
      ([5, 7], [1, 1], [2, 3, 2, 3], [1, 1]),
    ] {
      let graph = try Self.graph([2, 5, 9, 11]) { graph, x in
        let first = try Self.convolution(
          &graph, x, "a", outputs: 21, kernel: kernel, strides: strides, padding: padding, dilation: dilation)
        let active = try graph.add(Gelu(approximation: .none), [first])[0]
        return [
          try Self.convolution(
            &graph, active, "b", outputs: 10, kernel: kernel, strides: strides, padding: padding, dilation: dilation)
        ]
      }
      #expect(try Self.error(graph, target: target, workers: workers) < 2e-6)
    }
  }

  /// Sums over a whole image, whose rounding would show.
  @Test(arguments: ["scalar", "avx2"]) func normsOfManyElements(_ target: String) throws {
    let graph = try Self.graph([1, 4, 128, 128]) { graph, x in
      let one = try graph.add(Constant(type: TensorType(.f32, [1]), source: .inline([1])), [], name: "one")[0]
      let shifted = try graph.add(Add(), [x, one])[0]
      return try graph.add(LayerNorm(axes: [1, 2, 3], epsilon: 1e-5), [shifted])
    }
    #expect(try Self.error(graph, target: target) < 2e-6)
  }

  /// A chain after one convolution: here a value made inside has the number, in the chain's own graph, that the last
  /// weights have outside.
  @Test(arguments: targets) func chainsBehindAStem(_ target: String) throws {
    var graph = try Self.graph([1, 3, 65, 64]) { graph, x in
      let stem = try Self.convolution(&graph, x, "stem", outputs: 16, kernel: [3, 3], padding: [1, 1, 1, 1])
      let wide = try graph.add(Relu(), [try Self.convolution(&graph, stem, "a", outputs: 80)])[0]
      let depthwise = try Self.convolution(
        &graph, wide, "b", outputs: 80, kernel: [3, 3], padding: [1, 1, 1, 1], groups: 80)
      return [try Self.convolution(&graph, depthwise, "c", outputs: 9)]
    }
    Self.fillWeights(&graph, seed: 0)
    var manager = PassManager()
    let optimized = try manager.run(Pipeline.passes(for: Target.named(target)), on: graph)
    #expect(optimized.nodes.contains { ($0.op as? Fuse)?.kernel == "row_chain" })
    #expect(try Self.error(graph, target: target) < 2e-6)
  }

  /// Residual, channel scale, an op that does not keep padding zero, a concatenation, and a value used twice.
  @Test(arguments: targets, [1, 2]) func epilogues(_ target: String, _ workers: Int) throws {
    let graph = try Self.graph([2, 6, 5, 7]) { graph, x in
      let a = try Self.convolution(&graph, x, "a", outputs: 10)
      let sigmoid = try graph.add(Sigmoid(), [a])[0]
      let b = try Self.convolution(&graph, sigmoid, "b", outputs: 10)
      let scale = try graph.add(
        Constant(type: TensorType(.f32, [10, 1, 1]), source: .named("layer_scale")), [], name: "scale")[0]
      let active = try graph.add(Tanh(), [b])[0]
      let scaled = try graph.add(Multiply(), [scale, active])[0]
      let sum = try graph.add(Subtract(), [sigmoid, scaled])[0]
      let joined = try graph.add(Concat(axis: 1), [sum, x])[0]
      return [try Self.convolution(&graph, joined, "c", outputs: 9), sum]
    }
    #expect(try Self.error(graph, target: target, workers: workers) < 2e-6)
  }

  /// Every lowering of max-relative gives the same bits, for both directions, on shapes that divide and that do not.
  @Test(arguments: targets, [1, 2]) func maxRelative(_ target: String, _ workers: Int) throws {
    for (height, width, step) in [(8, 12, 2), (7, 5, 2), (9, 6, 3), (5, 4, 4), (1, 6, 2), (3, 3, 1)] {
      for direction in Aggregate.Direction.allCases {
        for start in [nil, 0.0, 0.25] {
          let graph = try Self.graph([2, 11, height, width]) { graph, x in
            let a = try Self.convolution(&graph, x, "a", outputs: 11)
            let n = try graph.add(BuildNeighborhood(construction: SVGA(step: step)), [a])[0]
            return [try graph.add(Aggregate(kind: .maxRelative, direction: direction, start: start), [a, n])[0]]
          }
          #expect(try Self.error(graph, target: target, workers: workers) < 2e-6)
        }
      }
    }
  }

  /// MGC where K divides, does not, and reaches past a side.
  @Test(arguments: targets, [1, 2]) func maxRelativeOverMGC(_ target: String, _ workers: Int) throws {
    for (height, width, step) in [(7, 5, 2), (9, 6, 8), (5, 11, 4)] {
      let graph = try Self.graph([2, 11, height, width]) { graph, x in
        let a = try Self.convolution(&graph, x, "a", outputs: 13)
        let n = try graph.add(BuildNeighborhood(construction: MGC(step: step)), [a])[0]
        let op = Aggregate(kind: .maxRelative, direction: .neighborMinusSelf, start: 0)
        return [try graph.add(op, [a, n])[0]]
      }
      #expect(try Self.error(graph, target: target, workers: workers) < 2e-6)
    }
  }

  /// DAGC through its kernel, and through plain loops that store the gates where the graph is read twice.
  @Test(arguments: targets, [1, 2]) func gatedMaxRelative(_ target: String, _ workers: Int) throws {
    for (height, width, step) in [(7, 5, 2), (9, 6, 1), (5, 11, 4), (1, 1, 1)] {
      for direction in Aggregate.Direction.allCases {
        for start in [nil, 0.0, 0.25] where start != nil || height > 1 {
          let graph = try Self.graph([2, 11, height, width]) { graph, x in
            let a = try Self.convolution(&graph, x, "a", outputs: 37)
            let n = try graph.add(BuildNeighborhood(construction: DAGC(step: step)), [a])[0]
            return [try graph.add(Aggregate(kind: .maxRelative, direction: direction, start: start), [a, n])[0]]
          }
          #expect(try Self.error(graph, target: target, workers: workers) < 2e-6)
        }
      }
    }
    let shared = try Self.graph([2, 3, 7, 5]) { graph, x in
      let n = try graph.add(BuildNeighborhood(construction: DAGC(step: 2)), [x])[0]
      return try Aggregate.Direction.allCases.map { direction in
        try graph.add(Aggregate(kind: .maxRelative, direction: direction, start: 0), [x, n])[0]
      }
    }
    #expect(try Self.error(shared, target: target, workers: workers) < 2e-6)
  }

  @Test func runsOfOffsetsAreTheOffsets() {
    let offsets = [(2, 0), (4, 0), (6, 0), (0, 3), (0, -1), (0, -1), (1, 1)].map { Offset(dy: $0.0, dx: $0.1) }
    let rolls = SharedDistances(offsets, height: 7, width: 9).rolls
    let kernel = GatedMaxRelativeFunctions(
      height: 7, width: 9, pixelStride: 8, offsets: offsets, sample: Offset(dy: 4, dx: 5), selfMinusNeighbor: false,
      start: 0, lanes: 8)
    let runs = kernel.runs(rolls.map(\.alone))
    let again = runs.flatMap { run in
      (0..<run.count).map { Offset(dy: run.first.dy + run.step.dy * $0, dx: run.first.dx + run.step.dx * $0) }
    }
    #expect(again == offsets.map { Offset(dy: $0.dy, dx: ($0.dx + 9) % 9) })
    #expect(runs[0].step == Offset(dy: 2, dx: 0) && runs[0].count == 3)
  }

  /// 2 and 5 of 7 rows are opposite, 3 of 9 columns has no opposite, and the last is measured before.
  @Test func oppositeRollsShareDistances() {
    let offsets = [(2, 0), (5, 0), (0, 3), (-5, 0)].map { Offset(dy: $0.0, dx: $0.1) }
    let shared = SharedDistances(offsets, height: 7, width: 9)
    #expect(shared.measured == [Offset(dy: 2, dx: 0), Offset(dy: 0, dx: 3)])
    #expect(shared.rolls.map(\.image) == [0, 0, 1, 0])
    #expect(shared.rolls.map(\.isOpposite) == [false, true, false, false])
  }

  /// All lowerings, with and without somebody who looks at the gates.
  @Test(arguments: targets, [1, 2]) func loweringsOverGatesAgreeBitForBit(_ name: String, _ workers: Int) throws {
    let target = try Target.named(name)
    // The last ones have classes longer than a vector, and as long as one.
    let shapes = [
      (8, 12, 2), (6, 9, 3), (7, 5, 1), (4, 12, 4), (12, 3, 3), (17, 2, 1), (2, 8, 1), (9, 1, 1), (16, 3, 1),
    ]
    let starts: [Double?] = [0, nil, 0.25]
    // Every start and direction with the first shape, one of each with the others, and classes of two and three, where all
    // neighbours are often admitted, with the start that shows it.
    let cases = Aggregate.Direction.allCases.flatMap { direction in
      starts.map { (shapes[0], direction, $0) }
        + shapes.dropFirst().enumerated().map { ($1, direction, starts[$0 % starts.count]) }
        + [(6, 2, 2), (3, 9, 3), (2, 3, 1)].map { ($0, direction, nil) }
    }
    for ((height, width, step), direction, start) in cases {
      // Where the rows are few, so many channels that their vectors fall into several groups, on any target.
      let channels = height < 5 ? 200 : 37
      var results: [[UInt32]] = []
      for (lowering, looks) in [
        ("direct", false), ("symmetric", false), ("class_pairs", false), ("direct", true), ("symmetric", true),
      ] {
        var graph = try Self.graph([2, 11, height, width]) { graph, x in
          let a = try Self.convolution(&graph, x, "a", outputs: channels)
          let n = try graph.add(BuildNeighborhood(construction: DAGC(step: step)), [a])[0]
          let op = Aggregate(kind: .maxRelative, direction: direction, start: start)
          return try graph.add(op, [a, n]) + (looks ? graph.add(Links(), [n]) : [])
        }
        Self.fillWeights(&graph, seed: 3)
        let passes = Pipeline.passes(for: target, lowerings: LoweringRequests(["*": lowering]))
        var manager = PassManager()
        let optimized = try manager.run(passes, on: graph)
        let fuses = optimized.nodes.compactMap { $0.op as? Fuse }.filter { $0.kernel == "gated_max_relative" }
        #expect(fuses.map { $0.schedule.first { $0.name == "lowering" }?.value } == [.string(lowering)])
        let program = try GraphLowering.lower(optimized, for: CompilationTarget(target: target, workers: workers))
        try program.verify(target: target)
        let input = SyntheticWeights().uniform("input", count: 2 * 11 * height * width)
        let found = try LoopInterpreter(program: program, target: target).run(floats: ["input": input])
        results.append(try #require(found[looks ? "output_0" : "output"]).map(\.bitPattern))
        guard looks else { continue }
        let tensor = Tensor(shape: [2, 11, height, width], real: input)
        let expected = try GraphInterpreter<Float>().run(graph, inputs: [tensor])[1].real
        let gates = try #require(found["output_1"])
        // In float32 a gate may fall the other way where the distance is the limit but for rounding.
        let differing = zip(gates, expected).filter { $0 != $1 }.count
        #expect(differing * 50 < gates.count && Set(gates) == [0, 1])
      }
      for result in results { #expect(result == results[0]) }
    }
  }

  @Test func onlyLoweringsThatApplyCanBeAskedFor() throws {
    let graph = try Self.graph([1, 3, 7, 5]) { graph, x in
      let n = try graph.add(BuildNeighborhood(construction: SVGA(step: 2)), [x], name: "n", layer: "block.graph")[0]
      return try graph.add(Aggregate(kind: .maxRelative, direction: .selfMinusNeighbor, start: 0), [x, n])
    }
    func chosen(_ requests: [String: String]) throws -> AttributeValue? {
      let fused = try FormKernels(requests: LoweringRequests(requests)).run(graph)
      return (fused.nodes[0].op as? Fuse)?.schedule.first { $0.name == "lowering" }?.value
    }
    #expect(try chosen([:]) == .string("fused_rolls"))
    #expect(try chosen(["block.graph": "windowed"]) == .string("windowed"))
    #expect(try chosen(["n": "windowed"]) == .string("windowed"))
    #expect(try chosen(["*": "windowed"]) == .string("windowed"))
    #expect(try chosen(["*": "windowed", "block.graph": "fused_rolls"]) == .string("fused_rolls"))
    for (request, words) in [
      (["block.graph": "class_reduced"], "cannot be lowered as 'class_reduced'"),
      (["block.grap": "windowed"], "did you mean block.graph?"), (["*": "symmetric"], "can be lowered as 'symmetric'"),
    ] {
      let problem = #expect(throws: Diagnostic.self) { try chosen(request) }
      #expect(problem?.description.contains(words) ?? false)
    }
  }

  @Test func loweringsOfMaxRelativeAgreeBitForBit() throws {
    let target = try Target.named("avx2")
    for (height, width, step) in [(8, 12, 2), (8, 8, 4), (6, 9, 3), (32, 32, 2)] {
      let form = try SVGA(step: step).form(height: height, width: width, channels: 16, data: [])
      guard case .offsets(let offsets) = form else {
        Issue.record("SVGA has fixed offsets")
        continue
      }
      let input = SyntheticWeights().uniform("input", count: height * width * 16)
      var results: [[UInt32]] = []
      for lowering in MaxRelativeFunction.Lowering.allCases {
        let kernel = MaxRelativeFunction(
          height: height, width: width, pixelStride: 16, vectors: 2, offsets: offsets, selfMinusNeighbor: true,
          start: 0, lowering: lowering, lanes: 8)
        var builder = ProgramBuilder(name: "test", target: target, workers: 1)
        let source = builder.buffer("input", .input, count: kernel.viewCount)
        let result = builder.buffer("output", .output, count: kernel.viewCount)
        let scratch: LoopArgument? =
          kernel.scratchCount > 0
          ? .view(buffer: builder.buffer("scratch", .scratch, count: kernel.scratchCount), 0) : nil
        let call = kernel.call(
          input: .view(buffer: source, 0), output: .view(buffer: result, 0), scratch: scratch, in: &builder)
        builder.entry.append(call)
        let program = builder.finished()
        try program.verify(target: target)
        let found = try LoopInterpreter(program: program, target: target).run(floats: ["input": input])
        results.append((found["output"] ?? []).map { ($0 + 0).bitPattern })
      }
      #expect(results.allSatisfy { $0 == results[0] })
    }
  }

  /// Raw pixels through a library with the normalisation folded in equal normalised pixels through one without, at the
  /// borders too.
  @Test(arguments: targets) func normalization(_ target: String) throws {
    for (height, width) in [(6, 8), (7, 5), (2, 3), (1, 1)] {
      let graph = try Self.graph([1, 3, height, width]) { graph, x in
        let stem = try Self.convolution(
          &graph, x, "stem", outputs: 10, kernel: [3, 3], strides: [2, 2], padding: [1, 1, 1, 1])
        return [try graph.add(Gelu(approximation: .none), [stem])[0]]
      }
      let normalize = NormalizeInput(mean: [0.485, 0.456, 0.406], standardDeviation: [0.229, 0.224, 0.225])
      let normalized = try normalize.run(graph)
      #expect(try Self.error(normalized, target: target) < 2e-6)
    }
  }

  /// Ops without a kernel run as plain loops, between kernels that want another layout.
  @Test(arguments: targets) func generalOps(_ target: String) throws {
    let graph = try Self.graph([2, 6, 5, 7]) { graph, x in
      let a = try Self.convolution(&graph, x, "a", outputs: 10)
      let soft = try graph.add(Softmax(axis: 1), [a])[0]
      let grouped = try Self.convolution(&graph, soft, "g", outputs: 4, kernel: [3, 3], groups: 2)
      let pooled = try graph.add(GlobalAveragePool(), [grouped])[0]
      let b = try Self.convolution(&graph, pooled, "b", outputs: 5)
      return [try graph.add(Reshape(shape: [2, 5]), [b])[0], soft]
    }
    #expect(try Self.error(graph, target: target) < 2e-6)
  }

  /// An output that is an input, a constant, a reshape of an input, or read again inside.
  @Test func boundaryCases() throws {
    let graph = try Self.graph([1, 4, 3, 2]) { graph, x in
      let constant = try graph.add(Constant(type: TensorType(.f32, [2]), source: .inline([1, 2])), [], name: "c")[0]
      let reshaped = try graph.add(Reshape(shape: [1, 24]), [x])[0]
      let relu = try graph.add(Relu(), [x])[0]
      let again = try graph.add(Exp(), [relu])[0]
      return [x, constant, reshaped, relu, again, relu]
    }
    #expect(try Self.error(graph, target: "scalar") < 1e-6)
  }
}
