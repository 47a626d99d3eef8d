import Foundation
import Frontends
import IR
import Passes
import Testing

/// A case is one file under `Cases`: the command on its first line, what goes in below it, and what must come out.
///
///     // opt --passes fold-scale          a graph through passes: the graph after `// expect`
///     // verify --target avx2             a graph or loop program that is refused: `// expect-error: ...` at the line
///     // lower --target avx2 --workers 2  a graph as a loop program: the program after `// expect`
///     // emit --target scalar             a graph or loop program as C: the functions after `// expect`
///     // run --target scalar,avx2         a graph or loop program, executed: `// input` and `// output` say the numbers
///
/// `VIGC_BLESS=1 Scripts/test --filter FileTests` rewrites what must come out.
struct FileCase {
  enum Command: String, CaseIterable { case opt, verify, lower, emit, run }

  static let separator = "// expect\n"
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Cases").path
  static let isBlessing = ProcessInfo.processInfo.environment["VIGC_BLESS"] == "1"

  /// Every case, as a path below `root`.
  static let all: [String] = {
    let paths = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
    return paths.filter { $0.hasSuffix(".vir") || $0.hasSuffix(".vil") }.sorted()
  }()

  /// Cases of one command; those of `opt` are in the folders that are called after passes.
  static func cases(of command: Command) -> [String] {
    all.filter { path in
      let folder = path.prefix { $0 != "/" }
      return command == .opt ? Command(rawValue: String(folder)) == nil : folder == command.rawValue
    }
  }

  let path: String
  let text: String
  let command: Command
  /// `--name value` on the first line.
  private let options: [String: String]

  init(_ path: String) throws {
    self.path = path
    text = try String(contentsOfFile: "\(Self.root)/\(path)", encoding: .utf8)
    var words = text.prefix { $0 != "\n" }.split(separator: " ").map(String.init)
    try #require(words.first == "//" && words.count > 1, "\(path): the first line is '// COMMAND --option value ...'")
    command = try #require(Command(rawValue: words[1]), "\(path): there is no command '\(words[1])'")
    words.removeFirst(2)
    var options: [String: String] = [:]
    while words.count >= 2 {
      options[words[0]] = words[1]
      words.removeFirst(2)
    }
    try #require(words.isEmpty, "\(path): '\(words.joined())' has no value")
    self.options = options
  }

  func option(_ name: String) -> String? { options["--\(name)"] }

  var isLoops: Bool { path.hasSuffix(".vil") }

  /// What goes in: everything before `// expect`.
  var source: String { text.components(separatedBy: Self.separator)[0] }

  /// The targets that are named, or these.
  func targets(_ given: String) throws -> [Target] {
    try (option("target") ?? given).split(separator: ",").map { try Target.named(String($0)) }
  }

  /// The target that is named, or this one.
  func target(_ given: String) throws -> Target { try #require(targets(given).first) }

  /// The passes that are named on the first line.
  func passes(from registry: [any Pass]) throws -> [any Pass] {
    try (option("passes") ?? "").split(separator: ",").map { name in
      try #require(registry.first { $0.name == name }, "\(path): no pass '\(name)'")
    }
  }

  /// The graph in the text, its named constants synthesised.
  func graph() throws -> Graph {
    var graph = try GraphParser.parse(source, file: path)
    for node in graph.nodes {
      guard let constant = node.op as? Constant, case .named(let name) = constant.source else { continue }
      graph.weights[name] = SyntheticWeights().tensor(name, shape: constant.type.shape)
    }
    try GraphVerifier.verify(graph)
    return graph
  }

  /// The graph through the passes that are named, as a program for the target.
  func lowered(_ graph: Graph, for target: Target, passes: [any Pass]) throws -> LoopProgram {
    var manager = PassManager()
    let workers = try option("workers").map { try #require(Int($0)) } ?? 1
    return try GraphLowering.lower(
      manager.run(passes, on: graph), for: CompilationTarget(target: target, workers: workers))
  }

  /// Holds `printed` against what stands after `// expect`, or writes it there.
  func expect(_ printed: String) throws {
    if Self.isBlessing { try bless(source + Self.separator + printed) }
    let parts = try String(contentsOfFile: "\(Self.root)/\(path)", encoding: .utf8)
      .components(separatedBy: Self.separator)
    #expect(parts.count == 2, "\(path) has no '// expect'; VIGC_BLESS=1 writes it")
    #expect(printed == parts.last, "run VIGC_BLESS=1 swift test and look at the difference")
  }

  func bless(_ text: String) throws {
    try text.write(toFile: "\(Self.root)/\(path)", atomically: true, encoding: .utf8)
  }
}

/// The folders are the commands and the passes.
@Suite struct FileCaseTests {
  @Test func everyPassAndEveryCommandHasACase() throws {
    let folders = Set(FileCase.all.map { String($0.prefix { $0 != "/" }) })
    let passes = Set(Pipeline.registry(for: try Target.named("scalar")).map(\.name) + [NormalizeInput.name])
    let commands = Set(FileCase.Command.allCases.map(\.rawValue)).subtracting(["opt"])
    #expect(
      folders == passes.union(commands),
      "each pass and each command has a folder of cases under Tests/FileTests/Cases, and nothing else has")
  }

  @Test(arguments: FileCase.all) func theCommandIsThatOfTheFolder(_ path: String) throws {
    let folder = String(path.prefix { $0 != "/" })
    #expect(try FileCase(path).command == FileCase.Command(rawValue: folder) ?? .opt)
  }
}
