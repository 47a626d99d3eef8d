import ArgumentParser
import Codegen
import Foundation
import Frontends
import IR
import Passes

/// `vigc tune MODEL -o FILE.json`.
struct TuneCommand: AsyncParsableCommand, CompilingCommand {
  static let configuration = CommandConfiguration(
    commandName: "tune",
    abstract: "Measure schedules for a model's products, and keep those that beat the cost model's.",
    discussion: """
      Give the file to the other commands with --tuning, with the same target, threads and input size: a schedule belongs \
      to a product's shape, and shapes that the file does not name are left to the cost model. Measure on a machine that \
      does nothing else.
      """)

  @OptionGroup var options: CompileOptions

  @Option(name: .shortAndLong, help: ArgumentHelp("The file to write.", valueName: "FILE.json"))
  var output: String

  @Option(help: "How long to repeat each product's candidates.", transform: { try TuneCommand.seconds(parsing: $0) })
  var seconds = 0.3

  /// A schedule that is not this much faster is not worth another packing.
  private static let leastGain = 0.01

  private static func seconds(parsing text: String) throws -> Double {
    guard let seconds = Double(text), seconds > 0, seconds <= 3600 else {
      throw ValidationError("'\(text)' is not a time from 0 to 3600 seconds")
    }
    return seconds
  }

  func validate() throws {
    if options.tuning != nil { throw ValidationError("tune writes a tuning and reads none: leave out --tuning") }
  }

  func run() async throws {
    var compilation = try await Compilation.load(options)
    let target = compilation.target
    try options.requireMeaningfulTime(for: target)
    let products = try ProductTuner.products(
      of: compilation.optimize(), for: CompilationTarget(target: target, workers: compilation.workers))
    var winners: [ProductTuning.Winner] = []
    var table = Table(
      ["depth", "pixels", "channels", "model", "ms", "best", "ms", "gain"], numbers: [0, 1, 2, 4, 6, 7])
    for (place, product) in products.enumerated() {
      let candidates = ProductTuner.candidates(for: product, target: target)
      let times = try await Console.progress("product \(place + 1) of \(products.count)") {
        try await measure(product, candidates, target)
      }
      guard let best = times.indices.min(by: { times[$0] < times[$1] }) else { continue }
      let gain = 1 - times[best] / times[0]
      if gain >= Self.leastGain { winners.append(.init(product: product, schedule: candidates[best])) }
      table.add([
        "\(product.depth)", "\(product.pixels)", "\(product.channels)", candidates[0].name,
        String(format: "%.4f", times[0]), candidates[best].name, String(format: "%.4f", times[best]),
        String(format: "%.1f %%", 100 * gain),
      ])
    }
    try TuningFile.write(ProductTuning(target: target.name, winners: winners), to: output)
    try Console.write(table.text)
    try Console.line("\(winners.count) of \(products.count) products have a better schedule: \(output)")
  }

  /// Least milliseconds of each candidate.
  private func measure(
    _ product: ProductShape, _ candidates: [ProductSchedule], _ target: Target
  ) async throws -> [Double] {
    let program = ProductTuner.program(for: product, candidates, target: target)
    let shapes = program.buffers.filter { $0.storage == .input }.map { [$0.count] }
    let options = LibraryOptions(
      name: program.name, inputShapes: shapes,
      outputShapes: program.buffers.filter { $0.storage == .output }.map { [$0.count] }, weightsDescription: "none")
    let library = try emitLibrary(
      program, plan: PlanMemory.plan(program, workers: 1), target: target, options: options)
    var profiling = CompiledModel.Options()
    profiling.profiles = true
    profiling.limit = nil
    let input = [UInt8](repeating: 0, count: 4 * shapes.joined().reduce(0, +))
    return try await CompiledModel.with(library, toolchain: self.options.toolchain, options: profiling) { executable in
      Array(try await executable.bench(input, seconds: seconds).leastOfLayers.dropFirst())
    }
  }
}
