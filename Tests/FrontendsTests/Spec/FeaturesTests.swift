import Foundation
import Frontends
import IR
import Testing

/// Classifiers as backbones: what their outputs are, and that nothing else is left.
@Suite struct FeaturesTests {
  @Test(arguments: Zoo.entries.map(\.name)) func everyModelOfTheZoo(_ name: String) throws {
    let classifier = try Zoo.spec(named: name).build()
    let backbone = try classifier.backbone()
    let graph = backbone.graph
    let isIsotropic = ["ViG", "ViHGNN"].contains(try Zoo.spec(named: name).family)
    let strides = isIsotropic ? [16] : [4, 8, 16, 32]
    #expect(graph.outputs.map { graph.values[$0.index].name } == strides.map { "stride\($0)" })
    for (output, stride) in zip(graph.outputs, strides) {
      #expect(Array(graph.tensorType(of: output).shape[2...]) == [224 / stride, 224 / stride])
    }
    var bare = graph
    bare.weights = [:]
    try GraphVerifier.verify(bare)
    // Only the head is gone, and of the state dict nothing is.
    let gone = classifier.graph.namedConstants.subtracting(graph.namedConstants)
    let heads = ["prediction.", "head.", "dist_head."]
    #expect(!gone.isEmpty && gone.allSatisfy { name in heads.contains { name.hasPrefix($0) } })
    #expect(!graph.nodes.contains { $0.op is GlobalAveragePool })
    #expect(backbone.entries.map(\.name) == classifier.entries.map(\.name))
    #expect(Set(backbone.entries.filter(\.isOptional).map(\.name)) == gone)
    // Modules keep their values.
    for module in backbone.modules {
      let before = classifier.modules.first { $0.name == module.name }
      let type = before.map { classifier.graph.type(of: $0.value) }
      #expect(type == graph.type(of: module.value))
    }
  }

  /// The published implementation's statistics of the last block of each stage.
  @Test(arguments: [
    ("mobilevig_ti", ["local_backbone.1", "local_backbone.4", "local_backbone.11", "backbone.1"]),
    ("mobilevigv2_ti", ["backbone.0", "backbone.1", "backbone.2", "backbone.3"]),
  ])
  func valuesAreThoseOfThePublishedModules(_ name: String, _ modules: [String]) throws {
    let golden = try Golden(path: fixture("golden/\(name).json"))
    let model = try ModelLoader.load(model: name, weights: .synthetic(seed: golden.seed), features: true)
    let input = try InputSource.synthetic(seed: golden.seed).load(shape: golden.inputShape, preprocessing: nil)
    let outputs = try GraphInterpreter<Double>().run(model.graph, inputs: [Tensor(input)])
    #expect(outputs.count == modules.count)
    for (output, name) in zip(outputs, modules) {
      let module = try #require(golden.modules.first { $0.name == name })
      #expect(output.shape == module.shape)
      #expect(module.mismatch(output.real, tolerance: 5e-6) == nil)
    }
  }

  /// What strides do not divide is rounded up, as padded convolutions do.
  @Test(arguments: [(800, 1344), (33, 71), (224, 224), (1, 1)]) func anySize(_ height: Int, _ width: Int) throws {
    let backbone = try Zoo.spec(named: "mobilevig_ti").build(height: height, width: width).backbone()
    let shapes = backbone.graph.outputs.map { backbone.graph.tensorType(of: $0).shape }
    let channels = [42, 84, 168, 256]
    #expect(
      shapes
        == zip([4, 8, 16, 32], channels).map { stride, channels in
          [1, channels, (height + stride - 1) / stride, (width + stride - 1) / stride]
        })
  }

  @Test func weightsWithAndWithoutAHead() throws {
    try withTemporaryFolder { folder in
      let tiny = fixture("specs/tiny.yaml")
      let whole = try ModelLoader.load(model: tiny, weights: .synthetic(seed: 2)).graph.weights
      let isOfHead = { (name: String) in ["prediction.", "head.", "dist_head."].contains { name.hasPrefix($0) } }
      let body = whole.filter { !isOfHead($0.key) }
      #expect(body.count < whole.count)
      for (name, weights) in [("whole", whole), ("body", body)] {
        let path = "\(folder)/\(name).safetensors"
        try Safetensors(weights).write(to: path)
        let model = try ModelLoader.load(model: tiny, weights: .file(path), features: true)
        #expect(model.graph.weights == body)
      }
      // A weight of the body may not be missing, and a classifier needs its head.
      let path = "\(folder)/body.safetensors"
      #expect(message { try ModelLoader.load(model: tiny, weights: .file(path)) }.contains("missing: head.weight"))
      var less = body
      less["stem.stem.0.weight"] = nil
      try Safetensors(less).write(to: path)
      #expect(
        message { try ModelLoader.load(model: tiny, weights: .file(path), features: true) }
          .contains("missing: stem.stem.0.weight"))
    }
  }

  @Test func whatHasNoStages() throws {
    let yaml = """
      name: bare
      input: {height: 8, width: 8}
      classes: 2
      modules:
        - {kind: convolutions, path: stem, channels: [4, 4], stride: 2, activation: relu}
        - {kind: prediction, path: prediction, channels: 4}
      """
    let model = try ModelSpec(parsing: yaml, file: "bare.yaml").build()
    #expect(message { try model.backbone() } == "bare has no stages of blocks whose outputs could be its features")
    #expect(
      message { try ModelLoader.load(model: fixture("onnx/ops.vir"), features: true) }.hasSuffix(
        "ops.vir does not say what its stages are; features need a spec or a zoo model"))
  }
}
