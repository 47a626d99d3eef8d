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
  private func reference(_ path: String) -> String? {
    let package = Self.root.deletingLastPathComponent()
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

  @Test(arguments: ["torchscript", "dynamo"]) func mobileViG(_ exporter: String) throws {
    let expected = anonymous(try optimized(fixture("specs/mobilevig_onnx.yaml")))
    #expect(expected.contains { $0.contains("svga") })
    #expect(anonymous(try optimized(fixture("onnx/mobilevig_\(exporter).onnx"))) == expected)
  }

  /// Of the published cases, each family's spec beside it says what kind of graph must come out.
  @Test(arguments: ["mobilevig", "mobilevigv2", "greedyvig", "vig", "pvig"], ["legacy", "dynamo"])
  func publishedCases(_ family: String, _ exporter: String) throws {
    guard let model = reference("onnx/\(family)_tiny_\(exporter)/model.onnx") else {
      print("skipped: \(family)_tiny_\(exporter) is not in ../shared/reference/onnx")
      return
    }
    let kinds = ["mobilevig": "svga", "mobilevigv2": "mgc", "greedyvig": "dagc", "vig": "knn", "pvig": "knn"]
    let expected = anonymous(try optimized(fixture("specs/\(family)_onnx.yaml")))
    #expect(expected.contains { $0.contains(kinds[family] ?? "") })
    #expect(anonymous(try optimized(model)) == expected)
  }
}
