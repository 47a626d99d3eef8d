import IR
import Testing

@testable import Passes

/// Depthwise convolutions, in the loop interpreter against the graph interpreter.
extension LoweringTests {
  @Test(arguments: LoweringTests.targets, [1, 2]) func depthwiseConvolutions(_ target: String, _ workers: Int) throws {
    for (kernel, strides, padding, dilation) in [
      ([3, 3], [1, 1], [1, 1, 1, 1], [1, 1]), ([7, 7], [1, 1], [3, 3, 3, 3], [1, 1]),
      ([3, 5], [2, 1], [1, 2, 0, 2], [1, 1]), ([3, 3], [1, 2], [2, 2, 2, 2], [2, 2]),
      ([2, 3], [3, 3], [0, 0, 0, 0], [1, 1]), ([5, 3], [2, 1], [2, 1, 3, 1], [1, 1]),
      ([4, 5], [1, 2], [8, 2, 0, 2], [2, 1]), ([8, 1], [1, 1], [0, 0, 0, 0], [1, 1]),
    ] {
      let graph = try Self.graph([2, 13, 8, 10]) { graph, x in
        let first = try Self.convolution(&graph, x, "a", outputs: 13)
        let second = try Self.convolution(
          &graph, first, "b", outputs: 13, kernel: kernel, strides: strides, padding: padding, dilation: dilation,
          groups: 13)
        return [try graph.add(Sigmoid(), [second])[0]]
      }
      #expect(try Self.error(graph, target: target, workers: workers) < 2e-6)
    }
  }

  /// Windows of many borders are one function that loops over kernel rows, whatever is after them; those of three are written
  /// out for each.
  @Test(arguments: LoweringTests.targets, [(3, 3), (5, 1), (7, 1)]) func depthwiseBorders(
    _ name: String, _ window: (kernel: Int, functions: Int)
  ) throws {
    var graph = try Self.graph([2, 13, 9, 10]) { graph, x in
      let first = try Self.convolution(&graph, x, "a", outputs: 13)
      let pad = window.kernel / 2
      let second = try Self.convolution(
        &graph, first, "b", outputs: 13, kernel: [window.kernel, window.kernel], padding: [pad, pad, pad, pad],
        groups: 13)
      let active = try graph.add(Silu(), [second])[0]
      let scale = try graph.add(
        Constant(type: TensorType(.f32, [13, 1, 1]), source: .named("layer_scale")), [], name: "scale")[0]
      return [try graph.add(Add(), [first, try graph.add(Multiply(), [scale, active])[0]])[0]]
    }
    for workers in [1, 2] { #expect(try Self.error(graph, target: name, workers: workers) < 2e-6) }
    Self.fillWeights(&graph, seed: 0)
    let target = try Target.named(name)
    var manager = PassManager()
    let optimized = try manager.run(Pipeline.passes(for: target), on: graph)
    for workers in [1, 2] {
      let program = try GraphLowering.lower(optimized, for: CompilationTarget(target: target, workers: workers))
      let functions = program.functions.filter { $0.name.hasPrefix("depthwise_") }
      #expect(functions.count == window.functions && functions.allSatisfy { $0.name.contains("_silu_multiply_add") })
      let rows = program.text.split(separator: "\n").filter { $0.contains("for y in") }
      #expect(rows.contains { $0.contains("parallel") } == (workers > 1 && window.functions == 1))
    }
  }

  /// Tiles of whole lines, and what is behind the last: nothing, a vector, a vector and a part of one, a part.
  @Test(arguments: LoweringTests.targets, [256, 40, 45, 37]) func depthwiseConvolutionsOfManyChannels(
    _ target: String, _ channels: Int
  ) throws {
    for (kernel, strides, padding) in [([3, 3], [1, 1], [1, 1, 1, 1]), ([3, 5], [2, 1], [1, 2, 0, 2])] {
      let graph = try Self.graph([1, 5, 5, 11]) { graph, x in
        let first = try Self.convolution(&graph, x, "a", outputs: channels)
        let second = try Self.convolution(
          &graph, first, "b", outputs: channels, kernel: kernel, strides: strides, padding: padding, groups: channels)
        return [try graph.add(Sigmoid(), [second])[0]]
      }
      for workers in [1, 2] { #expect(try Self.error(graph, target: target, workers: workers) < 2e-6) }
    }
  }
}
