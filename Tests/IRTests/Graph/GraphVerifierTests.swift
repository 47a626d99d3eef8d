import Testing

@testable import IR

/// A broken graph for each invariant, and what is said about it.
@Suite struct GraphVerifierTests {
  private static func sound() throws -> Graph {
    var graph = Graph(name: "g")
    let x = graph.addInput(TensorType(.f32, [1, 3, 4, 5]), name: "x")
    let y = try graph.add(Relu(), [x], name: "y")[0]
    let z = try graph.add(Add(), [x, y], name: "z")[0]
    graph.outputs = [z]
    return graph
  }

  private static func messages(_ graph: Graph) -> [String] { GraphVerifier.diagnostics(graph).map(\.description) }

  @Test func aSoundGraphPasses() throws {
    #expect(Self.messages(try Self.sound()) == [])
    try GraphVerifier.verify(try Self.sound())
  }

  @Test func orderAndDefinitions() throws {
    var graph = try Self.sound()
    graph.nodes.swapAt(0, 1)
    #expect(Self.messages(graph) == ["%z = add: operand 1, %y, is used before it is defined"])

    graph = try Self.sound()
    graph.nodes.remove(at: 0)
    #expect(Self.messages(graph) == ["%z = add: operand 1, %y, is never defined"])

    graph = try Self.sound()
    graph.nodes.append(graph.nodes[0])
    #expect(Self.messages(graph) == ["%y = relu: %y is defined a second time"])

    graph = try Self.sound()
    graph.nodes[1].results = [ValueID(77)]
    #expect(
      Self.messages(graph) == [
        "value 77 = add: the result value 77 is not a value of the graph", "g: the output %z is not defined",
      ])

    graph = try Self.sound()
    graph.inputs.append(graph.inputs[0])
    #expect(Self.messages(graph) == ["g: %x is an input twice"])

    graph = try Self.sound()
    graph.outputs = []
    #expect(Self.messages(graph) == ["g: there is no output"])
  }

  @Test func types() throws {
    var graph = try Self.sound()
    graph.nodes[1].operands.removeLast()
    #expect(Self.messages(graph) == ["%z = add: add takes 2 operands (a, b), not 1"])

    graph = try Self.sound()
    graph.retype(graph.outputs[0], as: .tensor(TensorType(.f32, [1])))
    #expect(Self.messages(graph) == ["%z = add: %z has the type f32[1], but the op gives f32[1,3,4,5]"])

    graph = try Self.sound()
    graph.nodes[0].results.append(graph.addValue(.tensor(TensorType(.f32, [1])), name: "extra"))
    #expect(Self.messages(graph) == ["%y, %extra = relu: the op has 1 results, the node 2"])
  }

  @Test func severalMistakesAreAllReported() throws {
    var graph = try Self.sound()
    graph.nodes[0].op = Softmax(axis: 9)
    graph.nodes[1].op = MatMul()
    #expect(Self.messages(graph).count == 2)
    #expect(throws: DiagnosticList.self) { try GraphVerifier.verify(graph) }
  }

  @Test func contents() throws {
    var graph = Graph(name: "g")
    let type = TensorType(.f32, [2])
    graph.outputs = try graph.add(Constant(type: type, source: .named("a.weight")), [], name: "w")
    #expect(Self.messages(graph) == [])
    graph.weights["b.weight"] = TensorData(shape: [2], floats: [1, 2])
    #expect(
      Self.messages(graph)
        == ["%w = constant: the weights hold nothing named 'a.weight'\n  names like it: b.weight"])
    graph.weights["a.weight"] = TensorData(shape: [3], floats: [1, 2, 3])
    #expect(
      Self.messages(graph)
        == ["%w = constant: the weights hold f32[3] under 'a.weight', but the constant is f32[2]"])
  }

  @Test func bodiesOfFuses() throws {
    var body = try Self.sound()
    body.nodes[1].operands.removeLast()
    var graph = Graph(name: "outer")
    let x = graph.addInput(TensorType(.f32, [1, 3, 4, 5]), name: "x")
    graph.outputs = try graph.add(Fuse(kernel: "k", schedule: [], body: body), [x])
    #expect(Self.messages(graph) == ["%z = add: add takes 2 operands (a, b), not 1"])
  }

  @Test func locationsComeFromTheText() throws {
    var graph = try GraphParser.parse(
      "graph g(%x: f32[2]) -> (%y) {\n  %y = relu(%x) : f32[2]\n}", file: "a.vir")
    graph.nodes[0].op = Softmax(axis: 3)
    #expect(Self.messages(graph)[0].hasPrefix("a.vir:2:8: %y = softmax: softmax: axis 3 is not"))
  }

  // MARK: Padding

  /// What is said about `op` on a channels-last image of 5 channels in 8, and on other operands.
  private static func padded(_ op: any Op, _ others: Constant...) throws -> [String] {
    var graph = Graph(name: "g")
    let type = TensorType(.f32, [1, 5, 3, 4], layout: .channelsLast(padding: 8))
    let x = graph.addInput(type, name: "x")
    let operands = try others.map { try graph.add($0, [])[0] }
    graph.outputs = try graph.add(op, [x] + operands, name: "y")
    return messages(graph)
  }

  private static func scalar(_ value: Double) -> Constant {
    Constant(type: TensorType(.f32, []), source: .inline([value]))
  }

  @Test func paddingStaysZero() throws {
    #expect(try Self.padded(Relu()) == [])
    #expect(try Self.padded(Gelu()) == [])
    #expect(try Self.padded(Multiply(), Self.scalar(3)) == [])
    #expect(try Self.padded(Multiply(), Constant(type: TensorType(.f32, []), source: .named("s"))) == [])
    #expect(try Self.padded(Divide(), Self.scalar(3)) == [])
    #expect(try Self.padded(Add(), Constant(type: TensorType(.f32, [5, 1, 1]), source: .named("bias"))) == [])
    #expect(try Self.padded(Maximum(), Self.scalar(0)) == [])
    #expect(try Self.padded(Power(), Self.scalar(2)) == [])
    #expect(try Self.padded(Roll(shifts: [1], axes: [2])) == [])
    #expect(try Self.padded(Reduce(kind: .mean, axes: [2], keepDims: true)) == [])
    #expect(try Self.padded(Softmax(axis: 1)).count == 1)
  }

  @Test func paddingThatDoesNotStayZeroIsFlagged() throws {
    let expected = [
      "%y = exp: %y is f32[1,5,3,4] channels_last(8), but the op leaves its padding other than zero"
    ]
    #expect(try Self.padded(Exp()) == expected)
    #expect(try Self.padded(Sigmoid()).count == 1)
    #expect(try Self.padded(Add(), Self.scalar(3)).count == 1)
    #expect(try Self.padded(Add(), Constant(type: TensorType(.f32, []), source: .named("s"))).count == 1)
    #expect(try Self.padded(Maximum(), Self.scalar(1)).count == 1)
    #expect(try Self.padded(Divide(), Self.scalar(0)).count == 1)
    #expect(try Self.padded(Pad(before: [0, 0, 1, 1], after: [0, 0, 0, 0], value: 1)).count == 1)
    #expect(try Self.padded(LayerNorm(axes: [1], epsilon: 1e-5)).count == 1)
  }

  @Test func aKernelMayDoAnythingInsideAndZeroesItsPadding() throws {
    let type = TensorType(.f32, [1, 5, 3, 4], layout: .channelsLast(padding: 8))
    var body = Graph(name: "body")
    let inner = body.addInput(type, name: "x")
    body.outputs = try body.add(Exp(), [inner])
    var graph = Graph(name: "g")
    let x = graph.addInput(type, name: "x")
    graph.outputs = try graph.add(Fuse(kernel: "k", schedule: [], body: body), [x])
    #expect(Self.messages(graph) == [])
  }
}
