import IR
import Testing

@Suite struct GraphInterpreterTests {
  /// A small network with a graph in it; its weights are random.
  static func network() throws -> Graph {
    var graph = try GraphParser.parse(
      """
      graph net(%x: f32[2,3,9,7]) -> (%y, %g) {
        %w0 = constant {name = "w0"} : f32[4,3,3,3]
        %b0 = constant {values = [0.1, 0.2, 0.3, 0.4]} : f32[4]
        %c = conv2d(%x, %w0, %b0) {strides = [2, 2], padding = [1, 1, 1, 1], dilation = [1, 1], groups = 1}
          : f32[2,4,5,4] layer "stem"
        %g = gelu(%c) {approximation = "none"} : f32[2,4,5,4]
        %n = neighborhood(%g) {kind = "svga", step = 2} : neighborhood<offsets (2,0) (4,0) (0,2), 2x5x4>
        %r = aggregate(%g, %n) {kind = "max_relative", direction = "self_minus_neighbor", start = 0.0} : f32[2,4,5,4]
        %k = concat(%g, %r) {axis = 1} : f32[2,8,5,4]
        %f = fuse "pointwise" (%k) : f32[2,5,5,4] graph body(%a: f32[2,8,5,4]) -> (%o) {
          %w1 = constant {name = "w1"} : f32[5,8,1,1]
          %o = conv2d(%a, %w1) {strides = [1, 1], padding = [0, 0, 0, 0], dilation = [1, 1], groups = 1} : f32[2,5,5,4]
        }
        %p = global_average_pool(%f) : f32[2,5,1,1]
        %y = reshape(%p) {shape = [2, 5]} : f32[2,5]
      }
      """)
    graph.weights["w0"] = TensorData(shape: [4, 3, 3, 3], floats: randomFloats(108, in: -0.5...0.5, seed: 3))
    graph.weights["w1"] = TensorData(shape: [5, 8, 1, 1], floats: randomFloats(40, in: -0.5...0.5, seed: 4))
    return graph
  }

  @Test func floatAndDoubleAgree() throws {
    let graph = try Self.network()
    try GraphVerifier.verify(graph)
    let single = try GraphInterpreter<Float>().run(graph, inputs: [randomTensor([2, 3, 9, 7])])
    let double = try GraphInterpreter<Double>().run(graph, inputs: [randomTensor([2, 3, 9, 7])])
    #expect(single.count == 2 && single[0].shape == [2, 5] && single[1].shape == [2, 4, 5, 4])
    for (a, b) in zip(single, double) {
      for (x, y) in zip(a.real, b.real) { #expect(abs(Double(x) - y) < 1e-6) }
    }
    #expect(double[0].real.contains { abs($0) > 0.01 })
  }

  @Test func aBatchIsItsImages() throws {
    let graph = try Self.network()
    let x: Tensor<Double> = randomTensor([2, 3, 9, 7])
    let swapped = Tensor<Double>(shape: x.shape, real: Array(x.real[189...] + x.real[..<189]))
    let one = try GraphInterpreter<Double>().run(graph, inputs: [x])[0].real
    let other = try GraphInterpreter<Double>().run(graph, inputs: [swapped])[0].real
    #expect(Array(one[5...] + one[..<5]) == other)
  }

  @Test func observersSeeEveryNode() throws {
    let graph = try Self.network()
    var seen: [String] = []
    _ = try GraphInterpreter<Float>().run(graph, inputs: [randomTensor([2, 3, 9, 7])]) { node, results in
      #expect(results.count == node.results.count)
      seen.append(node.op.mnemonic)
    }
    #expect(seen == graph.nodes.map(\.op.mnemonic))
  }

  @Test func runsAreTheSameBits() throws {
    let graph = try Self.network()
    let first = try GraphInterpreter<Float>().run(graph, inputs: [randomTensor([2, 3, 9, 7])])
    let second = try GraphInterpreter<Float>().run(graph, inputs: [randomTensor([2, 3, 9, 7])])
    #expect(first.map(\.real) == second.map(\.real))
  }

  @Test func wrongInputsAreDiagnosed() throws {
    let graph = try Self.network()
    func complaint(_ inputs: [Tensor<Float>]) -> String {
      do {
        _ = try GraphInterpreter<Float>().run(graph, inputs: inputs)
        return ""
      } catch {
        return "\(error)"
      }
    }
    #expect(complaint([]) == "net takes 1 inputs (x), not 0")
    #expect(complaint([randomTensor([2, 3, 9, 8])]) == "the input x is f32[2,3,9,7], not f32[2,3,9,8]")
  }

  /// A replay takes a graph from elsewhere; nodes that are not forced choose for themselves.
  @Test func aForcedGraphIsTaken() throws {
    let graph = try GraphParser.parse(
      """
      graph knn(%x: f32[1,1,1,4]) -> (%y) {
        %n = neighborhood(%x) {kind = "knn", k = 1, dilation = 1} : neighborhood<indices 1 of 4, 1x1x4>
        %y = aggregate(%x, %n) {kind = "max_relative", direction = "neighbor_minus_self"} : f32[1,1,1,4]
      }
      """)
    let x = Tensor<Double>(shape: [1, 1, 1, 4], real: [1, 2, 4, 8])
    // One channel, divided by its norm, is 1 everywhere: all distances are the same, and the first candidate wins.
    #expect(try GraphInterpreter<Double>().run(graph, inputs: [x])[0].real == [0, -1, -3, -7])
    let forced = [graph.nodes[0].results[0]: NeighborhoodValue.indices([3, 2, 1, 0], count: 1)]
    #expect(try GraphInterpreter<Double>().run(graph, inputs: [x], forcing: forced)[0].real == [7, 2, -2, -7])
  }

  @Test func missingContentsAreDiagnosedWithTheirPlace() throws {
    var graph = try Self.network()
    graph.weights["w0"] = nil
    let error = #expect(throws: Diagnostic.self) {
      try GraphInterpreter<Float>().run(graph, inputs: [randomTensor([2, 3, 9, 7])])
    }
    #expect(error?.message == "the weights hold nothing named 'w0'")
    #expect(error?.location?.line == 2)
  }

  @Test func contentsOfEveryElementTypeAreRead() throws {
    func read(_ element: ElementType, _ bytes: [UInt8]) -> Tensor<Double> {
      Tensor(TensorData(element: element, shape: [bytes.count / element.byteCount], bytes: bytes))
    }
    #expect(read(.f32, [0, 0, 0x80, 0x3F]).real == [1])
    #expect(read(.f64, [0, 0, 0, 0, 0, 0, 0xF0, 0xBF]).real == [-1])
    #expect(read(.f16, [0, 0x3C, 1, 0]).real == [1, 0x1p-24])
    #expect(read(.bf16, [0x80, 0x3F]).real == [1])
    #expect(read(.i8, [0xFF]).integer == [-1])
    #expect(read(.u8, [0xFF]).integer == [255])
    #expect(read(.bool, [1, 0]).integer == [1, 0])
    #expect(read(.i16, [0xFE, 0xFF]).integer == [-2])
    #expect(read(.u16, [0xFE, 0xFF]).integer == [65534])
    #expect(read(.i32, [1, 0, 0, 0x80]).integer == [Int64(Int32.min) + 1])
    #expect(read(.u32, [1, 0, 0, 0x80]).integer == [0x8000_0001])
    #expect(read(.i64, [2, 0, 0, 0, 0, 0, 0, 0]).integer == [2])
    #expect(read(.u64, [3, 0, 0, 0, 0, 0, 0, 0]).integer == [3])
  }
}
