import Codegen
import Foundation
import Frontends
import IR
import Passes
import Testing

/// The library of a model that PyTorch exported is the library of its spec: the same C byte for byte once both have the
/// same names, and packed weights that differ by rounding only.
@Suite(.serialized) struct RaisedLibraryTests {
  /// A graph whose nodes are in an order that follows from its outputs, and whose values, layers and weights are
  /// numbered in it.
  private func renamed(_ graph: Graph) throws -> Graph {
    var result = Graph(name: "model")
    result.weightSource = "synthetic:0"
    var values: [ValueID: ValueID] = [:]
    for (index, input) in graph.inputs.enumerated() {
      values[input] = result.addInput(graph.type(of: input), name: "input\(index)")
    }
    let definitions = graph.definitions
    var weights: [String: String] = [:]
    func visit(_ value: ValueID) throws {
      guard values[value] == nil, let position = definitions[value] else { return }
      var node = graph.nodes[position]
      for operand in node.operands { try visit(operand) }
      let number = values.count
      if var constant = node.op as? Constant, case .named(let name) = constant.source {
        let own = weights[name] ?? "w\(weights.count)"
        weights[name] = own
        result.weights[own] = graph.weights[name]
        constant.source = .named(own)
        node.op = constant
      }
      if var fuse = node.op as? Fuse {
        fuse.body = try renamed(fuse.body)
        for name in fuse.body.weights.keys { result.weights[name] = fuse.body.weights[name] }
        node.op = fuse
      }
      node.operands = node.operands.map { values[$0] ?? $0 }
      node.results = node.results.enumerated().map { index, id in
        let own = result.addValue(graph.type(of: id), name: "v\(number).\(index)")
        values[id] = own
        return own
      }
      node.layer = "layer\(number)"
      node.location = nil
      result.nodes.append(node)
    }
    for output in graph.outputs { try visit(output) }
    result.outputs = graph.outputs.compactMap { values[$0] }
    return result
  }

  private func compiled(_ model: String) throws -> (files: [EmittedLibrary.File], constants: [String: [UInt8]]) {
    let target = try Target.named("avx2")
    var manager = PassManager()
    let graph = try renamed(
      manager.run(Pipeline.passes(for: target), on: ModelLoader.load(model: model).graph))
    let program = try GraphLowering.lower(graph, for: CompilationTarget(target: target, workers: 4))
    let options = LibraryOptions(
      name: "model", inputShapes: graph.inputs.map { graph.tensorType(of: $0).shape },
      outputShapes: graph.outputs.map { graph.tensorType(of: $0).shape }, weightsDescription: "weights")
    let library = try emitLibrary(
      program, plan: PlanMemory.plan(program, workers: 4), target: target, options: options)
    return (library.files, program.constants)
  }

  @Test(arguments: ["mobilevig_torchscript", "mobilevig_dynamo", "mobilevigv2_dynamo", "greedyvig_dynamo"])
  func isThatOfTheSpec(_ name: String) throws {
    try expectSameLibrary(String(name.prefix { $0 != "_" }), fixture("onnx/\(name).onnx"))
  }

  @Test(
    .enabled(if: PublishedCases.folder != nil, PublishedCases.absent),
    arguments: ["mobilevig", "mobilevigv2", "greedyvig", "vig", "pvig"], ["legacy", "dynamo"])
  func ofPublishedCasesIsThatOfTheSpec(_ family: String, _ exporter: String) throws {
    try expectSameLibrary(family, "\(try PublishedCases.path(family, exporter))/model.onnx")
  }

  private func expectSameLibrary(_ family: String, _ model: String) throws {
    let expected = try compiled(fixture("specs/\(family)_onnx.yaml"))
    let found = try compiled(model)
    #expect(found.files.map(\.name) == expected.files.map(\.name))
    for (own, other) in zip(found.files, expected.files) where own.name.hasSuffix(".c") || own.name.hasSuffix(".h") {
      // Where weights differ by a bit, so does what the library knows their file by.
      #expect(withoutIdentity(own.contents) == withoutIdentity(other.contents), "\(own.name)")
    }
    #expect(found.constants.keys.sorted() == expected.constants.keys.sorted())
    for (name, bytes) in expected.constants {
      let (a, b) = (floats(found.constants[name] ?? []), floats(bytes))
      #expect(a.count == b.count)
      let largest = b.reduce(0) { max($0, abs($1)) }
      let worst = zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
      #expect(worst <= 1e-5 * largest, "\(name)")
    }
  }

  private func floats(_ bytes: [UInt8]) -> [Float] {
    bytes.withUnsafeBytes { raw in
      (0..<bytes.count / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
  }

  private func withoutIdentity(_ contents: [UInt8]) -> [Substring] {
    String(decoding: contents, as: UTF8.self).split(separator: "\n").filter { !$0.contains("model_ID") }
  }
}

/// The published cases lie beside the package and are no part of a clone.
enum PublishedCases {
  static let absent: Comment = "the reference data are not beside the package"

  /// Where they are, if they are.
  static let folder: String? = ["../shared/reference/onnx", "../../shared/reference/onnx"]
    .map { packageRoot.appendingPathComponent($0).standardizedFileURL.path }
    .first { FileManager.default.fileExists(atPath: $0) }

  static func path(_ family: String, _ exporter: String) throws -> String {
    "\(try #require(folder))/\(family)_tiny_\(exporter)"
  }
}
