import ArgumentParser
import Codegen
import Foundation
import Frontends
import IR

/// `vigc compile MODEL -o DIR`.
struct CompileCommand: AsyncParsableCommand, CompilingCommand {
  static let configuration = CommandConfiguration(
    commandName: "compile", abstract: "Write a model as a C library.",
    discussion: """
      DIR gets NAME.h, NAME.c, NAME.weights, a CMakeLists.txt and a pkg-config file; with --threads pthread a thread \
      pool; with --build the libraries. Either everything is written or nothing.
      """)

  @OptionGroup var options: CompileOptions

  @Option(name: .shortAndLong, help: ArgumentHelp("The directory to write.", valueName: "DIR"))
  var output: String

  @Flag(help: "Print the memory plan, buffer by buffer, and the time of each pass.")
  var report = false

  func run() async throws {
    var compilation = try await Compilation.load(options)
    compilation.warnOfDefaultWeights(of: "library")
    let result = try await compilation.compileVisibly()
    var library = result.library
    let stack = try await checkAndBuild(&library)
    try library.write(to: output)
    try printSummary(compilation, result, library, stack: stack)
  }

  /// Checks the C against what the library promises and builds what was asked for, in a temporary directory, so that no
  /// half-built library is left.
  private func checkAndBuild(_ library: inout EmittedLibrary) async throws -> Int? {
    let written = library
    let toolchain = options.toolchain.crossing(to: library.target)
    let kinds = options.build
    let (files, stack) = try await withTemporaryDirectory { directory in
      try written.write(to: directory)
      let findings = try await Console.progress("checking the C of \(written.options.name)") {
        try written.checkC(in: directory)
      }
      if !findings.isEmpty {
        throw InternalError(
          "the C of \(written.options.name) breaks what it promises", details: findings.map(\.description))
      }
      var files: [EmittedLibrary.File] = []
      for kind in kinds {
        let name = try await Console.progress("building the \(kind.rawValue) library") {
          switch kind {
          case .static: try await toolchain.staticLibrary(written, in: directory)
          case .shared: try await toolchain.sharedLibrary(written, in: directory)
          }
        }
        files.append(EmittedLibrary.File(name, try readBinary("\(directory)/\(name)")))
      }
      let stack = kinds.isEmpty ? nil : try await toolchain.stackBytes(written, in: directory)
      return (files, stack)
    }
    library.files += files
    return stack
  }

  private func readBinary(_ path: String) throws -> [UInt8] {
    guard let data = FileManager.default.contents(atPath: path) else { throw Diagnostic("cannot read \(path)") }
    return Array(data)
  }

  private func printSummary(
    _ compilation: Compilation, _ result: Compilation.Result, _ library: EmittedLibrary, stack: Int?
  ) throws {
    let target = compilation.target
    try Console.line("\(compilation.name) for \(target.name), at most \(result.plan.workers) workers")
    for file in library.files { try Console.line("  \(output)/\(file.name)  \(file.contents.count) bytes") }
    let plan = result.plan
    let scratch = "\(plan.workers) x \(plan.scratchBytes) bytes of scratch"
    try Console.line(
      "arena    \(library.arenaBytes) bytes: \(plan.scratchBase) of buffers (peak liveness \(plan.peakLivenessBytes)), \(scratch)"
    )
    try Console.line("weights  \(library.weightBytes) bytes")
    if let stack { try Console.line("stack    at most \(stack) bytes") }
    if report { try printReport(compilation, result) }
  }

  private func printReport(_ compilation: Compilation, _ result: Compilation.Result) throws {
    var passes = Table(["pass", "ms", "nodes"], numbers: [1, 2])
    for report in compilation.passReports {
      passes.add([report.pass, String(format: "%.1f", report.milliseconds), "\(report.nodes)"])
    }
    try Console.write("\n" + passes.text)
    let plan = result.plan
    var buffers = Table(["buffer", "storage", "offset", "bytes"], numbers: [2, 3])
    let placed = result.program.buffers.compactMap { buffer in
      plan.offsets[buffer.name].map { (buffer: buffer, offset: $0) }
    }
    let order = placed.sorted {
      ($0.buffer.storage.rawValue, $0.offset, $0.buffer.name) < ($1.buffer.storage.rawValue, $1.offset, $1.buffer.name)
    }
    for (buffer, offset) in order {
      buffers.add([buffer.name, buffer.storage.rawValue, "\(offset)", "\(buffer.byteCount)"])
    }
    try Console.write("\n" + buffers.text)
    try Console.line(
      "arena \(plan.scratchBase) + scratch \(plan.scratchBytes) x \(plan.workers) workers = \(plan.arenaBytes) bytes")
  }
}

extension Compilation {
  /// `compile`, with a line on a terminal if it takes long.
  mutating func compileVisibly() async throws -> Result {
    var copy = self
    let result = try await Console.progress("compiling \(name)") { try copy.compile() }
    self = copy
    return result
  }
}
