import ArgumentParser
import Foundation
import IR

// The tool. A command only reads its options, calls the libraries and prints; everything that can go wrong is a
// `Diagnostic`, which is printed here as one line on standard error with its details below.

/// The root of all commands.
struct Vigc: AsyncParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "vigc", abstract: "Compiles Vision-GNN models to standalone C.", version: version,
    subcommands: [
      ModelsCommand.self, PassesCommand.self, TargetsCommand.self, OperatorsCommand.self, CompileCommand.self,
      RunCommand.self, VerifyCommand.self, BenchCommand.self, TuneCommand.self, InspectCommand.self,
      ExplainCommand.self, OptCommand.self, ExportCommand.self, QuantizeCommand.self, CheckCommand.self,
    ])
}

@main
enum Main {
  static func main() async {
    InternalError.announceTraps()
    await Interruption.cancelling { interruption in
      do {
        try await perform()
      } catch {
        // What an interrupted compiler reports is not a mistake.
        if !interruption.hasHappened { end(with: error) }
      }
    }
  }

  private static func perform() async throws {
    // An option whose value may be left out. ArgumentParser's own (`defaultAsFlag`, 1.8.2) drops an attached value
    // when another option follows.
    let words = CommandLine.arguments.dropFirst().map { $0 == "--checks" ? "--checks=sample" : $0 }
    let command = try Vigc.parseAsRoot(words)
    let limit = (command as? any MemoryLimited)?.memoryLimit ?? .standard
    try await MemoryLimit.$current.withValue(limit) { try await run(command) }
  }

  private static func run(_ command: any ParsableCommand) async throws {
    var command = command
    if var asynchronous = command as? any AsyncParsableCommand {
      try await asynchronous.run()
    } else {
      try command.run()
    }
  }

  private static func end(with error: any Error) -> Never {
    switch error {
    case let list as DiagnosticList:
      for diagnostic in list.diagnostics { Console.report("error", diagnostic.description) }
      exit(1)
    case let diagnostic as Diagnostic:
      Console.report("error", diagnostic.description)
      exit(1)
    case let problem as InternalError:
      Console.report("internal error", problem.description)
      exit(InternalError.exitStatus)
    default:
      Vigc.exit(withError: error)
    }
  }
}

/// A command that runs within a limit of memory.
protocol MemoryLimited {
  var memoryLimit: MemoryLimit { get }
}

/// A bug of ours that is found while a model is compiled: no option of the user's would help.
struct InternalError: Error, CustomStringConvertible {
  /// EX_SOFTWARE of sysexits.h, apart from a user's mistake (1) and wrong usage (64).
  static let exitStatus: Int32 = 70

  var what: String
  var details: [String]

  init(_ what: String, details: [String] = []) {
    self.what = what
    self.details = details
  }

  /// A failed precondition of ours ends the process without a word in an optimised build; this adds one.
  static func announceTraps() {
    for number in [SIGILL, SIGTRAP] {
      signal(number) { _ in
        // Only what is allowed in a signal handler: no allocation, no formatting.
        let words: StaticString = """
          vigc: internal error: a condition that the compiler relies on does not hold; this is a bug in vigc, not in your model

          """
        _ = write(STDERR_FILENO, words.utf8Start, words.utf8CodeUnitCount)
        _exit(InternalError.exitStatus)
      }
    }
  }

  var description: String {
    // The first few are enough; a bad kernel fails in as many places as it is called from.
    let shown = details.prefix(12)
    let rest = details.count > shown.count ? ["  and \(details.count - shown.count) more"] : []
    return (["\(what); this is a bug in vigc, not in your model"] + shown.map { "  \($0)" } + rest)
      .joined(separator: "\n")
  }
}
