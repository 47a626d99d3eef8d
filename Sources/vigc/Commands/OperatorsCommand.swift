import ArgumentParser
import Frontends

/// `vigc operators`.
struct OperatorsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "operators", abstract: "List the ONNX operators that are read, and what is not of each.")

  func run() throws {
    var table = Table(["operator", "not supported"])
    for entry in ONNXImporter.supportedOperators { table.add([entry.name, entry.limits]) }
    try Console.write(table.text)
  }
}
