import Foundation
import IR
import SwiftProtobuf
import Testing

@testable import Frontends

/// What an exported file holds. Whether it computes the same is asked of ONNX Runtime, in `ExportTests` of the tool.
@Suite struct ONNXExporterTests {
  private func model(_ graph: Graph) throws -> Onnx_ModelProto {
    try Onnx_ModelProto(serializedBytes: ONNXExporter.export(graph, version: "1.2.3"))
  }

  private func graph(_ text: String) throws -> Graph {
    var graph = try GraphParser.parse(text)
    for node in graph.nodes {
      if let constant = node.op as? Constant, case .named(let name) = constant.source {
        graph.weights[name] = SyntheticWeights(seed: 0).tensor(name, shape: constant.type.shape)
      }
    }
    return graph
  }

  @Test func everyOpIsWrittenOrMadeByPassesOnly() {
    for type in OpRegistry.all {
      let isInternal = ONNXExporter.internalOps.contains { $0 == type } || type == Constant.self
      #expect((type is any ONNXOp.Type) != isInternal, "\(type.mnemonic)")
    }
    // A kind of offsets is written by its form.
    for kind in GraphConstructions.all {
      #expect(kind is any ONNXConstruction.Type || kind is any OffsetConstruction.Type, "\(kind.kind)")
    }
  }

  /// The fixture that ONNX Runtime is run on leaves nothing out.
  @Test func theFixtureHasEveryOp() throws {
    let graph = try GraphFile.read(fixture("onnx/ops.vir"))
    let found = Set(graph.nodes.map { $0.op.mnemonic } + ONNXExporter.internalOps.map { $0.mnemonic })
    #expect(Set(OpRegistry.all.map { $0.mnemonic }).subtracting(found).isEmpty)
    let kinds = graph.nodes.compactMap { ($0.op as? BuildNeighborhood)?.construction.kind }
    #expect(Set(GraphConstructions.all.map { $0.kind }) == Set(kinds))
  }

  @Test func namesAreThoseOfTheModel() throws {
    let loaded = try ModelLoader.load(model: fixture("specs/tiny.yaml"))
    let model = try model(loaded.graph)
    #expect(model.irVersion == 8 && model.producerName == "vigc" && model.producerVersion == "1.2.3")
    #expect(model.opsetImport.map(\.domain) == [""] && model.opsetImport.map(\.version) == [17])
    #expect(model.graph.name == "tiny")
    #expect(model.graph.input.map(\.name) == ["input"])
    let dimensions = model.graph.input.first?.type.tensorType.shape.dim.map(\.dimValue)
    #expect(dimensions == [1, 3, 32, 40])

    // Every weight that the graph reads, under its own name and with its own bits.
    let weights = Dictionary(uniqueKeysWithValues: model.graph.initializer.map { ($0.name, $0) })
    for (name, data) in loaded.graph.weights where loaded.graph.namedConstants.contains(name) {
      let found = try #require(weights[name], "\(name)")
      #expect(Array(found.rawData) == data.bytes && found.dims == data.shape.map(Int64.init))
    }
    // A layer's output is computed by the node of its name, and the other nodes are named after it.
    let nodes = Dictionary(uniqueKeysWithValues: model.graph.node.map { ($0.name, $0) })
    #expect(nodes["stem.stem.0"]?.opType == "Conv")
    #expect(nodes["stem.stem.0"]?.input == ["input", "stem.stem.0.weight", "stem.stem.0.bias"])
    #expect(nodes["stem.stem.2"]?.opType == "Mul" && nodes["stem.stem.2/Erf"]?.opType == "Erf")
    #expect(nodes["backbone.0.0.graph_conv"]?.opType == "Concat")
    #expect(nodes["backbone.0.0"]?.output == ["backbone.0.0"])
    // Nothing is computed twice under one name, and nothing is read before it is there.
    var known = Set(model.graph.input.map(\.name)).union(weights.keys)
    for node in model.graph.node {
      for operand in node.input { #expect(known.contains(operand), "\(node.name) reads \(operand)") }
      for result in node.output { #expect(known.insert(result).inserted, "\(result) is computed twice") }
    }
    for output in model.graph.output { #expect(known.contains(output.name)) }
  }

  @Test func sameBytesEveryTime() throws {
    let graph = try GraphFile.read(fixture("onnx/ops.vir"))
    let bytes = try ONNXExporter.export(graph, version: "1")
    #expect(try ONNXExporter.export(graph, version: "1") == bytes)
    #expect(try ONNXExporter.export(graph, version: "2") != bytes)
    try withTemporaryFolder { folder in
      try ONNXExporter.write(graph, version: "1", to: "\(folder)/a.onnx")
      #expect(try readFile("\(folder)/a.onnx") == bytes)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a.onnx"])
    }
  }

  /// What no node computes, and what is an output twice.
  @Test func outputsAreNodes() throws {
    let model = try model(
      graph(
        """
        graph g(%x: f32[2,3]) -> (%x, %y, %y, %c, %n) {
          %c = constant {values = [1.5, -2.0]} : f32[2]
          %y = relu(%x) : f32[2,3] layer "a"
          %n = roll(%x) {shifts = [3], axes = [1]} : f32[2,3] layer "b"
        }
        """))
    #expect(model.graph.output.map(\.name) == ["Identity", "y", "Identity.1", "Identity.2", "Identity.3"])
    #expect(model.graph.node.map(\.opType) == ["Relu", "Identity", "Identity", "Identity", "Identity"])
    #expect(model.graph.node.dropFirst().map(\.input) == [["x"], ["y"], ["c"], ["x"]])
  }

  /// A published name that an image of the graph has already, and one that two constants share.
  @Test func weightsWithTakenNames() throws {
    let model = try model(
      graph(
        """
        graph g(%x: f32[3]) -> (%b) {
          %c = constant {name = "a"} : f32[3]
          %d = constant {name = "a"} : f32[3]
          %a = multiply(%x, %c) : f32[3]
          %b = add(%a, %d) : f32[3]
        }
        """))
    #expect(model.graph.initializer.map(\.name) == ["a.1"])
    #expect(model.graph.node.map(\.input) == [["x", "a.1"], ["a", "a.1"]])
    #expect(model.graph.node.map(\.output) == [["a"], ["b"]])
  }

  @Test func elementTypes() throws {
    let values = Tensor<Double>(.f16, shape: [3], [1, -2.5, 65504])
    #expect(TensorData(encoding: values).bytes == [0x00, 0x3C, 0x00, 0xC1, 0xFF, 0x7B])
    let brain = Tensor<Double>(.bf16, shape: [4], [1, 1.00390625, 1.01171875, .infinity])
    // The two in the middle lie between two neighbours: to the even one.
    #expect(TensorData(encoding: brain).bytes == [0x80, 0x3F, 0x80, 0x3F, 0x82, 0x3F, 0x80, 0x7F])
    let integers = Tensor<Double>(.i16, shape: [2], [-2, 258])
    #expect(TensorData(encoding: integers).bytes == [0xFE, 0xFF, 0x02, 0x01])
    for element in ElementType.allCases {
      #expect(TensorData(encoding: Tensor<Double>(element, shape: [1], [1])).bytes.count == element.byteCount)
      #expect(Tensor<Double>(TensorData(encoding: Tensor<Double>(element, shape: [], [1]))).shape.isEmpty)
    }
    #expect(Set(ElementType.allCases.map(\.onnx)).count == ElementType.allCases.count)
  }

  @Test func refusesWhatIsNotAModel() throws {
    let fused = """
      graph fused(%x: f32[1,6,7,5]) -> (%y) {
        %y = fuse "pointwise"(%x) : f32[1,6,7,5] graph body(%a: f32[1,6,7,5]) -> (%o) {
          %o = relu(%a) : f32[1,6,7,5]
        }
      }
      """
    #expect(
      message { try self.model(self.graph(fused)) }.contains(
        "%y is a 'fuse', which only passes make; export the graph as it was before them"))
    let laidOut = """
      graph g(%x: f32[1,6,7,5] channels_last(8)) -> (%y) {
        %y = relu(%x) : f32[1,6,7,5] channels_last(8)
      }
      """
    #expect(
      message { try self.model(self.graph(laidOut)) }
        .hasPrefix("%x is f32[1,6,7,5] channels_last(8), which only passes make"))
    let large = try graph(
      """
      graph g(%x: f32[64]) -> (%y) {
        %c = constant {name = "c"} : f32[64]
        %y = add(%x, %c) : f32[64]
      }
      """)
    #expect(try ONNXExporter.export(large, version: "1", mostBytes: 512).count > 256)
    #expect(
      message { try ONNXExporter.export(large, version: "1", mostBytes: 256) }
        == "the weights of g take 256 bytes, and an ONNX file holds at most 256")
  }
}
