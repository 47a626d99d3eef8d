import ArgumentParser
import Frontends
import IR

/// `vigc export MODEL -o FILE.onnx`.
struct ExportCommand: AsyncParsableCommand, CompilingCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write a model, as it was read, as ONNX with its weights.",
    discussion: """
      Ops of the standard operator set \(ONNXExporter.operatorSet) only, float32, at one input size and batch. The file is \
      written whole or not at all.
      """)

  @OptionGroup var options: CompileOptions

  @Option(name: .shortAndLong, help: ArgumentHelp("The file to write.", valueName: "FILE.onnx"))
  var output: String

  func validate() throws {
    try options.refuseOptionsOfC("export")
    if options.printIrAfter != nil {
      throw ValidationError(
        "--print-ir-after is about generated C, and export writes the graph ahead of it: leave it out")
    }
  }

  func run() async throws {
    let compilation = try await Compilation.load(options)
    compilation.warnOfDefaultWeights(of: "model")
    try await Console.progress("writing \(output)") {
      try ONNXExporter.write(compilation.model.graph, version: Vigc.version, to: output)
    }
  }
}
