import Foundation
import IR
import Subprocess
import SystemPackage

// Runs the C compiler, the archiver and what they make. Takes sources in a directory, and makes objects, libraries and
// programs beside them. A compiler that is missing or complains is a `Diagnostic` with its first error.

public struct Toolchain: Sendable {
  /// What a program said and how it ended.
  public struct Output: Sendable {
    /// The exit code; nil if a signal or the time limit ended it.
    public var exitCode: Int?
    public var signal: Int?
    public var standardOutput: String
    public var standardError: String
    public var timedOut: Bool

    public var succeeded: Bool { exitCode == 0 }

    /// "exit status 3", "signal 11", "time limit".
    public var ending: String {
      if timedOut { return "it ran into its time limit" }
      if let signal { return "it was ended by signal \(signal)" }
      return "it ended with exit status \(exitCode ?? -1)"
    }
  }

  /// The user's choice of a C compiler, if there is one.
  public let choice: String?
  /// Name or path of the C compiler.
  public private(set) var compiler: String
  /// What a user installs if it is missing.
  private var hint = "install one (gcc or clang), or name it with --cc"
  /// Name or path of the archiver.
  public var archiver: String

  /// `cc` is the user's choice; the system's own `cc` without one.
  public init(cc: String? = nil, archiver: String = "ar") {
    choice = cc
    compiler = cc ?? "cc"
    self.archiver = archiver
  }

  /// The tools that make programs for `target`: the user's, or on another architecture's machine the cross compiler.
  public func crossing(to target: Target, from host: HostMachine = .current) -> Toolchain {
    guard choice == nil, let architecture = target.architecture, !host.isOne(of: architecture),
      let cross = architecture.crossCompiler
    else { return self }
    var result = self
    result.compiler = cross.name
    result.hint = "install \(cross.packages.joined(separator: " ")), or name another compiler with --cc"
    return result
  }

  /// What generated code is always compiled with: no multiply-add may be fused unless the code spells it as one.
  public static func codeFlags(for target: Target) -> [String] {
    ["-ffp-contract=off", "-fno-math-errno"] + target.compilerFlags
  }

  /// Optimised, in the target's C standard.
  public static func buildFlags(for target: Target) -> [String] {
    ["-std=\(target.standard)", "-O3"] + codeFlags(for: target)
  }

  /// Runs a program to its end, or for `seconds` at most where they are given; cancelling the task ends it. Throws a
  /// `Diagnostic` if it cannot be started.
  public static func run(
    _ program: String, _ arguments: [String], in directory: String? = nil, seconds: Double? = nil
  ) async throws -> Output {
    let executable: Executable = program.contains("/") ? .path(FilePath(program)) : .name(program)
    // More programs than processors only slow each other down, and the time limit would count the waiting.
    await ProcessSlots.shared.take()
    defer { Task { await ProcessSlots.shared.give() } }
    // Compilers start programs of their own: the whole process group is ended.
    var platform = PlatformOptions()
    platform.processGroupID = 0
    platform.teardownSequence = [.gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .milliseconds(500))]
    let work = Task { [platform] in
      try await Subprocess.run(
        executable, arguments: Arguments(arguments), workingDirectory: directory.map { FilePath($0) },
        platformOptions: platform, input: .none, output: .string(limit: 8 << 20), error: .string(limit: 8 << 20))
    }
    let expired = Flag()
    let watch = Task {
      guard let seconds else { return }
      try await Task.sleep(for: .seconds(seconds))
      expired.raise()
      work.cancel()
    }
    defer { watch.cancel() }
    do {
      let result = try await withTaskCancellationHandler {
        try await work.value
      } onCancel: {
        work.cancel()
      }
      var output = Output(
        exitCode: nil, signal: nil, standardOutput: result.standardOutput,
        standardError: result.standardError, timedOut: expired.isRaised)
      switch result.terminationStatus {
      case .exited(let code): output.exitCode = expired.isRaised ? nil : Int(code)
      case .signaled(let code): output.signal = Int(code)
      }
      return output
    } catch {
      if expired.isRaised {
        return Output(exitCode: nil, signal: nil, standardOutput: "", standardError: "", timedOut: true)
      }
      try Task.checkCancellation()
      throw Diagnostic(
        "cannot run \(program): \(!HostMachine.current.has(program: program) ? "it was not found" : "\(error)")")
    }
  }

  /// Runs the C compiler. Throws a `Diagnostic` that starts with the compiler's first error.
  @discardableResult
  public func compile(_ arguments: [String], in directory: String) async throws -> Output {
    if !HostMachine.current.has(program: compiler) {
      throw Diagnostic(
        "there is no C compiler called \(compiler)", notes: [hint])
    }
    let output = try await Toolchain.run(compiler, arguments, in: directory)
    if output.succeeded { return output }
    let lines = output.standardError.split(separator: "\n").map(String.init)
    let first = lines.firstIndex { $0.contains("error") } ?? 0
    let excerpt = lines.dropFirst(first).prefix(8)
    let reason = excerpt.first ?? output.ending
    throw Diagnostic(
      "\(compiler) failed: \(reason)",
      notes: Array(excerpt.dropFirst()) + ["command: \(compiler) \(arguments.joined(separator: " "))"])
  }

  /// Compiles each source of the library to an object in `directory`, and returns their names.
  public func objects(
    of library: EmittedLibrary, in directory: String, flags: [String] = []
  ) async throws -> [String] {
    var objects: [String] = []
    for source in library.sources {
      let object = source.prefix { $0 != "." } + ".o"
      let own = Toolchain.buildFlags(for: library.target) + ["-fPIC", "-fvisibility=hidden", "-I."]
      try await compile(own + flags + ["-c", source, "-o", String(object)], in: directory)
      objects.append(String(object))
    }
    return objects
  }

  /// Makes `libNAME.a` of the files that `library.write(to: directory)` wrote, and returns its name.
  public func staticLibrary(_ library: EmittedLibrary, in directory: String) async throws -> String {
    let name = "lib\(library.options.name).a"
    let objects = try await objects(of: library, in: directory)
    defer { remove(objects, in: directory) }
    remove([name], in: directory)
    let output = try await Toolchain.run(archiver, ["rcsD", name] + objects, in: directory)
    guard output.succeeded else {
      throw Diagnostic("\(archiver) failed: \(output.standardError.split(separator: "\n").first ?? "")")
    }
    return name
  }

  /// Makes `libNAME.so` with nothing but the API visible, and returns its name.
  public func sharedLibrary(_ library: EmittedLibrary, in directory: String) async throws -> String {
    let name = "lib\(library.options.name).so"
    let objects = try await objects(of: library, in: directory)
    defer { remove(objects, in: directory) }
    let threads = library.options.threads == .pthread ? ["-pthread"] : []
    try await compile(["-shared", "-o", name] + objects + threads + ["-lm"], in: directory)
    return name
  }

  private func remove(_ names: [String], in directory: String) {
    for name in names { try? FileManager.default.removeItem(atPath: "\(directory)/\(name)") }
  }
}

/// A flag that one task raises and another reads.
private final class Flag: @unchecked Sendable {
  private let lock = NSLock()
  private var raised = false

  var isRaised: Bool { lock.withLock { raised } }

  func raise() { lock.withLock { raised = true } }
}

/// A directory of its own for one job, gone when `body` returns.
public func withTemporaryDirectory<Result>(_ body: (String) async throws -> Result) async throws -> Result {
  let url = FileManager.default.temporaryDirectory.appendingPathComponent("vigc-\(UUID().uuidString)")
  do {
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  } catch {
    throw Diagnostic("cannot make a temporary directory in \(FileManager.default.temporaryDirectory.path)")
  }
  defer { try? FileManager.default.removeItem(at: url) }
  return try await body(url.path)
}

/// As many programs at a time as there are processors. The others wait, first come, first served.
private actor ProcessSlots {
  static let shared = ProcessSlots()

  private var free = max(1, ProcessInfo.processInfo.activeProcessorCount)
  private var waiting: [CheckedContinuation<Void, Never>] = []

  func take() async {
    if free > 0 {
      free -= 1
    } else {
      await withCheckedContinuation { waiting.append($0) }
    }
  }

  func give() {
    if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
  }
}
