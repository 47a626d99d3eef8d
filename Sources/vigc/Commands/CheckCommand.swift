import ArgumentParser
import Foundation
import Frontends
import IR
import Passes

/// `vigc check FILE`.
struct CheckCommand: AsyncParsableCommand, MemoryLimited {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Read a file and verify what is in it; run nothing and write nothing.",
    discussion: """
      A .vil loop program is proved free of bad accesses and races. A .vir graph, a .yaml spec or an .onnx model is read \
      and verified, and with --target also compiled as far as its proved loop program. Anything else is a file of \
      weights, all of which is read. The exit status is 0 where nothing is wrong, and 1 with what is wrong.
      """)

  @Argument(help: "A .vil, .vir, .yaml or .onnx file, or one of weights.")
  var file: String

  @Option(help: "What to compile a model for, or to prove a loop program for (there the default is native).")
  var target: String?

  @Option(help: ArgumentHelp("Where a model's weights come from.", valueName: "synthetic[:SEED]|FILE"))
  var weights: String?

  @Option(
    help: ArgumentHelp("The size of a symbolic dimension of an .onnx model (may be repeated).", valueName: "NAME=N"),
    transform: { try DimensionOption(parsing: $0) })
  var dim: [DimensionOption] = []

  @OptionGroup var memory: MemoryOptions

  func run() async throws {
    let summary = try await Console.progress("checking \(file)") { try check() }
    try Console.line("\(file): \(summary)")
  }

  private var isSpec: Bool { file.hasSuffix(".yaml") || file.hasSuffix(".yml") }

  /// What is in the file, in a few words.
  private func check() throws -> String {
    if file.hasSuffix(".vil") { return try checkLoops() }
    if ModelLoader.isGraph(file) || isSpec { return try checkModel() }
    if target != nil || weights != nil || !dim.isEmpty {
      throw Diagnostic("\(file) is read as a file of weights: leave out --target, --weights and --dim")
    }
    return try WeightSummary(path: file).description
  }

  private func checkLoops() throws -> String {
    let target = try Target.named(target ?? "native")
    let program = try LoopProgram(parsing: readText(file), file: file)
    try program.verify(target: target)
    let count = program.functions.count
    return "a loop program of \(count) function\(count == 1 ? "" : "s"), proved for \(target.name)"
  }

  private func checkModel() throws -> String {
    guard let target else {
      let source = try weights.map { try WeightSource(parsing: $0) }
      let sizes = Dictionary(dim.map { ($0.name, $0.size) }) { first, _ in first }
      let graph = try ModelLoader.load(model: file, weights: source, dimensions: sizes).graph
      try GraphVerifier.verify(graph, fuses: Kernels.rules)
      return "a graph of \(graph.nodes.count) nodes, verified"
    }
    let words = [file, "--target", target] + (weights.map { ["--weights", $0] } ?? [])
    let sizes = dim.flatMap { ["--dim", "\($0.name)=\($0.size)"] }
    var compilation = try Compilation(try CompileOptions.parse(words + sizes))
    let nodes = compilation.model.graph.nodes.count
    let program = try compilation.lower(compilation.optimize())
    _ = PlanMemory.plan(program, workers: compilation.workers)
    return "a graph of \(nodes) nodes, verified, and its loops proved for \(compilation.target.name)"
  }
}
