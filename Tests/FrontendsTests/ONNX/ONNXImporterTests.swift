import Foundation
import IR
import SwiftProtobuf
import Testing

@testable import Frontends

/// What ONNX models are read as. The C that comes of them is run in `ImportTests` of the tool.
@Suite struct ONNXImporterTests {
  // MARK: Models that others wrote

  private func outputs(_ graph: Graph, _ inputs: [TensorData]) throws -> [[Double]] {
    try GraphInterpreter<Double>().run(graph, inputs: inputs.map { Tensor($0) }).map(\.real)
  }

  private func expectClose(_ found: [Double], _ expected: [Double], _ tolerance: Double) {
    #expect(found.count == expected.count)
    var difference = 0.0
    var length = 0.0
    for (a, b) in zip(found, expected) {
      difference += (a - b) * (a - b)
      length += b * b
    }
    #expect(difference.squareRoot() <= tolerance * length.squareRoot())
  }

  @Test(arguments: ["torchscript", "dynamo"]) func modelsOfPyTorch(_ exporter: String) throws {
    let graph = try ONNXImporter.read(fixture("onnx/mobilevig_\(exporter).onnx"))
    let input = try NumpyFile.read(fixture("onnx/mobilevig_input.npy"))
    let expected = try NumpyFile.read(fixture("onnx/mobilevig_output.npy"))
    #expect(graph.name == "mobilevig_\(exporter)")
    #expect(graph.outputs.map { graph.values[$0.index].name } == ["logits"])
    #expect(graph.weights["head.weight"]?.shape == [10, 32, 1, 1])
    expectClose(try outputs(graph, [input])[0], expected.floats.map(Double.init), 1e-6)
  }

  @Test(arguments: ["tiny", "small", "mobilevigv2_onnx"]) func ownExportsComputeTheSame(_ spec: String) throws {
    let graph = try ModelLoader.load(model: fixture("specs/\(spec).yaml"), weights: .synthetic(seed: 4)).graph
    let read = try self.read(Onnx_ModelProto(serializedBytes: ONNXExporter.export(graph, version: "1")))
    let shape = graph.tensorType(of: graph.inputs[0]).shape
    let input = try InputSource.synthetic(seed: 3).load(shape: shape, preprocessing: nil)
    for (found, expected) in zip(try outputs(read, [input]), try outputs(graph, [input])) {
      expectClose(found, expected, 1e-6)
    }
  }

  // MARK: Models made here

  private func read(
    _ model: Onnx_ModelProto, directory: String = "/nowhere", dimensions: [String: Int] = [:]
  ) throws -> Graph {
    try ONNXImporter.read(
      bytes: Array(try model.serializedData()), file: "m.onnx", directory: directory, name: "m", dimensions: dimensions)
  }

  private func floats(_ name: String, _ shape: [Int], _ values: [Float]) -> Onnx_TensorProto {
    Onnx_TensorProto(name, TensorData(shape: shape, floats: values))
  }

  private func integers(_ name: String, _ values: [Int64]) -> Onnx_TensorProto {
    Onnx_TensorProto(
      name, TensorData(encoding: Tensor<Double>(element: .i64, shape: [values.count], integer: values)))
  }

  /// A model of one input `x` and one output `y`.
  private func model(
    _ nodes: [Onnx_NodeProto], input: [Int] = [1, 2, 3, 4], weights: [Onnx_TensorProto] = [], version: Int64 = 17
  ) -> Onnx_ModelProto {
    var model = Onnx_ModelProto()
    model.irVersion = 8
    var set = Onnx_OperatorSetIdProto()
    set.version = version
    model.opsetImport = [set]
    model.graph.input = [Onnx_ValueInfoProto("x", TensorType(.f32, input))]
    var output = Onnx_ValueInfoProto()
    output.name = "y"
    model.graph.output = [output]
    model.graph.node = nodes
    model.graph.initializer = weights
    return model
  }

  /// What a model makes of 0, 1, 2, ... minus 5.
  private func run(_ model: Onnx_ModelProto) throws -> (shape: [Int], values: [Double]) {
    let graph = try read(model)
    let shape = graph.tensorType(of: graph.inputs[0]).shape
    let input = TensorData(shape: shape, floats: (0..<shape.reduce(1, *)).map { Float($0) - 5 })
    let result = try GraphInterpreter<Double>().run(graph, inputs: [Tensor(input)])[0]
    return (result.shape, result.real)
  }

  @Test func shapesAreComputedWhenTheModelIsRead() throws {
    // reshape(x, concat(shape(x)[0:1], [-1], [shape(x)[3] / 2]))
    let nodes = [
      node("Shape", ["x"], ["s"]), node("Gather", ["s", "three"], ["w"]), node("Div", ["w", "two"], ["h"]),
      node("Slice", ["s", "zero", "one"], ["n"]), node("Concat", ["n", "free", "h"], ["r"], [.integer("axis", 0)]),
      node("Reshape", ["x", "r"], ["y"]),
    ]
    let weights = [
      integers("three", [3]), integers("two", [2]), integers("zero", [0]), integers("one", [1]), integers("free", [-1]),
    ]
    let graph = try read(model(nodes, weights: weights))
    #expect(graph.nodes.map(\.op.mnemonic) == ["reshape"])
    #expect(graph.tensorType(of: graph.outputs[0]).shape == [1, 12, 2])
  }

  @Test func operatorsMeanWhatTheStandardSays() throws {
    let values = (0..<24).map { Double($0) - 5 }
    let clip = try run(
      model(
        [node("Clip", ["x", "low", "high"], ["y"])],
        weights: [floats("low", [], [-2]), floats("high", [], [3])]))
    #expect(clip.values == values.map { min(3, max(-2, $0)) })

    // Bounds left out, and an addition of three.
    let least = try run(model([node("Clip", ["x", "", "high"], ["y"])], weights: [floats("high", [], [3])]))
    #expect(least.values == values.map { min(3, $0) })
    #expect(try run(model([node("Sum", ["x", "x", "x"], ["y"])])).values == values.map { 3 * $0 })

    let weights = [floats("w", [2, 4], [1, 2, 3, 4, 5, 6, 7, 8]), floats("b", [2], [10, 20])]
    let gemm = try run(
      model(
        [node("Gemm", ["x", "w", "b"], ["y"], [.integer("transB", 1), .float("alpha", 2), .float("beta", 0.5)])],
        input: [1, 4], weights: weights))
    #expect(gemm.values == [-55, -162])

    // Halves of old and of new operator sets; backwards; everything; nothing.
    let halves = [node("Split", ["x"], ["a", "b"], [.integer("axis", 3)]), node("Sub", ["b", "a"], ["y"])]
    #expect(try run(model(halves, version: 11)).values == [Double](repeating: 2, count: 12))
    let back = [node("Slice", ["x", "end", "start", "axis", "back"], ["y"])]
    let places = [integers("end", [-1]), integers("start", [-100]), integers("axis", [-1]), integers("back", [-2])]
    #expect(try run(model(back, weights: places)).values.prefix(4) == [-2, -4, 2, 0])
    let rolled = [
      node("Slice", ["x", "nine", "most", "axis"], ["a"]), node("Slice", ["x", "zero", "nine", "axis"], ["b"]),
      node("Concat", ["a", "b"], ["c"], [.integer("axis", 3)]), node("Relu", ["c"], ["y"]),
    ]
    let clamped = [
      integers("nine", [9]), integers("most", [Int64.max]), integers("axis", [3]), integers("zero", [0]),
    ]
    #expect(try read(model(rolled, weights: clamped)).nodes.map(\.op.mnemonic) == ["relu"])

    // Before operator set 13 a softmax ran over all axes from its own on, by default the first.
    let softmax = node("Softmax", ["x"], ["y"])
    #expect(abs(try run(model([softmax], version: 11)).values.reduce(0, +) - 1) < 1e-12)
    #expect(abs(try run(model([softmax], version: 13)).values.reduce(0, +) - 6) < 1e-12)

    // Axes are an attribute of old and an input of new operator sets.
    let old = node("ReduceSum", ["x"], ["y"], [.integers("axes", [-1]), .integer("keepdims", 0)])
    let new = node("ReduceSum", ["x", "axis"], ["y"], [.integer("keepdims", 0)])
    let sums = try run(model([old], version: 11))
    #expect(sums.shape == [1, 2, 3] && sums.values.prefix(2) == [-14, 2])
    #expect(try run(model([new], weights: [integers("axis", [3])])).values == sums.values)

    let one = floats("w", [1, 2, 2, 2], [1, 0, 0, 0, 0, 0, 0, 0])
    for (padding, first) in [("SAME_UPPER", [-5.0, -4]), ("SAME_LOWER", [0, 0])] {
      let same = try run(
        model([node("Conv", ["x", "w"], ["y"], [.string("auto_pad", padding)])], weights: [one]))
      #expect(same.shape == [1, 1, 3, 4] && Array(same.values.prefix(2)) == first)
    }
  }

  @Test func functionsAreInlined() throws {
    var function = Onnx_FunctionProto()
    function.name = "Twice"
    function.domain = "own"
    function.input = ["a"]
    function.output = ["b"]
    function.attribute = ["slope"]
    function.opsetImport = model([]).opsetImport
    var slope = Onnx_AttributeProto.float("alpha", 0)
    slope.refAttrName = "slope"
    function.node = [node("LeakyRelu", ["a"], ["t"], [slope]), node("Add", ["t", "t"], ["b"])]
    var call = node("Twice", ["x"], ["y"], [.float("slope", 0.5)])
    call.domain = "own"
    var model = self.model([call])
    model.functions = [function]
    #expect(try run(model).values.prefix(7) == [-5, -4, -3, -2, -1, 0, 2])

    // One that calls itself.
    var inner = node("Twice", ["a"], ["b"])
    inner.domain = "own"
    model.functions[0].node = [inner]
    #expect(message { try read(model) }.contains("its functions and graphs lie in each other in a circle, or 64 deep"))
  }

  @Test func symbolicDimensionsAreBound() throws {
    var model = self.model([node("Relu", ["x"], ["y"])])
    model.graph.input[0].type.tensorType.shape.dim[0].dimParam = "batch"
    model.graph.input[0].type.tensorType.shape.dim[3].value = nil
    let graph = try read(model, dimensions: ["batch": 2, "x.3": 7])
    #expect(graph.tensorType(of: graph.outputs[0]).shape == [2, 2, 3, 7])
    #expect(
      message { try read(model, dimensions: ["x.3": 7]) } == """
        m.onnx: dimension 0 of the input 'x' is 'batch', which has no size
          give it one: --dim batch=1
        """)
    #expect(
      message { try read(model, dimensions: ["batch": 1, "x.3": 7, "c": 1]) }
        == "m.onnx: it has no dimension 'c'; there is batch, x.3")
  }

  // MARK: What is refused

  /// Reads what must be refused with a list.
  private func problems(_ model: Onnx_ModelProto) -> [String] {
    do {
      _ = try read(model)
      Issue.record("expected to be refused")
    } catch let list as DiagnosticList {
      return list.diagnostics.map(\.description)
    } catch {
      Issue.record("\(error)")
    }
    return []
  }

  @Test func allThatIsNotSupportedIsSaidAtOnce() throws {
    let nodes = [
      node("RandomNormalLike", ["x"], ["values", "indices"]), node("Relu", ["values"], ["unread"]),
      node("Conv", ["x", "w"], ["c"], [.integer("group", 2)]), node("Relu", ["x"], ["r"], [.integer("odd", 1)]),
      node("Reshape", ["x", "indices"], ["y"]),
    ]
    let weights = [floats("w", [1, 2, 1, 1], [1, 1])]
    #expect(
      problems(model(nodes, weights: weights)) == [
        """
        m.onnx: the node 'n.values' (RandomNormalLike) over f32[1,2,3,4]: the operator is not supported
          docs/OnnxSupport.md lists the operators that are
        """,
        """
        m.onnx: the node 'n.c' (Conv) over f32[1,2,3,4], f32[1,2,1,1]: conv2d: 2 groups do not divide 2 input and 1 \
        output channels
        """,
        "m.onnx: the node 'n.r' (Relu) over f32[1,2,3,4]: its attribute 'odd' is not known",
      ])
  }

  @Test func quantisedFormsThatAreRefused() throws {
    let weights = [floats("s", [2], [0.5, 0.25]), integers("z", [3]), floats("one", [], [0.5])]
    func refusal(_ inputs: [String], _ attributes: [Onnx_AttributeProto] = []) -> String {
      message { try read(model([node("QuantizeLinear", inputs, ["y"], attributes)], weights: weights)) }
    }
    #expect(
      refusal(["x", "s"], [.integer("axis", 3)]).hasSuffix(
        "its scale is f32[2]; it must be one number, or 4 along axis 3"))
    #expect(refusal(["x", "z"]).hasSuffix("its scale is i64[1]; scales are floats"))
    #expect(refusal(["x", "one", "z"]).hasSuffix("it quantises to i64; i8, u8, i16 and u16 are possible"))
    #expect(
      refusal(["x", "s"], [.integer("block_size", 2)]).contains(
        "it has a scale for each block of 2 elements; one a tensor and one along an axis are possible"))
  }

  @Test func hostileModelsAreRefused() throws {
    let relu = node("Relu", ["x"], ["y"])
    func refusal(_ change: (inout Onnx_ModelProto) -> Void) -> String {
      var model = self.model([relu])
      change(&model)
      return message { try read(model) }
    }
    #expect(refusal { $0.opsetImport[0].version = 6 }.contains("it is written in operator set 6; 7 to 27 are read"))
    #expect(refusal { $0.opsetImport = [] }.contains("does not say which operator set"))
    #expect(refusal { $0.graph.node = [] }.contains("without a graph"))
    #expect(refusal { $0.graph.node[0].input = ["y"] }.contains("reads 'y', which nothing before it computes"))
    #expect(refusal { $0.graph.node.append(relu) }.contains("'y' is computed twice"))
    #expect(refusal { $0.graph.output[0].name = "z" }.contains("the output 'z' is computed nowhere"))
    #expect(refusal { $0.graph.output = [] }.contains("it has no output"))
    #expect(refusal { $0.graph.node[0].domain = "com.microsoft" }.contains("'com.microsoft' are not ONNX's own"))
    #expect(refusal { $0.graph.input[0].type.tensorType.elemType = 17 }.contains("has elements of type 17"))
    for extents in [[-1, 2], [0, 2], [1 << 40, 1 << 40], [Int.max, 2]] {
      let input = Onnx_ValueInfoProto("x", TensorType(.f32, extents))
      #expect(refusal { $0.graph.input = [input] }.contains("extents are at least 1"))
    }
    func weight(_ change: (inout Onnx_TensorProto) -> Void) -> String {
      var tensor = floats("w", [2], [1, 2])
      change(&tensor)
      return refusal { $0.graph.initializer = [tensor] }
    }
    #expect(weight { $0.dims = [3] }.contains("its contents are 8 bytes, and f32[3] takes 12"))
    #expect(weight { $0.dims = [-2] }.contains("it has an extent of -2"))
    #expect(weight { $0.dims = [1 << 40, 1 << 40] }.contains("more than"))
    #expect(weight { $0.dataType = 8 }.contains("no number that the graph knows"))
    #expect(weight { $0.rawData = Data() }.contains("1 of 1 initializers have a shape and no contents: w"))
    #expect(
      refusal {
        $0.graph.initializer = [integers("s", [1 << 40, 1 << 40])]
        $0.graph.node = [node("ConstantOfShape", ["s"], ["y"])]
      }.contains("too large to be known"))
    #expect(
      refusal {
        $0.graph.initializer = [integers("a", [7]), integers("b", [0])]
        $0.graph.node = [node("Div", ["a", "b"], ["y"])]
      }.contains("it divides integers by zero"))

    // Every part of a file, and every file with a byte changed, is read or refused, and nothing else.
    let bytes = try readFile(fixture("onnx/mobilevig_dynamo.onnx"))
    let header = bytes.prefix(3000)
    for count in stride(from: 0, to: header.count, by: 97) {
      #expect(throws: Diagnostic.self) {
        try ONNXImporter.read(bytes: Array(header.prefix(count)), file: "m", directory: "/nowhere", name: "m")
      }
    }
    let small = Array(
      try model([node("Slice", ["x", "a", "b"], ["y"])], weights: [integers("a", [0]), integers("b", [1])])
        .serializedData())
    for place in small.indices {
      for bit in [0, 3, 7] {
        var changed = small
        changed[place] ^= 1 << UInt8(bit)
        do {
          _ = try ONNXImporter.read(bytes: changed, file: "m", directory: "/nowhere", name: "m")
        } catch {
          #expect(error is Diagnostic || error is DiagnosticList)
        }
      }
    }
  }

  @Test func externalDataStaysInTheModelsFolder() throws {
    try withTemporaryFolder { folder in
      func model(_ fields: [String: String]) -> Onnx_ModelProto {
        var tensor = floats("w", [2], [0, 0])
        tensor.rawData = Data()
        tensor.dataLocation = .external
        tensor.externalData = fields.sorted { $0.key < $1.key }.map { key, value in
          var entry = Onnx_StringStringEntryProto()
          entry.key = key
          entry.value = value
          return entry
        }
        return self.model([node("Add", ["x", "w"], ["y"])], input: [1, 2], weights: [tensor])
      }
      let data = TensorData(shape: [3], floats: [7, 8, 9])
      try FileManager.default.createDirectory(atPath: "\(folder)/m", withIntermediateDirectories: true)
      for path in ["\(folder)/m/w.bin", "\(folder)/outside.bin"] { try writeFileAtomically(data.bytes, to: path) }
      try FileManager.default.createSymbolicLink(
        atPath: "\(folder)/m/link.bin", withDestinationPath: "\(folder)/outside.bin")
      let found = try read(model(["location": "w.bin", "offset": "4", "length": "8"]), directory: "\(folder)/m")
      #expect(found.weights["w"]?.floats == [8, 9])
      func refusal(_ fields: [String: String]) -> String {
        message { try read(model(fields), directory: "\(folder)/m") }
      }
      for path in ["../outside.bin", "\(folder)/outside.bin", "link.bin"] {
        #expect(refusal(["location": path]).contains("is not in the model's own folder"))
      }
      #expect(refusal(["location": "w.bin", "offset": "8"]).contains("8 bytes from 8 of w.bin, which has 12"))
      #expect(refusal(["location": "w.bin", "offset": "-4"]).contains("its 'offset' is '-4', which is no size"))
      #expect(refusal(["location": "none.bin"]).contains("No such file"))
      #expect(refusal([:]).contains("in another file, which it does not name"))
    }
  }

  // MARK: Documentation

  @Test func documentationListsEveryOperator() throws {
    let text = try readText(packageRoot.appendingPathComponent("docs/OnnxSupport.md").path)
    let rows = text.split(separator: "\n").filter { $0.hasPrefix("| `") }
    let expected = ONNXImporter.supportedOperators.map { "| `\($0.name)` | \($0.limits) |" }
    #expect(rows.count == expected.count)
    for (row, start) in zip(rows, expected) { #expect(row.hasPrefix(start)) }
  }
}
