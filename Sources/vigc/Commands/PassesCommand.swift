import ArgumentParser
import IR
import Passes

/// `vigc passes`.
struct PassesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "passes", abstract: "List the passes in the order in which they run.")

  func run() throws {
    var table = Table(["pass", "what it does"])
    table.add([NormalizeInput.name, "\(NormalizeInput.summary) (with --normalize)"])
    // Every target has the same passes, so any target will do.
    for pass in Pipeline.passes(for: .scalar) { table.add([pass.name, pass.summary]) }
    try Console.write(table.text)
  }
}
