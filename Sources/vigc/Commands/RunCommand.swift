import ArgumentParser
import Foundation
import Frontends
import IR

/// `vigc run MODEL`.
struct RunCommand: AsyncParsableCommand, CompilingCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Compile a model, run it on one input, and print the best classes.")

  @OptionGroup var options: CompileOptions

  @Option(help: InputOption.help)
  var input: [String] = []

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Write the outputs, each in its element type.", valueName: "FILE.npy|FILE.npz"))
  var output: String?

  @Option(
    help: "Print so many of the best classes of each input (default: 5 without --output).",
    transform: { try CompileOptions.positive($0, upTo: 1_000_000) })
  var top: Int?

  @Option(help: "What executes the model: its compiled C, or an interpreter of the graph or of the loops.")
  var engine = Engine.c

  func validate() throws {
    if top != nil && options.features { throw ValidationError("--features leaves no classes: leave out --top") }
  }

  func run() async throws {
    let given = try input.map { try InputOption(parsing: $0) }
    var compilation = try await Compilation.load(options)
    if compilation.hasDefaultWeights {
      Console.warn("no --weights: the model runs on synthetic ones, and its result means nothing")
    }
    let inputs = try compilation.inputs(given)
    let outputs = try await compilation.tensors(engine, inputs)
    let graph = compilation.model.graph
    let tensors = zip(graph.outputs, outputs).map { (name: graph.values[$0.index].name, data: $1) }
    if let output { try NumpyArchive.write(tensors, to: output) }
    if options.features {
      if output == nil { try printFeatures(tensors) }
    } else if let count = top ?? (output == nil ? 5 : nil) {
      for tensor in tensors { try printBest(count, of: tensor.data) }
    }
  }

  private func printFeatures(_ tensors: [(name: String, data: TensorData)]) throws {
    var table = Table(["output", "shape", "mean", "deviation"], numbers: [2, 3])
    for (name, data) in tensors {
      let values = Tensor<Double>(data).numbers
      let mean = values.reduce(0, +) / Double(values.count)
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
      let shape = data.shape.map(String.init).joined(separator: "x")
      table.add([name, shape, short(mean), short(variance.squareRoot())])
    }
    try Console.write(table.text)
  }

  /// The largest values of each row, larger ones first; of equal ones the first class comes first.
  private func printBest(_ count: Int, of tensor: TensorData) throws {
    let batch = max(1, tensor.shape.first ?? 1)
    let values = Tensor<Double>(tensor).numbers
    let classes = values.count / batch
    try Console.line("output \(tensor.shape.map(String.init).joined(separator: "x"))")
    for row in 0..<batch {
      let scores = Array(values[row * classes..<(row + 1) * classes])
      let best = scores.indices.sorted { (-scores[$0], $0) < (-scores[$1], $1) }.prefix(count)
      var table = Table([batch == 1 ? "class" : "class of input \(row)", "score"], numbers: [0, 1])
      for index in best {
        table.add(["\(index)", tensor.element == .f32 ? "\(Float(scores[index]))" : "\(scores[index])"])
      }
      try Console.write(table.text)
    }
  }
}
