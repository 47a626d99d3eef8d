import Foundation
import Frontends
import IR
import Passes
import Testing

/// The optimised graph of a model does not depend on who wrote the model down.
@Suite struct RaisingTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

  private func fixture(_ path: String) -> String { Self.root.appendingPathComponent("Fixtures/\(path)").path }

  /// A file of the published reference data, which lies beside the package and is not part of a clone.
  private static func reference(_ path: String) -> String? {
    let package = root.deletingLastPathComponent()
    return ["../shared/reference", "../../shared/reference"].lazy
      .map { package.appendingPathComponent("\($0)/\(path)").standardizedFileURL.path }
      .first { FileManager.default.fileExists(atPath: $0) }
  }

  private func optimized(_ model: String) throws -> Graph {
    let graph = try ModelLoader.load(model: model).graph
    var manager = PassManager()
    return try manager.run(Pipeline.passes(for: try Target.named("avx2")), on: graph)
  }

  /// A graph without names: each op with its attributes, the numbers of what it reads and its types, in an order that
  /// follows from the outputs alone.
  private func anonymous(_ graph: Graph) -> [String] {
    let definitions = graph.definitions
    var numbers: [ValueID: Int] = [:]
    var lines: [String] = []
    for (index, input) in graph.inputs.enumerated() {
      numbers[input] = index
      lines.append("input \(graph.type(of: input))")
    }
    func visit(_ value: ValueID) {
      guard numbers[value] == nil, let position = definitions[value] else { return }
      let node = graph.nodes[position]
      for operand in node.operands { visit(operand) }
      for result in node.results { numbers[result] = numbers.count }
      let isConstant = node.op is Constant
      let attributes = isConstant ? "" : "\(node.op.attributes.map { "\($0.name) = \($0.value)" })"
      let operands = node.operands.map { "\(numbers[$0] ?? -1)" }.joined(separator: ",")
      let types = node.results.map { "\(graph.type(of: $0))" }.joined(separator: ", ")
      lines.append("\(node.op.mnemonic)(\(operands)) \(attributes) \(types)")
      if let fuse = node.op as? Fuse { lines.append(fuse.kernel.description) }
      if let region = node.op.region { lines += anonymous(region).map { "  \($0)" } }
    }
    for output in graph.outputs { visit(output) }
    return lines + ["outputs \(graph.outputs.map { numbers[$0] ?? -1 })"]
  }

  private static let kinds = [
    "mobilevig": "svga", "mobilevigv2": "mgc", "greedyvig": "dagc", "vig": "knn", "pvig": "knn",
  ]

  /// Each family's spec says what kind of graph must come out of what PyTorch exported.
  private func expectThatOfTheSpec(_ family: String, _ model: String) throws {
    let expected = anonymous(try optimized(fixture("specs/\(family)_onnx.yaml")))
    let kind = try #require(Self.kinds[family])
    #expect(expected.contains { $0.contains(kind) })
    #expect(anonymous(try optimized(model)) == expected)
  }

  @Test(arguments: ["mobilevig_torchscript", "mobilevig_dynamo", "mobilevigv2_dynamo", "greedyvig_dynamo"])
  func exportedModels(_ name: String) throws {
    try expectThatOfTheSpec(String(name.prefix { $0 != "_" }), fixture("onnx/\(name).onnx"))
  }

  @Test(
    .enabled(if: reference("onnx") != nil, "the reference data are not beside the package"),
    arguments: ["mobilevig", "mobilevigv2", "greedyvig", "vig", "pvig"], ["legacy", "dynamo"])
  func publishedCases(_ family: String, _ exporter: String) throws {
    let model = try #require(Self.reference("onnx/\(family)_tiny_\(exporter)/model.onnx"))
    try expectThatOfTheSpec(family, model)
  }
}
