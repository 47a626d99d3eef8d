import ArgumentParser
import Frontends

/// `vigc models`.
struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "models", abstract: "List the built-in models.")

  func run() throws {
    var table = Table(["name", "family", "input", "classes", "parameters"], numbers: [3, 4])
    for entry in Zoo.entries {
      let spec = try Zoo.spec(named: entry.name)
      let parameters = try spec.build().entries.parameterCount
      table.add([
        entry.name, entry.family, "\(spec.channels)x\(spec.height)x\(spec.width)", "\(spec.classes)", "\(parameters)",
      ])
    }
    try Console.write(table.text)
  }
}
