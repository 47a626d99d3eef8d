import ArgumentParser
import IR

/// How much memory a command asks for at most for one thing that a file describes.
struct MemoryOptions: ParsableArguments {
  @Option(
    name: .customLong("memory-limit"),
    help: ArgumentHelp(
      "What a model's constants, or an interpreter's values, may take (default: \(MemoryLimit.standard.gibibytes)).",
      valueName: "GIB"),
    transform: { try CompileOptions.positive($0, upTo: 1 << 20) })
  var gibibytes: Int?

  var limit: MemoryLimit { gibibytes.map { MemoryLimit(gibibytes: $0) } ?? .standard }
}

/// A command that runs within a limit of memory.
protocol MemoryLimited: ParsableCommand {
  var memory: MemoryOptions { get }
}

/// A command that compiles takes its limit with the options that all of them have.
protocol CompilingCommand: MemoryLimited {
  var options: CompileOptions { get }
}

extension CompilingCommand {
  var memory: MemoryOptions { options.memory }
}
