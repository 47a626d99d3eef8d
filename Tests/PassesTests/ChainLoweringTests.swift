import Frontends
import IR
import Testing
@testable import Passes

/// Products through rings of rows, in the loop interpreter against the graph interpreter.
extension LoweringTests {
  @Test(arguments: LoweringTests.targets, [1, 2]) func chains(_ target: String, _ workers: Int) throws {
    for (height, width, stride, kernel) in [(9, 10, 1, 3), (7, 5, 2, 3), (11, 6, 1, 5), (1, 40, 1, 3), (13, 4, 3, 2)] {
      let graph = try Self.graph([2, 6, height, width]) { graph, x in
        let a = try Self.convolution(&graph, x, "a", outputs: 21)
        let active = try graph.add(Gelu(approximation: .none), [a])[0]
        let pad = kernel / 2
        let d = try Self.convolution(
          &graph, active, "d", outputs: 21, kernel: [kernel, kernel], strides: [stride, stride],
          padding: [pad, pad, pad, pad], groups: 21)
        let second = try graph.add(Gelu(approximation: .none), [d])[0]
        let y = try Self.convolution(&graph, second, "y", outputs: 6)
        return [stride == 1 && kernel % 2 == 1 ? try graph.add(Add(), [x, y])[0] : y]
      }
      try Self.checkChains(graph, target: target, workers: workers)
    }
  }

  /// Lowers a graph for caches of several sizes, so that these small images are chained, with one row a step or more.
  private static func checkChains(_ graph: Graph, target: String, workers: Int) throws {
    var rows: Set<Int> = []
    for cache in [1024, 4096, 8192, 16384, 32768] {
      var small = try Target.named(target)
      small.cache.l2 = cache
      var passes = Pipeline.passes(for: small)
      passes.removeAll { $0 is ChainRows }
      passes.insert(ChainRows(target: small), at: passes.count - 1)
      #expect(try error(graph, target: target, workers: workers, passes: passes) < 2e-6)
      var filled = graph
      fillWeights(&filled, seed: 0)
      var manager = PassManager()
      let fuses = try manager.run(passes, on: filled).nodes.compactMap { $0.op as? Fuse }
      for chain in fuses where chain.kernel == "row_chain" {
        for case .integer(let value) in chain.schedule.map(\.value).prefix(1) { rows.insert(value) }
      }
    }
    #expect(!rows.isEmpty, "no cache makes a chain of it")
  }

  /// Feed-forward pairs, whose bands end inside a step where the workers do not divide the rows.
  @Test(arguments: LoweringTests.targets, [1, 2, 3]) func chainedPairs(_ target: String, _ workers: Int) throws {
    for (height, width) in [(13, 40), (16, 56), (29, 17), (2, 230)] {
      let graph = try Self.graph([2, 3, height, width]) { graph, x in
        let a = try Self.convolution(&graph, x, "a", outputs: 21)
        let active = try graph.add(Gelu(approximation: .none), [a])[0]
        let b = try Self.convolution(&graph, active, "b", outputs: 3)
        return [try graph.add(Add(), [x, b])[0]]
      }
      try Self.checkChains(graph, target: target, workers: workers)
    }
  }

  /// Stems: two dense convolutions, the first over the caller's rows, normalised or not, an image of positions added after.
  @Test(arguments: LoweringTests.targets, [1, 2, 3]) func chainedConvolutions(_ target: String, _ workers: Int) throws {
    for (kernel, strides, padding, dilation) in [
      ([3, 3], [2, 2], [1, 1, 1, 1], [1, 1]), ([3, 2], [1, 2], [0, 2, 1, 0], [1, 1]),
      ([2, 2], [2, 2], [0, 0, 0, 0], [1, 1]), ([3, 3], [1, 1], [2, 2, 2, 2], [2, 2]),
    ] {
      let graph = try Self.graph([2, 3, 29, 31]) { graph, x in
        let a = try Self.convolution(
          &graph, x, "a", outputs: 10, kernel: kernel, strides: strides, padding: padding, dilation: dilation)
        let active = try graph.add(Gelu(approximation: .none), [a])[0]
        let b = try Self.convolution(
          &graph, active, "b", outputs: 13, kernel: kernel, strides: strides, padding: padding, dilation: dilation)
        let shape = [1] + graph.tensorType(of: b).shape.dropFirst()
        let positions = try graph.add(
          Constant(type: TensorType(.f32, shape), source: .named("positions")), [], name: "positions")[0]
        return [try graph.add(Add(), [b, positions])[0]]
      }
      try Self.checkChains(graph, target: target, workers: workers)
      let normalize = NormalizeInput(mean: [0.485, 0.456, 0.406], standardDeviation: [0.229, 0.224, 0.225])
      try Self.checkChains(try normalize.run(graph), target: target, workers: workers)
    }
  }

  /// The caller's rows, which are no image of a kernel's, read again as a residual: after a chain, and after one
  /// convolution.
  @Test(arguments: LoweringTests.targets, [1, 3]) func residualsOfTheInput(_ target: String, _ workers: Int) throws {
    for channels in [3, 16] {
      for isFirst in [false, true] {
        func residual(_ depth: Int) throws -> Graph {
          try Self.graph([2, channels, 24, 20]) { graph, x in
            var value = x
            for layer in 0..<depth {
              value = try Self.convolution(
                &graph, value, "c\(layer)", outputs: channels, kernel: [3, 3], padding: [1, 1, 1, 1])
            }
            return [try graph.add(Add(), isFirst ? [x, value] : [value, x])[0]]
          }
        }
        try Self.checkChains(try residual(2), target: target, workers: workers)
        #expect(try Self.error(try residual(1), target: target, workers: workers) < 2e-6)
      }
    }
  }

  /// A pair does not take the head of an inverted residual, which saves more.
  @Test func longerChainsFirst() throws {
    var graph = try Self.graph([1, 16, 40, 40]) { graph, x in
      let project = try Self.convolution(&graph, x, "project", outputs: 16)
      let wide = try graph.add(Relu(), [try Self.convolution(&graph, project, "a", outputs: 96)])[0]
      let depthwise = try Self.convolution(
        &graph, wide, "b", outputs: 96, kernel: [3, 3], padding: [1, 1, 1, 1], groups: 96)
      return [try Self.convolution(&graph, depthwise, "c", outputs: 24)]
    }
    Self.fillWeights(&graph, seed: 0)
    var small = try Target.named("avx2")
    small.cache.l2 = 128 << 10
    var manager = PassManager()
    let optimized = try manager.run(Pipeline.passes(for: small), on: graph)
    let chains = optimized.nodes.compactMap { $0.op as? Fuse }.filter { $0.kernel == "row_chain" }
    #expect(chains.map { $0.body.nodes.count } == [3])
  }
}
