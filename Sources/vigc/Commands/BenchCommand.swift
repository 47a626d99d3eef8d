import ArgumentParser
import Codegen
import Foundation
import Frontends
import IR

/// `vigc bench MODEL`.
struct BenchCommand: AsyncParsableCommand, CompilingCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Compile a model and time it.",
    discussion: "--threads N compiles for N workers and runs on N threads.")

  @OptionGroup var options: CompileOptions

  @Option(help: "How long to repeat it.", transform: { try BenchCommand.seconds(parsing: $0) })
  var seconds = 2.0

  @Option(help: InputOption.help)
  var input: [String] = []

  @Flag(help: "Print one JSON object.")
  var json = false

  @Flag(help: "Also print each layer's time beside its roofline; with --json in the object's layers.")
  var profile = false

  private static func seconds(parsing text: String) throws -> Double {
    guard let seconds = Double(text), seconds > 0, seconds <= 3600 else {
      throw ValidationError("'\(text)' is not a time from 0 to 3600 seconds")
    }
    return seconds
  }

  func run() async throws {
    let given = try input.map { try InputOption(parsing: $0) }
    var compilation = try await Compilation.load(options)
    let target = compilation.target
    try options.requireMeaningfulTime(for: target)
    let inputs = try compilation.inputs(given).flatMap(\.bytes)
    let result = try await compilation.compileVisibly()
    let threads = options.runThreads
    var compiling = CompiledModel.Options()
    compiling.profiles = profile
    let timing = try await compilation.withExecutable(result.library, options: compiling) { executable in
      try await executable.bench(inputs, threads: threads, seconds: seconds)
    }
    let operations = compilation.model.graph.operations.products
    let rate = timing.median > 0 ? Double(operations) / timing.median / 1e6 : 0
    var layers: (profile: Profile, rows: [Profile.Row])?
    if profile {
      let bytes = result.library.weightBytes + result.library.arenaBytes
      let machine = try await Console.progress("measuring the machine") {
        try await MachineProbe.measure(target, bytes: bytes, toolchain: options.toolchain)
      }
      layers = (Profile(machine: machine, threads: threads), Profile.rows(timing, result.optimized))
    }
    if json {
      let fields = layers.map { [("layers", $0.profile.objects($0.rows))] } ?? []
      try Console.line(object(compilation, result, timing, threads: threads, rate: rate, fields))
    } else {
      try Console.line(
        "\(compilation.name) for \(target.name), \(threads) thread\(threads == 1 ? "" : "s"): median "
          + "\(milliseconds(timing.median)) ms, least \(milliseconds(timing.minimum)), p90 \(milliseconds(timing.p90)) "
          + "in \(timing.runs) runs; \(String(format: "%.1f", rate)) GFLOP/s")
      if let layers { try Console.write("\n" + layers.profile.table(layers.rows)) }
    }
  }

  /// The keys are a contract; names cannot need escaping, being C identifiers and our own.
  private func object(
    _ compilation: Compilation, _ result: Compilation.Result, _ timing: CompiledModel.Timing, threads: Int,
    rate: Double,
    _ further: [(String, String)]
  ) -> String {
    let fields: [(String, String)] =
      [
        ("model", "\"\(compilation.name)\""), ("target", "\"\(compilation.target.name)\""), ("threads", "\(threads)"),
        ("runs", "\(timing.runs)"), ("min_ms", milliseconds(timing.minimum)),
        ("median_ms", milliseconds(timing.median)),
        ("p90_ms", milliseconds(timing.p90)), ("gflops", String(format: "%.3f", rate)),
        ("arena_bytes", "\(result.library.arenaBytes)"), ("peak_liveness_bytes", "\(result.plan.peakLivenessBytes)"),
        ("weight_bytes", "\(result.library.weightBytes)"),
      ] + further
    return "{" + fields.map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}"
  }

  private func milliseconds(_ value: Double) -> String { String(format: "%.4f", value) }
}
