import IR
import SwiftProtobuf
import Testing

@testable import Frontends

/// Operators on integers, truths and mixed types, as models write them, against what the standard says of small tensors.
@Suite struct TypedOperatorTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var type: String
    var inputs: [TensorData]
    var attributes: [(String, Int)] = []
    /// Inputs that are known when the model is read.
    var bound: Set<Int> = []
    var expected: TensorData

    var testDescription: String { type }
  }

  private static func of(_ element: ElementType, _ shape: [Int], _ values: [Double]) -> TensorData {
    TensorData(element, shape: shape, values)
  }

  static let cases: [Case] = [
    Case(
      type: "Where", inputs: [of(.bool, [2, 1], [1, 0]), of(.i64, [2], [1, 2]), of(.i64, [], [9])],
      expected: of(.i64, [2, 2], [1, 2, 9, 9])),
    Case(
      type: "Mod", inputs: [of(.i8, [4], [-7, 7, -7, 7]), of(.i8, [4], [3, -3, -3, 3])],
      expected: of(.i8, [4], [2, -2, -1, 1])),
    Case(
      type: "Mod", inputs: [of(.i8, [4], [-7, 7, -7, 7]), of(.i8, [4], [3, -3, -3, 3])], attributes: [("fmod", 1)],
      expected: of(.i8, [4], [-1, 1, -1, 1])),
    Case(
      type: "Div", inputs: [of(.i32, [3], [-7, 7, 6]), of(.i32, [], [2])], expected: of(.i32, [3], [-3, 3, 3])),
    Case(
      type: "Pow", inputs: [of(.i32, [3], [2, 3, -2]), of(.f32, [3], [3, 2, 3])],
      expected: of(.i32, [3], [8, 9, -8])),
    Case(
      type: "Pow", inputs: [of(.f32, [2], [2, 3]), of(.i64, [2], [3, -1])],
      expected: of(.f32, [2], [8, Double(Float(1) / 3)])),
    Case(
      type: "Cast", inputs: [of(.f32, [5], [-1.5, 300.7, .nan, 3.9, -0.5])], attributes: [("to", 3)],
      expected: of(.i8, [5], [-1, 127, 0, 3, 0])),
    Case(
      type: "Cast", inputs: [of(.f32, [3], [0, 0.25, .nan])], attributes: [("to", 9)],
      expected: of(.bool, [3], [0, 1, 1])),
    Case(type: "Xor", inputs: [of(.bool, [2], [1, 0]), of(.bool, [], [1])], expected: of(.bool, [2], [0, 1])),
    Case(
      type: "BitwiseNot", inputs: [of(.u8, [2], [0, 5])], expected: of(.u8, [2], [255, 250])),
    Case(
      type: "Max", inputs: [of(.u64, [2], [1, 9]), of(.u64, [2], [5, 2]), of(.u64, [], [3])],
      expected: of(.u64, [2], [5, 9])),
    Case(
      type: "Clip", inputs: [of(.i8, [3], [-50, 0, 50]), of(.i8, [], [-5]), of(.i8, [], [7])],
      expected: of(.i8, [3], [-5, 0, 7])),
    Case(
      type: "ArgMax", inputs: [of(.f32, [2, 3], [1, 5, 5, 2, 0, 1])],
      attributes: [("axis", 1), ("keepdims", 0), ("select_last_index", 1)], expected: of(.i64, [2], [2, 0])),
    Case(
      type: "CumSum", inputs: [of(.i32, [4], [1, 2, 3, 4]), of(.i32, [], [0])],
      attributes: [("exclusive", 1), ("reverse", 1)], bound: [1], expected: of(.i32, [4], [9, 7, 4, 0])),
    Case(
      type: "OneHot", inputs: [of(.i64, [3], [0, -1, 7]), of(.i64, [], [3]), of(.f32, [2], [2, 5])], bound: [1],
      expected: of(.f32, [3, 3], [5, 2, 2, 2, 2, 5, 2, 2, 2])),
    Case(
      type: "Trilu", inputs: [of(.i64, [2, 3], [1, 2, 3, 4, 5, 6]), of(.i64, [], [1])], bound: [1],
      expected: of(.i64, [2, 3], [0, 2, 3, 0, 0, 6])),
    Case(
      type: "Hardmax", inputs: [of(.f32, [2, 3], [1, 3, 3, 2, 0, 1])], expected: of(.f32, [2, 3], [0, 1, 0, 1, 0, 0])),
    Case(
      type: "MatMul", inputs: [of(.i32, [2], [1, 2]), of(.i32, [2, 2], [1, 2, 3, 4])], expected: of(.i32, [2], [7, 10])),
    Case(type: "MatMul", inputs: [of(.f32, [2], [1, 2]), of(.f32, [2], [3, 4])], expected: of(.f32, [], [11])),
    Case(
      type: "Tile", inputs: [of(.bool, [1, 2], [1, 0]), of(.i64, [2], [2, 2])], bound: [1],
      expected: of(.bool, [2, 4], [1, 0, 1, 0, 1, 0, 1, 0])),
    Case(
      type: "Expand", inputs: [of(.u16, [2, 1], [3, 4]), of(.i64, [3], [2, 1, 2])], bound: [1],
      expected: of(.u16, [2, 2, 2], [3, 3, 4, 4, 3, 3, 4, 4])),
    Case(
      type: "ReduceSum", inputs: [of(.f32, [2, 0], []), of(.i64, [1], [1])], attributes: [("keepdims", 0)],
      bound: [0, 1],
      expected: of(.f32, [2], [0, 0])),
    Case(
      type: "IsInf", inputs: [of(.f32, [3], [.infinity, -.infinity, 1])], attributes: [("detect_negative", 0)],
      expected: of(.bool, [3], [1, 0, 0])),
    Case(
      type: "Pad", inputs: [of(.i32, [4], [1, 2, 3, 4]), of(.i64, [2], [-1, 2])], bound: [1],
      expected: of(.i32, [5], [2, 3, 4, 0, 0])),
  ]

  @Test(arguments: cases) func computes(_ test: Case) throws {
    var node = Onnx_NodeProto()
    node.opType = test.type
    node.input = test.inputs.indices.map { "x\($0)" }
    node.output = ["y"]
    node.attribute = test.attributes.map { .integer($0.0, $0.1) }
    var graph = Onnx_GraphProto()
    graph.node = [node]
    for (index, data) in test.inputs.enumerated() {
      if test.bound.contains(index) {
        graph.initializer.append(Onnx_TensorProto("x\(index)", data))
      } else {
        graph.input.append(Onnx_ValueInfoProto("x\(index)", data.type))
      }
    }
    graph.output = [Onnx_ValueInfoProto("y", test.expected.type)]
    var model = Onnx_ModelProto()
    model.graph = graph
    var operators = Onnx_OperatorSetIdProto()
    operators.version = 20
    model.opsetImport = [operators]
    let read = try ONNXImporter.read(
      bytes: Array(try model.serializedData()), file: "m.onnx", directory: "/nowhere", name: "m")
    let given = test.inputs.indices.filter { !test.bound.contains($0) }.map { Tensor<Double>(test.inputs[$0]) }
    let found = try GraphInterpreter<Double>().run(read, inputs: given)
    #expect(found.map { TensorData(encoding: $0) } == [test.expected])
  }
}
