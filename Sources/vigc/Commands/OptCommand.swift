import ArgumentParser
import Frontends
import IR
import Passes

/// `vigc opt FILE.vir --passes a,b,c`.
struct OptCommand: AsyncParsableCommand, CompilingCommand {
  static let configuration = CommandConfiguration(
    commandName: "opt", abstract: "Run passes over a graph, in the order given, and print it.")

  @OptionGroup var options: CompileOptions

  @Option(help: ArgumentHelp("Passes with commas between; see 'vigc passes'.", valueName: "a,b,c"))
  var passes: String

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Write the graph, and its folded constants beside it, instead.", valueName: "FILE.vir"))
  var output: String?

  func run() async throws {
    let target = try Target.named(options.target)
    let names = passes.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    for name in names where !Compilation.passNames(for: target).contains(name) {
      throw Compilation.unknownPass(name, for: target)
    }
    var compilation = try await Compilation.load(options)
    let known = Compilation.passes(
      for: target, compilation.model.preprocessing, lowerings: options.lowerings)
    let wanted = try names.map { name -> any Pass in
      guard let pass = known.first(where: { $0.name == name }) else {
        throw Diagnostic("\(name) needs a model that says how its input is normalised")
      }
      return pass
    }
    let graph = try compilation.run(wanted, on: compilation.model.graph)
    if let output { try GraphFile.write(graph, to: output) } else { try Console.write(GraphFile.text(graph)) }
  }
}
