import Foundation
import Frontends
import IR
import Testing

@Suite struct ModelLoaderTests {
  @Test func loadsAZooModelWithSyntheticWeights() throws {
    let model = try ModelLoader.load(model: "mobilevig_ti", weights: .synthetic(seed: 2))
    #expect(model.graph.weightSource == "synthetic:2")
    #expect(model.graph.weights.count == model.entries.filter { $0.role != .counter }.count)
    #expect(model.graph.weights["head.bias"] == SyntheticWeights(seed: 2).tensor("head.bias", shape: [1000]))
  }

  @Test func loadsASpecWithAFileOfWeights() throws {
    let path = fixture("specs/small.yaml")
    let entries = try ModelLoader.spec(of: path).build().entries
    var tensors = try WeightSource.synthetic(seed: 9).load(entries, model: "small")
    try withTemporaryFolder { folder in
      let file = "\(folder)/w.safetensors"
      try Safetensors(tensors).write(to: file)
      let model = try ModelLoader.load(model: path, weights: .file(file), inputSize: (12, 9), batch: 2)
      #expect(model.graph.weights == tensors)
      #expect(model.graph.inputs.map { model.graph.tensorType(of: $0).shape } == [[2, 3, 12, 9]])

      tensors["haed.bias"] = tensors.removeValue(forKey: "head.bias")
      try Safetensors(tensors).write(to: file)
      #expect(
        message { try ModelLoader.load(model: path, weights: .file(file)) } == """
          \(file) does not hold the weights of small: 1 missing, 1 unexpected
            missing: head.bias [5]; the file has haed.bias
            unexpected: haed.bias; the model has head.bias
          """)
      let bytes = try readFile(file)
      try writeFileAtomically(Array(bytes.dropLast(10)), to: file)
      let cut = message { try ModelLoader.load(model: path, weights: .file(file)) }
      #expect(cut.hasPrefix("\(file): tensor '"))
      #expect(cut.contains("truncated"))
      #expect(!cut.contains("\n"))
    }
  }

  @Test func unknownModels() {
    #expect(
      message { try ModelLoader.load(model: "mobilevig_x") }
        == "unknown model 'mobilevig_x'; did you mean mobilevig_b, mobilevig_m, mobilevig_s?")
    #expect(
      message { try ModelLoader.load(model: "resnet50") }
        == "unknown model 'resnet50'; expected a name that 'vigc models' lists, or a .yaml or .vir file")
    #expect(
      message { try ModelLoader.load(model: "nets/a.txt") }
        == "cannot tell what model 'nets/a.txt' is; expected a zoo name, a .yaml, an .onnx or a .vir file")
    #expect(
      message { try ModelLoader.load(model: "absent.yaml") } == "cannot read absent.yaml: No such file or directory")
  }

  @Test func impossibleSizes() {
    #expect(
      message { try ModelLoader.load(model: "mobilevig_ti", inputSize: (0, 224)) }
        == "an input of 0x224 for mobilevig_ti; both sides must be from 1 to 16384")
    #expect(
      message { try ModelLoader.load(model: fixture("specs/small.yaml"), inputSize: (3, 224)) }
        .hasSuffix("an input of 3x224 leaves small no pixel at body.down.0; the least size is 5x5"))
  }
}
