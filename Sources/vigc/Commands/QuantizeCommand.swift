import ArgumentParser
import Foundation
import Frontends
import IR
import Passes

/// `vigc quantize MODEL --calibration INPUTS -o FILE.vir`.
struct QuantizeCommand: AsyncParsableCommand, CompilingCommand {
  static let configuration = CommandConfiguration(
    commandName: "quantize", abstract: "Write a model in int8, calibrated on inputs, and say what that costs.",
    discussion: """
      FILE.vir gets the graph with pairs of quantize and dequantize, and FILE.safetensors beside it the constants: a model \
      like any other. The report compares it with the float32 model over the calibration inputs; the layers that lose \
      most come first.
      """)

  @OptionGroup var options: CompileOptions

  @Option(name: .shortAndLong, help: ArgumentHelp("The file to write.", valueName: "FILE.vir"))
  var output: String

  @Flag(help: "Also measure what quantising each layer alone costs, over at most eight of the inputs.")
  var sensitivity = false

  @Flag(help: "Print the report as one JSON object.")
  var json = false

  func validate() throws {
    try options.refuseOptionsOfC("quantize")
    if options.quantization.calibration == nil {
      throw ValidationError("--calibration is missing: FILE.npy, FILE.npz, a folder of pictures, or synthetic:N")
    }
    if !output.hasSuffix(".vir") { throw ValidationError("'\(output)' is no name of a graph; expected FILE.vir") }
  }

  func run() async throws {
    try requireOtherFile()
    var compilation = try await Console.progress("loading \(options.model)") { try Compilation(options) }
    compilation.warnOfDefaultWeights(of: "model")
    var settings = options.quantization.settings
    settings.measuresAlone = sensitivity
    let report = try compilation.quantize(settings, calibration: options.quantization.calibration ?? "")
    try GraphFile.write(compilation.model.graph, to: output)
    let table = QuantizationTable(report)
    try Console.write(json ? table.json : table.text)
  }

  /// Constants are written beside the graph, where the weights that were given may lie.
  private func requireOtherFile() throws {
    func place(_ path: String) -> String { URL(fileURLWithPath: path).resolvingSymlinksInPath().path }
    let written = URL(fileURLWithPath: output).deletingPathExtension().appendingPathExtension("safetensors").path
    let read = [options.weights, options.model].compactMap { $0 }
    if let file = read.first(where: { [place(written), place(output)].contains(place($0)) }) {
      throw Diagnostic("\(output) and \(written) would take the place of \(file), which is read: name another file")
    }
  }
}
