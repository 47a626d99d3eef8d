import ArgumentParser
import Codegen
import Foundation
import Frontends
import IR

/// `vigc verify MODEL`.
struct VerifyCommand: AsyncParsableCommand, CompilingCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Compile a model, run it, and compare it with a golden or the interpreter.",
    discussion: """
      Prints the relative L2 error of the output; the exit status is 0 only where it is within the tolerance. The \
      interpreter computes the graph as it was read, in double precision; a quantised one in float32, as the C does. With \
      --dataset it counts right classes instead.
      """)

  @OptionGroup var options: CompileOptions

  @Option(help: ArgumentHelp("What a published implementation computes.", valueName: "FILE.json"))
  var golden: String?

  @Option(
    help: ArgumentHelp(
      "The largest relative L2 error of the output, and of each layer.",
      discussion: "1e-5 if nothing is said, and more if half floats are rounded or the model is quantised."),
    transform: { try VerifyCommand.tolerance(parsing: $0) })
  var tolerance: Double?

  @Option(help: InputOption.help)
  var input: [String] = []

  @Option(help: "What executes the model: its compiled C, or an interpreter of the graph or of the loops.")
  var engine = Engine.c

  @Flag(help: "Also compare the output of every module, in a variant of the library that returns them all.")
  var layers = false

  @Flag(
    help: ArgumentHelp(
      "Compare on the graphs the library chose, and hold each of them to what its kind allows.",
      discussion: """
        For models whose graphs depend on data: a neighbour flips on the last bit, and two right implementations differ \
        by percents. The error of the free run is printed and not judged.
        """))
  var replay = false

  @Option(
    help: ArgumentHelp(
      "Also look for what one run does not show: poisoned arenas, guard pages, threads, batches, changed weights.",
      discussion: "--checks alone changes a few weight tensors, --checks=all each in turn.", valueName: "sample|all"))
  var checks: LibraryChecks.Scope?

  @Option(
    help: ArgumentHelp("Count right classes over inputs: arrays 'images' and 'labels'.", valueName: "FILE.npz"))
  var dataset: String?

  @Option(
    help: ArgumentHelp(
      "The float32 model that a quantised one was made of, to compare with.", valueName: "FILE.onnx|FILE.vir"))
  var floatModel: String?

  private static func tolerance(parsing text: String) throws -> Double {
    guard let tolerance = Double(text), tolerance >= 0 else {
      throw ValidationError("'\(text)' is not a tolerance; expected a number like 1e-5")
    }
    return tolerance
  }

  func validate() throws {
    if golden != nil && !input.isEmpty { throw ValidationError("a golden comes with its input: leave out --input") }
    if golden != nil && options.normalize {
      throw ValidationError("a golden's input is normalised already: leave out --normalize")
    }
    if dataset != nil && (golden != nil || !input.isEmpty || layers || replay || checks != nil || engine != .c) {
      throw ValidationError("--dataset runs the compiled C on its own inputs: leave the other comparisons out")
    }
    if let floatModel, !ModelLoader.isGraph(floatModel) {
      throw ValidationError("'\(floatModel)' does not hold its weights; --float-model takes an .onnx or a .vir file")
    }
    if replay && layers { throw ValidationError("--layers judge a free run: leave out --replay") }
    if checks != nil && engine != .c { throw ValidationError("--checks look at the compiled C: leave out --engine") }
  }

  func run() async throws {
    let golden = try self.golden.map { try Golden(path: $0) }
    let given = try input.map { try InputOption(parsing: $0) }
    var compilation = try await Compilation.load(
      options, workers: checks == nil ? nil : max(3, options.workerCount), golden: golden)
    if let floatModel { compilation.floatModel = try ModelLoader.load(model: floatModel) }
    if let dataset {
      for line in try await DatasetScore(path: dataset).run(compilation) { try Console.line(line) }
      return
    }
    // Published names are not always in lower case, as ours are.
    if let golden, golden.model.lowercased() != compilation.model.graph.name.lowercased() {
      throw Diagnostic(
        "\(self.golden ?? "") is the golden of \(golden.model), and the model is \(compilation.model.graph.name)")
    }
    let inputs = try golden.map { try goldenInputs($0, compilation) } ?? compilation.inputs(given)
    let outputs = try await compilation.execute(engine, inputs)
    let reference = golden == nil ? try await compilation.reference(inputs) : []
    let error =
      golden.map { self.error(outputs, $0) } ?? relativeError(outputs.flatMap { $0 }, reference.flatMap { $0 })
    let against = self.golden ?? "the interpreter"
    let subject = subject(compilation)
    let fitting = Tolerance(of: compilation.model.graph)
    let tolerance = self.tolerance ?? fitting.value
    let allowed = self.tolerance == nil ? fitting.reason.map { "; \($0)" } ?? "" : ""
    try Console.line("\(subject): relative L2 error \(short(error)) against \(against)\(allowed)")
    if golden == nil { try await compareQuantized(compilation, inputs, outputs, reference) }
    var problems: [String] = []
    func judge(_ error: Double, _ what: String = "") {
      if !(error <= tolerance) {
        problems.append("relative L2 error \(short(error))\(what), tolerance \(short(tolerance))")
      }
    }
    if replay {
      let outcome = try await ReplayComparison(tolerance: tolerance, engine: engine).run(compilation, inputs)
      try Console.write(outcome.table)
      try Console.line("on the same graphs: relative L2 error \(short(outcome.error)) against the interpreter")
      judge(outcome.error, " on the same graphs")
      problems += outcome.problems
    } else {
      judge(error)
    }
    if layers {
      let comparison = LayerComparison(golden: golden, tolerance: tolerance, engine: engine)
      let (table, wrong) = try await comparison.run(compilation, inputs)
      try Console.write(table)
      problems += wrong
    }
    if let checks {
      for held in try await LibraryChecks(scope: checks).run(compilation, inputs) { try Console.line("held: \(held)") }
    }
    if !problems.isEmpty {
      throw Diagnostic("\(subject) is wrong: \(problems[0])", notes: Array(problems.dropFirst()))
    }
  }

  /// What was run, in a word.
  private func subject(_ compilation: Compilation) -> String {
    switch engine {
    case .c: "\(compilation.name) for \(compilation.target.name)"
    case .loops: "\(compilation.name)'s loops for \(compilation.target.name)"
    case .graph: "\(compilation.name)'s graph"
    }
  }

  /// The error of outputs against a golden. A batch holds the golden's input once for each image.
  private func error(_ outputs: [[Double]], _ golden: Golden) -> Double {
    let all = outputs.flatMap { $0 }
    let count = max(1, golden.logits.count)
    guard !all.isEmpty, all.count.isMultiple(of: count) else { return .infinity }
    return stride(from: 0, to: all.count, by: count).map {
      golden.relativeError(of: Array(all[$0..<$0 + count]))
    }.max() ?? .infinity
  }

  /// Says of a quantised model how many outputs are those of the interpreter, and how far it is from the float one.
  private func compareQuantized(
    _ compilation: Compilation, _ inputs: [TensorData], _ outputs: [[Double]], _ reference: [[Double]]
  ) async throws {
    guard compilation.model.graph.isQuantized else { return }
    let found = outputs.flatMap { $0 }
    let equal = zip(found, reference.flatMap { $0 }).filter { $0.bitPattern == $1.bitPattern }.count
    try Console.line("\(equal) of \(found.count) outputs are equal bit for bit")
    guard let floatModel = compilation.floatModel else { return }
    let expected = try await Console.progress("interpreting the float model of \(compilation.name)") {
      try Compilation.interpret(floatModel.graph, inputs)
    }
    try Console.line("relative L2 \(short(relativeError(found, expected.flatMap { $0 }))) to the float32 model")
  }

  /// The golden's input, once for each place in the batch.
  private func goldenInputs(_ golden: Golden, _ compilation: Compilation) throws -> [TensorData] {
    let graph = compilation.model.graph
    guard graph.inputs.count == 1, let input = graph.inputs.first,
      case let shape = graph.tensorType(of: input).shape, shape.dropFirst() == golden.inputShape.dropFirst(),
      let batch = shape.first, batch.isMultiple(of: max(1, golden.inputShape.first ?? 1))
    else {
      let shapes = graph.inputs.map { "\(graph.tensorType(of: $0).shape)" }.joined(separator: ", ")
      throw Diagnostic("\(self.golden ?? "") is of an input \(golden.inputShape), and the model takes \(shapes)")
    }
    let count = golden.inputShape.reduce(1, *)
    let one = SyntheticWeights(seed: golden.seed).uniform("input", count: count)
    let times = shape.reduce(1, *) / max(1, count)
    return [TensorData(shape: shape, floats: (0..<times).flatMap { _ in one })]
  }
}

extension Compilation {
  /// The interpreter's outputs in double precision, the oracle.
  func reference(_ inputs: [TensorData]) async throws -> [[Double]] {
    try await Console.progress("interpreting the graph of \(name)") { try Self.interpret(model.graph, inputs) }
  }
}

/// A number with as many digits as are meaningful.
func short(_ value: Double) -> String { String(format: "%.3g", value) }
