import Foundation
import Frontends
import IR
import Testing

@Suite struct GraphFileTests {
  private func small() throws -> ModelGraph { try ModelLoader.load(model: fixture("specs/small.yaml")) }

  private func run(_ graph: Graph) throws -> [Double] {
    let shape = graph.tensorType(of: graph.inputs[0]).shape
    let values = SyntheticWeights().uniform("input", count: shape.reduce(1, *)).map(Double.init)
    return try GraphInterpreter<Double>().run(graph, inputs: [Tensor(shape: shape, real: values)])[0].real
  }

  @Test func syntheticWeightsNeedNoFile() throws {
    let model = try small()
    try withTemporaryFolder { folder in
      try GraphFile.write(model.graph, to: "\(folder)/m.vir")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["m.vir"])
      let again = try ModelLoader.load(model: "\(folder)/m.vir")
      #expect(again.graph.isIdentical(to: model.graph))
      #expect(again.graph.weights == model.graph.weights)
      #expect(try run(again.graph) == run(model.graph))
      for module in model.modules {
        let found = try #require(again.graph.output(ofModule: module.name))
        #expect(again.graph.values[found.index].name == model.graph.values[module.value.index].name)
      }
      let other = try ModelLoader.load(model: "\(folder)/m.vir", weights: .synthetic(seed: 5))
      #expect(other.graph.weights["head.bias"] == SyntheticWeights(seed: 5).tensor("head.bias", shape: [5]))
    }
  }

  @Test func changedConstantsGoToAFileBesideIt() throws {
    var graph = try small().graph
    let bias = TensorData(shape: [5], floats: [1, 2, 3, 4, 5])
    graph.weights["head.bias"] = bias
    try withTemporaryFolder { folder in
      let path = "\(folder)/m.vir"
      try GraphFile.write(graph, to: path)
      #expect(try Safetensors(path: "\(folder)/m.safetensors").tensors == ["head.bias": bias])
      let again = try GraphFile.read(path)
      #expect(again.weightSource == "synthetic:0+m.safetensors")
      #expect(again.weights == graph.weights)
      try Safetensors(["head.bias": TensorData(shape: [4], floats: [1, 2, 3, 4])]).write(to: "\(folder)/m.safetensors")
      let text = message { try GraphFile.read(path) }
      #expect(text.contains("does not hold the constants of \(path)\n  wrong type: head.bias is f32[4]"))
      try FileManager.default.removeItem(atPath: "\(folder)/m.safetensors")
      #expect(message { try GraphFile.read(path) } == "cannot read \(folder)/m.safetensors: No such file or directory")
    }
  }

  @Test func allFromAFile() throws {
    var graph = try small().graph
    graph.weightSource = "elsewhere.safetensors"
    try withTemporaryFolder { folder in
      let path = "\(folder)/m.vir"
      try GraphFile.write(graph, to: path)
      let again = try GraphFile.read(path)
      #expect(again.weightSource == "m.safetensors")
      #expect(again.weights == graph.weights)
      try Safetensors([:]).write(to: "\(folder)/m.safetensors")
      #expect(message { try GraphFile.read(path) }.contains("\n  missing: head.bias f32[5]"))
      #expect(
        message { try ModelLoader.load(model: path, inputSize: (8, 8)) }
          == "\(path) has fixed shapes; an input size needs a spec or a zoo model")
      #expect(
        message { try ModelLoader.load(model: path, batch: 2) }
          == "\(path) has fixed shapes; a batch needs a spec or a zoo model")
    }
  }

  @Test func asksForTooMuch() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/m.vir"
      let type = "f32[1048576,1048576]"
      let text = "graph m {weights = \"synthetic:0\"} () -> (%a) {\n  %a = constant {name = \"a\"} : \(type)\n}\n"
      try writeFileAtomically(Array(text.utf8), to: path)
      #expect(message { try GraphFile.read(path) }.contains("take 4096 GiB of memory; the limit is 8 GiB"))
    }
  }

  @Test func namesNoWeights() throws {
    var graph = try small().graph
    graph.weightSource = ""
    try withTemporaryFolder { folder in
      let path = "\(folder)/m.vir"
      try writeFileAtomically(Array(GraphPrinter.print(graph).utf8), to: path)
      let text = message { try GraphFile.read(path) }
      #expect(text.hasPrefix("\(path) has "))
      #expect(text.hasSuffix(" named constants and names no weights; give it --weights"))
      try writeFileAtomically(Array("graph {".utf8), to: path)
      #expect(message { try GraphFile.read(path) }.hasPrefix("\(path):1:7: "))
    }
  }
}
