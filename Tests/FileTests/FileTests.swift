import Foundation
import Frontends
import IR
import Passes
import Testing

/// A case is one file: its first line the command, then the graph that goes in, then `// expect` and the graph that must
/// come out. `VIGC_BLESS=1 swift test` rewrites what comes after `// expect`.
///
/// Beyond the text, each case holds that the result verifies, that running the passes again changes nothing, and that
/// the graph still computes what it did.
@Suite struct FileTests {
  static let cases: [String] = {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Cases")
    let files = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil)
    let paths = (files?.allObjects ?? []).compactMap { ($0 as? URL)?.path }
    return paths.filter { $0.hasSuffix(".vir") }.sorted()
  }()

  static let separator = "// expect\n"

  @Test func everyPassHasACase() throws {
    let folders = Set(Self.cases.map { URL(fileURLWithPath: $0).deletingLastPathComponent().lastPathComponent })
    let passes = Set(Pipeline.registry(for: try Target.named("scalar")).map(\.name) + [NormalizeInput.name])
    #expect(folders == passes, "each pass has a folder of cases under Tests/FileTests/Cases, and nothing else has")
  }

  @Test(arguments: cases) func fileCase(_ path: String) throws {
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let command = try Command(firstLineOf: text, path: path)
    let source = text.components(separatedBy: Self.separator)[0]
    let before = try command.graph(source, path: path)
    let after = try command.run(before)
    let printed = GraphPrinter.print(after)
    if ProcessInfo.processInfo.environment["VIGC_BLESS"] == "1" {
      try (source + Self.separator + printed).write(toFile: path, atomically: true, encoding: .utf8)
    }
    let parts = try String(contentsOfFile: path, encoding: .utf8).components(separatedBy: Self.separator)
    #expect(parts.count == 2, "\(path) has no '// expect'; VIGC_BLESS=1 writes it")
    #expect(printed == parts.last, "run VIGC_BLESS=1 swift test and look at the difference")
    try GraphVerifier.verify(after)
    if command.isIdempotent { #expect(GraphPrinter.print(try command.run(after)) == printed) }
    try expectSameResults(before, after, command)
  }

  private func expectSameResults(_ before: Graph, _ after: Graph, _ command: Command) throws {
    var inputs: [Tensor<Double>] = []
    for (index, input) in before.inputs.enumerated() {
      let shape = before.tensorType(of: input).shape
      let values = SyntheticWeights(seed: UInt64(index)).uniform("input", count: shape.reduce(1, *))
      inputs.append(Tensor(shape: shape, real: values.map(Double.init)))
    }
    let old = try GraphInterpreter<Double>().run(before, inputs: command.normalized(inputs))
    let new = try GraphInterpreter<Double>().run(after, inputs: inputs)
    #expect(old.count == new.count)
    for (a, b) in zip(old, new) {
      #expect(a.shape == b.shape)
      let scale = a.real.map(abs).max() ?? 1
      for (x, y) in zip(a.real, b.real) { #expect(abs(x - y) <= 1e-6 * max(1, scale)) }
    }
  }
}

/// `// opt --passes a,b [--target T] [--mean ... --std ...]`
private struct Command {
  var passes: [any Pass]
  var mean: [Double]?
  var deviation: [Double]?

  /// Putting the normalisation in front twice normalises twice; every other pass may run twice.
  var isIdempotent: Bool { mean == nil }

  init(firstLineOf text: String, path: String) throws {
    let line = text.prefix { $0 != "\n" }
    var words = line.split(separator: " ").map(String.init)
    try #require(words.starts(with: ["//", "opt"]), "\(path): the first line is '// opt --passes ...'")
    words.removeFirst(2)
    var options: [String: String] = [:]
    while words.count >= 2 {
      options[words[0]] = words[1]
      words.removeFirst(2)
    }
    let target = try Target.named(options["--target"] ?? "avx2")
    func numbers(_ name: String) -> [Double]? { options[name]?.split(separator: ",").compactMap { Double($0) } }
    mean = numbers("--mean")
    deviation = numbers("--std")
    var registry = Pipeline.registry(for: target)
    if let mean, let deviation { registry.append(NormalizeInput(mean: mean, standardDeviation: deviation)) }
    passes = try (options["--passes"] ?? "").split(separator: ",").map { name in
      try #require(registry.first { $0.name == name }, "\(path): no pass '\(name)'")
    }
  }

  /// The graph in the text, its named constants synthesised.
  func graph(_ text: String, path: String) throws -> Graph {
    var graph = try GraphParser.parse(text, file: path)
    for node in graph.nodes {
      guard let constant = node.op as? Constant, case .named(let name) = constant.source else { continue }
      graph.weights[name] = SyntheticWeights().tensor(name, shape: constant.type.shape)
    }
    try GraphVerifier.verify(graph)
    return graph
  }

  func run(_ graph: Graph) throws -> Graph {
    var manager = PassManager()
    return try manager.run(passes, on: graph)
  }

  /// What the graph without normalisation must be given to compute what the graph with it does.
  func normalized(_ inputs: [Tensor<Double>]) -> [Tensor<Double>] {
    guard let mean, let deviation, let first = inputs.first else { return inputs }
    let plane = first.shape[2] * first.shape[3]
    let values = first.real.enumerated().map { index, value in
      (value - mean[index / plane % mean.count]) / deviation[index / plane % mean.count]
    }
    return [Tensor(shape: first.shape, real: values)] + inputs.dropFirst()
  }
}
