import IR
import Testing

@Suite struct GraphRewritingTests {
  private static func sample() throws -> Graph {
    try GraphParser.parse(
      """
      graph g(%x: f32[2], %unused: f32[3]) -> (%d) {
        %w = constant {name = "w"} : f32[2]
        %dead = constant {name = "dead"} : f32[2]
        %a = add(%x, %w) : f32[2]
        %b = relu(%dead) : f32[2]
        %c = multiply(%a, %a) : f32[2]
        %d = add(%c, %w) : f32[2]
      }
      """)
  }

  @Test func usersAndDefinitions() throws {
    let graph = try Self.sample()
    func id(_ name: String) -> ValueID { ValueID(graph.values.firstIndex { $0.name == name } ?? -1) }
    #expect(graph.users[id("w")] == [2, 5])
    #expect(graph.users[id("a")] == [4])
    #expect(graph.users[id("d")] == nil)
    #expect(graph.definitions[id("c")] == 4)
    #expect(graph.definitions[id("x")] == nil)
  }

  @Test func replacedUsesAreFollowedToTheirEnd() throws {
    var graph = try Self.sample()
    func id(_ name: String) -> ValueID { ValueID(graph.values.firstIndex { $0.name == name } ?? -1) }
    let (x, a, c, d) = (id("x"), id("a"), id("c"), id("d"))
    graph.replaceUses([a: x, c: a, d: c])
    #expect(graph.outputs == [x])
    #expect(graph.nodes[4].operands == [x, x])
    #expect(graph.compacted().nodes.isEmpty)
  }

  @Test func compactingDropsWhatNobodyNeeds() throws {
    var graph = try Self.sample()
    graph.weights["w"] = TensorData(shape: [2], floats: [1, 2])
    graph.weights["dead"] = TensorData(shape: [2], floats: [1, 2])
    let small = graph.compacted()
    try GraphVerifier.verify(small)
    #expect(small.values.map(\.name) == ["x", "unused", "w", "a", "c", "d"])
    #expect(small.weights.keys.sorted() == ["w"])
    #expect(small.compacted().isIdentical(to: small))
    let inputs = [Tensor<Double>(shape: [2], real: [3, 4]), Tensor(shape: [3], real: [0, 0, 0])]
    let before = try GraphInterpreter().run(graph, inputs: inputs)
    let after = try GraphInterpreter().run(small, inputs: inputs)
    #expect(before[0].real == [17, 38] && after[0].real == before[0].real)
  }

  @Test func pictures() throws {
    let dot = try GraphParser.parse(GraphTextTests.sample).dot
    #expect(dot.hasPrefix("digraph \"mobilevig_ti\" {\n"))
    #expect(dot.contains("subgraph cluster_"))
    #expect(dot.contains("[label=\"conv2d\\nstem.stem.0\\nf32[1,5,4,3]\"];"))
    #expect(!dot.contains("constant"))
  }
}
