import ArgumentParser
import Frontends
import IR

/// `vigc inspect MODEL --stage S`.
struct InspectCommand: AsyncParsableCommand, CompilingCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Print a model at a stage of its compilation.")

  enum Stage: String, CaseIterable, ExpressibleByArgument, Sendable {
    /// The graph as it was read.
    case parsed
    /// The graph after all passes.
    case optimized
    case loops
    case c
  }

  @OptionGroup var options: CompileOptions

  @Option(help: "How far to compile.")
  var stage: Stage

  @Flag(help: "Print a graph for Graphviz.")
  var dot = false

  func validate() throws {
    switch stage {
    case .parsed, .optimized: break
    case .loops, .c:
      if dot { throw ValidationError("--dot draws graphs: it goes with --stage parsed or --stage optimized") }
    }
  }

  func run() async throws {
    var compilation = try await Compilation.load(options)
    switch stage {
    case .parsed: try write(compilation.model.graph)
    case .optimized: try write(compilation.optimize())
    case .loops: try Console.write(compilation.lower(compilation.optimize()).text)
    case .c:
      let library = try await compilation.compileVisibly().library
      try Console.write(library.text(of: "\(library.options.name).c") ?? "")
    }
  }

  private func write(_ graph: Graph) throws { try Console.write(dot ? graph.dot : GraphFile.text(graph)) }
}
