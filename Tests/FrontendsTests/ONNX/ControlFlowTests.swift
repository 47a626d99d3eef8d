import Foundation
import IR
import SwiftProtobuf
import Testing

@testable import Frontends

/// Branches, loops and results of unknown sizes that cannot be compiled: each is refused in a line that says why. Those that
/// can are among the models of `ValueTests`.
@Suite struct ControlFlowTests {
  private func graph(
    _ name: String, _ nodes: [Onnx_NodeProto], from inputs: [String] = [], to outputs: [String]
  ) -> Onnx_AttributeProto {
    func named(_ name: String) -> Onnx_ValueInfoProto {
      var value = Onnx_ValueInfoProto()
      value.name = name
      return value
    }
    var attribute = Onnx_AttributeProto()
    attribute.name = name
    attribute.type = .graph
    attribute.g.name = "\(name).g"
    attribute.g.node = nodes
    attribute.g.input = inputs.map(named)
    attribute.g.output = outputs.map(named)
    return attribute
  }

  private func scalar(_ name: String, _ element: ElementType, _ value: Int64) -> Onnx_TensorProto {
    Onnx_TensorProto(name, TensorData(encoding: Tensor<Double>(element: element, shape: [], integer: [value])))
  }

  /// A model of one input `x`.
  private func model(
    _ nodes: [Onnx_NodeProto], _ weights: [Onnx_TensorProto] = [], to outputs: [String] = ["y"], version: Int64 = 17
  ) -> Onnx_ModelProto {
    var model = Onnx_ModelProto()
    model.irVersion = 8
    var set = Onnx_OperatorSetIdProto()
    set.version = version
    model.opsetImport = [set]
    model.graph.input = [Onnx_ValueInfoProto("x", TensorType(.f32, [2, 3]))]
    model.graph.output = outputs.map { name in
      var output = Onnx_ValueInfoProto()
      output.name = name
      return output
    }
    model.graph.node = nodes
    model.graph.initializer = weights
    return model
  }

  private func read(_ model: Onnx_ModelProto) throws -> Graph {
    try ONNXImporter.read(
      bytes: Array(try model.serializedData()), file: "m.onnx", directory: "/nowhere", name: "m")
  }

  private func refusal(
    _ nodes: [Onnx_NodeProto], _ weights: [Onnx_TensorProto] = [], to outputs: [String] = ["y"], version: Int64 = 17
  ) -> String {
    message { try read(model(nodes, weights, to: outputs, version: version)) }
  }

  /// Whether the sum of `x` is positive, as `c`.
  private var positive: [Onnx_NodeProto] {
    [
      node("ReduceSum", ["x"], ["sum"], [.integer("keepdims", 0)]), node("Cast", ["sum"], ["c"], [.integer("to", 9)]),
    ]
  }

  private var branches: [Onnx_AttributeProto] {
    [
      graph("then_branch", [node("Relu", ["x"], ["t"])], to: ["t"]),
      graph("else_branch", [node("Neg", ["x"], ["e"])], to: ["e"]),
    ]
  }

  /// A loop body that carries `v` on.
  private func body(
    _ nodes: [Onnx_NodeProto], to outputs: [String] = ["on", "w"]
  ) -> Onnx_AttributeProto {
    graph("body", nodes, from: ["i", "on", "v"], to: outputs)
  }

  @Test func branchesThatDataDecide() {
    #expect(
      refusal(positive + [node("If", ["c"], ["y"], branches)]) == """
        m.onnx: the node 'n.y' (If) over bool[]: the condition (input 0) depends on the model's input; it must be known \
        when the model is compiled
        """)
    #expect(
      refusal([node("If", ["c"], ["y"], branches)], [scalar("c", .i64, 1)])
        == "m.onnx: the node 'n.y' (If) over i64[]: the condition (input 0) is i64[]; it must be one bool")
    #expect(
      refusal([node("If", ["c"], ["y"], [branches[0]])], [scalar("c", .bool, 0)])
        == "m.onnx: the node 'n.y' (If) over bool[]: it has no 'else_branch'")
  }

  @Test func graphsThatAreNone() {
    let yes = [scalar("c", .bool, 1)]
    func inner(_ nodes: [Onnx_NodeProto], to outputs: [String]) -> String {
      refusal([node("If", ["c"], ["y"], [graph("then_branch", nodes, to: outputs), branches[1]])], yes)
    }
    #expect(
      inner([node("Relu", ["later"], ["t"])], to: ["t"])
        == """
        m.onnx: the node 'n.y/n.t' (Relu) reads 'later', which nothing before it computes
          nodes must be in an order in which they can run
        """)
    #expect(
      inner([], to: ["t"]) == "m.onnx: the graph 'then_branch.g' returns 't', which it computes nowhere")
    #expect(
      inner([node("Relu", ["x"], ["t"]), node("Neg", ["x"], ["t"])], to: ["t"])
        == "m.onnx: 't' is computed twice, the second time by the node 'n.y/n.t' (Neg)")
    // What a graph computes is its own.
    #expect(
      refusal([node("If", ["c"], ["z"], branches), node("Neg", ["t"], ["y"])], yes)
        .contains("the node 'n.y' (Neg) reads 't', which nothing before it computes"))
    // A node in the graph that is taken is refused by its own name, one in the other does not matter.
    let odd = [node("Relu", ["x"], ["t"], [.integer("odd", 1)])]
    #expect(
      inner(odd, to: ["t"]) == "m.onnx: the node 'n.y/n.t' (Relu) over f32[2,3]: its attribute 'odd' is not known")
    let other = [graph("then_branch", odd, to: ["t"]), branches[1]]
    #expect(throws: Never.self) { try read(model([node("If", ["c"], ["y"], other)], [scalar("c", .bool, 0)])) }
  }

  @Test func graphsThatLieDeep() {
    var attributes = branches
    for _ in 0..<25 {
      attributes = [graph("then_branch", [node("If", ["c"], ["t"], attributes)], to: ["t"]), branches[1]]
    }
    #expect(throws: Never.self) { try read(model([node("If", ["c"], ["y"], attributes)], [scalar("c", .bool, 1)])) }
    // A function that calls itself in a branch.
    var function = Onnx_FunctionProto()
    function.name = "Again"
    function.domain = "own"
    function.input = ["c", "x"]
    function.output = ["t"]
    var call = node("Again", ["c", "x"], ["u"])
    call.domain = "own"
    function.node = [node("If", ["c"], ["t"], [graph("then_branch", [call], to: ["u"]), branches[1]])]
    var top = call
    top.output = ["y"]
    var whole = model([top], [scalar("c", .bool, 1)])
    function.opsetImport = whole.opsetImport
    whole.functions = [function]
    #expect(
      message { try read(whole) } == "m.onnx: its functions and graphs lie in each other in a circle, or 64 deep")
  }

  @Test func loopsThatDataDecide() {
    let step = [node("Neg", ["v"], ["w"])]
    let yes = scalar("yes", .bool, 1)
    let many = [node("Cast", ["sum"], ["k"], [.integer("to", 7)])]
    #expect(
      refusal(positive + many + [node("Loop", ["k", "yes", "x"], ["y"], [body(step)])], [yes]) == """
        m.onnx: the node 'n.y' (Loop) over i64[], bool[], f32[2,3]: the number of turns (input 0) depends on the model's \
        input; it must be known when the model is compiled
        """)
    #expect(
      refusal(positive + [node("Loop", ["", "c", "x"], ["y"], [body(step)])])
        .contains("(Loop) over nothing, bool[], f32[2,3]: whether it begins (input 1) depends on the model's input"))
    let asks = positive.map { one in
      var one = one
      one.input = one.input.map { $0 == "x" ? "v" : $0 }
      return one
    }
    #expect(
      refusal([node("Loop", ["", "yes", "x"], ["y"], [body(asks + step, to: ["c", "w"])])], [yes]) == """
        m.onnx: the node 'n.y' (Loop) over nothing, bool[], f32[2,3]: whether it goes on after turn 1 depends on the \
        model's input; it must be known when the model is compiled
        """)
  }

  @Test func loopsWithoutAnEnd() {
    let step = [node("Neg", ["v"], ["w"])]
    let yes = scalar("yes", .bool, 1)
    let tooMany = "it takes more than 1024 turns, each of which would become nodes of its own"
    #expect(refusal([node("Loop", ["", "yes", "x"], ["y"], [body(step)])], [yes]).hasSuffix(tooMany))
    for count: Int64 in [1025, .max] {
      let turns = [scalar("k", .i64, count), yes]
      #expect(refusal([node("Loop", ["k", "yes", "x"], ["y"], [body(step)])], turns).hasSuffix(tooMany))
    }
    let most = [scalar("k", .i64, 1024), yes]
    #expect(throws: Never.self) {
      let graph = try read(model([node("Loop", ["k", "yes", "x"], ["y"], [body(step)])], most))
      #expect(graph.nodes.count == 1024)
    }
    // Loops in loops come to a bound of their own, empty ones too.
    var inner = body([], to: ["on", "v"])
    for _ in 0..<3 { inner = body([node("Loop", ["k", "yes", "v"], ["w"], [inner])]) }
    #expect(
      refusal([node("Loop", ["k", "yes", "x"], ["y"], [inner])], most)
        == "m.onnx: its loops come to more than 65536 turns")
    // A node that is refused is said once, not once a turn.
    let odd = [node("Relu", ["v"], ["w"], [.integer("odd", 1)])]
    #expect(
      refusal([node("Loop", ["k", "yes", "x"], ["y"], [body(odd)])], most)
        == "m.onnx: the node 'n.y/0/n.w' (Relu) over f32[2,3]: its attribute 'odd' is not known")
  }

  @Test func loopsWhosePartsDoNotFit() {
    let weights = [scalar("k", .i64, 2), scalar("yes", .bool, 1), scalar("none", .i64, 0)]
    func loop(_ nodes: [Onnx_NodeProto], to outputs: [String], turns: String = "k", results: [String] = ["y", "s"])
      -> String
    {
      refusal([node("Loop", [turns, "yes", "x"], results, [body(nodes, to: outputs)])], weights)
    }
    let grow = [node("Concat", ["v", "x"], ["w"], [.integer("axis", 0)])]
    #expect(
      loop(grow, to: ["on", "w", "w"])
        .hasSuffix("it collects 'w', which is f32[4,3] in one turn and f32[6,3] in another"))
    #expect(loop(grow, to: ["on"]).hasSuffix("its body returns 1 values, and it carries 1 on"))
    #expect(
      loop(grow, to: ["on", "w", "w"], turns: "none")
        .hasSuffix("it takes no turn, and its body does not say the shape of 'w', which it collects"))
    var short = body(grow)
    short.g.input.removeLast()
    #expect(
      refusal([node("Loop", ["k", "yes", "x"], ["y"], [short])], weights)
        .hasSuffix("its graph 'body.g' takes 2 inputs, and it gives 3"))
    let slices = graph("body", [node("Neg", ["v"], ["w"])], from: ["v"], to: ["w"])
    #expect(
      refusal([node("Scan", ["x"], ["y"], [slices, .integer("num_scan_inputs", 2)])])
        .hasSuffix("it takes 1 inputs, of which it would read 2 slice by slice"))
    #expect(
      refusal([node("Scan", ["", "x"], ["y"], [slices, .integer("num_scan_inputs", 1)])], version: 8)
        .hasSuffix("it is Scan of operator set 8, which has another form; export a newer one"))
  }

  @Test func sequencesOutOfPlace() {
    let one = node("SequenceConstruct", ["x", "x"], ["s"])
    let place = scalar("p", .i64, 2)
    #expect(
      refusal([one], to: ["s"])
        == "m.onnx: the output 's' is a sequence of tensors; export a model that returns them one by one, or joined")
    #expect(
      refusal([one, node("Relu", ["s"], ["y"])])
        == """
        m.onnx: the node 'n.y' (Relu) over a sequence of 2: it reads a sequence of tensors where it takes one
        """)
    #expect(
      refusal([node("SequenceAt", ["x", "p"], ["y"])], [place]).hasSuffix("its input 0 is not a sequence"))
    #expect(
      refusal([one, node("SequenceAt", ["s", "p"], ["y"])], [place])
        .hasSuffix("the position [2] is not among the 2 of its sequence"))
    #expect(
      refusal([node("SequenceEmpty", [], ["s"]), node("ConcatFromSequence", ["s"], ["y"], [.integer("axis", 0)])])
        .hasSuffix("it joins an empty sequence"))
    #expect(
      refusal(
        positive + [node("Cast", ["sum"], ["k"], [.integer("to", 7)]), one, node("SequenceAt", ["s", "k"], ["y"])]
      )
      .hasSuffix("the position (input 1) depends on the model's input; it must be known when the model is compiled"))
  }

  @Test func sizesThatDataDecide() {
    func extract(_ at: String) -> String {
      "in Python: onnx.utils.extract_model(\"m.onnx\", \"cut.onnx\", [\"x\"], [\(at)])"
    }
    func reason(_ what: String) -> String {
      "\(what) depends on the model's input, and sizes are fixed when a model is compiled"
    }
    let boxes = [
      node("Gather", ["x", "rows"], ["b"], [.integer("axis", 1)]), node("Unsqueeze", ["b", "zero"], ["boxes"]),
      node("Unsqueeze", ["x", "zero"], ["scores"]), node("NonMaxSuppression", ["boxes", "scores", "most"], ["y"]),
    ]
    func list(_ name: String, _ values: [Int64]) -> Onnx_TensorProto {
      Onnx_TensorProto(
        name, TensorData(encoding: Tensor<Double>(element: .i64, shape: [values.count], integer: values)))
    }
    let weights = [list("rows", [0, 1, 1, 2]), list("zero", [0]), list("most", [3])]
    #expect(
      refusal(boxes, weights) == """
        m.onnx: the node 'n.y' (NonMaxSuppression) over f32[1,2,4], f32[1,2,3], i64[1]: \
        \(reason("how many boxes it keeps")): cut the model before it, at 'boxes' and 'scores', and compute the rest \
        yourself
          \(extract("\"boxes\", \"scores\""))
        """)
    // None is what it keeps unless it says how many it may.
    var silent = boxes
    silent[3].input.removeLast()
    let rank = [node("Shape", ["y"], ["rows of it"]), node("Cast", ["rows of it"], ["z"], [.integer("to", 1)])]
    #expect(throws: Never.self) {
      let graph = try read(model(silent + rank, weights, to: ["z"]))
      let zeros = TensorData(shape: [2, 3], floats: [Float](repeating: 0, count: 6))
      #expect(try GraphInterpreter<Double>().run(graph, inputs: [Tensor(zeros)])[0].real == [0, 3])
    }
    for (type, what) in [
      ("NonZero", "how many elements are not zero"), ("Unique", "how many different elements there are"),
    ] {
      #expect(
        refusal([node("Neg", ["x"], ["v"]), node(type, ["v"], ["y"])]) == """
          m.onnx: the node 'n.y' (\(type)) over f32[2,3]: \(reason(what)): cut the model before it, at 'v', and compute \
          the rest yourself
            \(extract("\"v\""))
          """)
    }
    #expect(
      refusal([node("Cast", ["x"], ["v"], [.integer("to", 9)]), node("Compress", ["x", "v"], ["y"])])
        .contains("\(reason("how many slices it keeps")): cut the model before it, at 'x' and 'v', and compute"))
    // Names within a branch are none of the model's.
    let inner = graph("then_branch", [node("NonZero", ["x"], ["t"])], to: ["t"])
    #expect(
      refusal([node("If", ["c"], ["y"], [inner, branches[1]])], [scalar("c", .bool, 1)]) == """
        m.onnx: the node 'n.y/n.t' (NonZero) over f32[2,3]: \(reason("how many elements are not zero"))
          cut the model before what holds this node, and compute the rest yourself
        """)
  }
}
