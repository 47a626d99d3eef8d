import Foundation
import IR

// Executes a library: compiles it with a driver into a program in a directory of its own and runs that. Inputs and
// outputs are bytes of all tensors one after another, in order of the program's buffers.

/// A library as a program that can be run. `CompiledModel.with` makes it, and deletes it afterwards.
public struct CompiledModel: Sendable {
  public struct Options: Sendable {
    /// Further flags for every source, such as `-fsanitize=address`.
    public var flags: [String] = []
    /// Times each layer; `bench` then fills `layers`.
    public var profiles = false
    /// How the code is executed. Nil: as this machine can.
    public var execution: Target.Execution?
    /// Put before the program's name, such as `qemu-arm`, in place of what the target says.
    public var runner: [String] = []
    /// Compiler optimisation.
    public var optimisation = "-O3"
    /// Seconds that one run of the program may take, so that one that hangs ends a test. Nil: no limit, for a model that a
    /// user gives, whose honest time under an emulator or valgrind nobody knows.
    public var limit: Double? = 300

    public init() {}
  }

  public struct Timing: Sendable {
    public var runs: Int
    /// Milliseconds a run.
    public var minimum: Double
    public var median: Double
    public var p90: Double
    /// Milliseconds a run by layer, if the model was compiled with `profiles`.
    public var layers: [(name: String, milliseconds: Double)]
    /// The least of each, in the same order.
    public var leastOfLayers: [Double]
  }

  public let library: EmittedLibrary
  let directory: String
  private let limit: Double?
  /// The command that runs the driver, from its arguments.
  let command: @Sendable ([String]) -> [String]

  /// Compiles `library`, hands it to `body` and cleans up. Throws a `Diagnostic` if the machine cannot run the target.
  public static func with<Result>(
    _ library: EmittedLibrary, toolchain: Toolchain = Toolchain(), options: Options = Options(),
    _ body: (CompiledModel) async throws -> Result
  ) async throws -> Result {
    try await withTemporaryDirectory { directory in
      let model = try await CompiledModel(library, toolchain, options, in: directory)
      return try await body(model)
    }
  }

  private init(
    _ library: EmittedLibrary, _ toolchain: Toolchain, _ options: Options, in directory: String
  ) async throws {
    self.library = library
    self.directory = directory
    limit = options.limit
    let target = library.target
    let execution = try CompiledModel.execution(of: target, options, toolchain)
    try library.write(to: directory)
    let name = library.options.name
    var flags = ["-std=gnu11", "-D_GNU_SOURCE", options.optimisation, "-ffp-contract=off", "-fno-math-errno", "-I."]
    var toolchain = toolchain
    var extraSources: [String] = []
    switch execution {
    case .native:
      flags += target.compilerFlags
      command = { ["\(directory)/driver"] + $0 }
    case .standIn(let standIn):
      flags += standIn.compilerFlags + ["-include", standIn.fileName]
      command = { ["\(directory)/driver"] + $0 }
      try CompiledModel.write(standIn.header(), to: "\(directory)/\(standIn.fileName)")
    case .emulator(let emulator):
      flags += target.compilerFlags + emulator.flags
      for (file, text) in emulator.files { try CompiledModel.write(text, to: "\(directory)/\(file)") }
      extraSources = emulator.sources
      toolchain = toolchain.crossing(to: target)
      command = { [emulator.name] + emulator.arguments("./driver", $0) }
    case .impossible(let missing):
      throw Diagnostic("this machine cannot run code for \(target.name)", notes: missing)
    }
    func filled(_ text: String) -> String {
      LibraryText.fill(text, prefix: library.options.prefix).replacing("@N@", with: name)
    }
    try CompiledModel.write(filled(PoolText.header), to: "\(directory)/\(name)_pthread.h")
    try CompiledModel.write(filled(PoolText.source), to: "\(directory)/\(name)_pthread.c")
    try CompiledModel.write(filled(driver), to: "\(directory)/driver.c")
    var hooks: [String] = []
    if options.profiles {
      try CompiledModel.write(filled(DriverText.hooks), to: "\(directory)/hooks.h")
      hooks = ["-include", "hooks.h"]
    }
    let sources = ["\(name).c", "\(name)_pthread.c", "driver.c"] + extraSources
    try await toolchain.compile(
      flags + hooks + options.flags + sources + ["-o", "driver", "-pthread", "-lm"], in: directory)
  }

  /// How the target's code is executed here: a runner that the user named takes the place of the target's own emulator.
  private static func execution(
    of target: Target, _ options: Options, _ toolchain: Toolchain
  ) throws -> Target.Execution {
    guard let program = options.runner.first else {
      return options.execution ?? target.execution(compiler: toolchain.choice)
    }
    guard HostMachine.current.has(program: program) else {
      throw Diagnostic("there is no \(program) to run the code for \(target.name)")
    }
    var emulator = Launcher.Emulator(name: program, packages: [])
    if case .emulator(let own)? = target.launcher { emulator = own }
    let words = Array(options.runner.dropFirst())
    emulator.name = program
    emulator.arguments = { words + [$0] + $1 }
    return .emulator(emulator)
  }

  private static func write(_ text: String, to path: String) throws {
    do {
      try text.write(toFile: path, atomically: false, encoding: .utf8)
    } catch {
      throw Diagnostic("cannot write \(path)")
    }
  }

  /// Bytes of all inputs, and of all outputs.
  public var inputBytes: Int { library.tensorBytes(library.inputElements, library.inputTypes) }
  public var outputBytes: Int { library.tensorBytes(library.outputElements, library.outputTypes) }

  /// The driver with this model's sizes and its call.
  private var driver: String {
    // Tensors of different element types that lie one after another may be misaligned for their type: those are copied.
    let types = library.inputTypes + library.outputTypes
    let isAligned = Set(types.map(\.byteCount)).count <= 1
    var arguments = ["m"]
    var before: [String] = []
    var after: [String] = []
    func add(_ elements: [Int], _ types: [ElementType], from base: String, isInput: Bool) {
      var offset = 0
      for (number, (count, type)) in zip(elements, types).enumerated() {
        let constant = isInput ? "const " : ""
        var place = "\(base) + \(offset)"
        let bytes = count * type.byteCount
        if !isAligned {
          let copy = "\(base)_\(number)"
          before.append("static _Thread_local _Alignas(64) unsigned char \(copy)[\(bytes)];")
          if isInput { before.append("memcpy(\(copy), \(place), \(bytes));") }
          if !isInput { after.append("memcpy(\(place), \(copy), \(bytes));") }
          place = copy
        }
        arguments.append("(\(constant)\(type.cName) *)(\(constant)void *)(\(place))")
        offset += bytes
      }
    }
    add(library.inputElements, library.inputTypes, from: "in", isInput: true)
    add(library.outputElements, library.outputTypes, from: "out", isInput: false)
    let run = "const int status = @P@_run(\(arguments.joined(separator: ", ")));"
    let unused = library.inputElements.isEmpty ? ["(void)in;"] : []
    let call = (before + unused + [run] + after + ["return status;"]).joined(separator: "\n  ")
    return DriverText.source
      .replacing("@CALL@", with: call)
      .replacing("@INPUT_BYTES@", with: "\(max(1, inputBytes))").replacing("@OUTPUT_BYTES@", with: "\(outputBytes)")
      .replacing("@LAYERS@", with: "\(library.layers.count)")
  }

  private func drive(
    _ mode: String, _ input: [UInt8], threads: Int, weights: [UInt8]? = nil, runSeconds: Double = 0
  ) async throws -> Toolchain.Output {
    var weightsFile = "\(library.options.name).weights"
    if let weights {
      weightsFile = "other.weights"
      do {
        try Data(weights).write(to: URL(fileURLWithPath: "\(directory)/\(weightsFile)"))
      } catch { throw Diagnostic("cannot write \(directory)/\(weightsFile)") }
    }
    let path = "\(directory)/input.bin"
    // A model without inputs is run on a byte that it does not read.
    let input = inputBytes == 0 ? [0] : input
    guard !input.isEmpty, input.count % max(1, inputBytes) == 0 else {
      throw Diagnostic("an input has \(inputBytes) bytes, found \(input.count)")
    }
    do { try Data(input).write(to: URL(fileURLWithPath: path)) } catch { throw Diagnostic("cannot write \(path)") }
    let words = command([mode, weightsFile, "input.bin", "output.bin", "\(threads)", "\(runSeconds)"])
    let output = try await Toolchain.run(words[0], Array(words.dropFirst()), in: directory, seconds: limit)
    guard output.succeeded else {
      let words = output.standardError.split(separator: "\n").map(String.init)
      if output.timedOut, let limit {
        throw Diagnostic("the compiled model did not end in \(Int(limit)) s", notes: words)
      }
      let done = output.standardOutput.split(separator: "\n").last.map { [" after \"\($0)\""] } ?? []
      throw Diagnostic(
        "the compiled model failed: \(words.first ?? output.ending + (done.first ?? ""))",
        notes: Array(words.dropFirst()))
    }
    return output
  }

  /// Runs the model on one input after another, as many as `input` holds.
  ///
  /// - Parameter weights: A blob to run with in place of the library's own; init checks its id, and nothing checks its
  ///   hash.
  public func run(
    _ input: [UInt8], threads: Int = 1, weights: [UInt8]? = nil
  ) async throws -> [UInt8] {
    _ = try await drive("run", input, threads: threads, weights: weights)
    guard let data = try? Data(contentsOf: URL(fileURLWithPath: "\(directory)/output.bin")) else {
      throw Diagnostic("the compiled model wrote no output")
    }
    return Array(data)
  }

  /// `run` for float32 tensors.
  public func run(floats input: [Float], threads: Int = 1) async throws -> [Float] {
    let bytes = try await run(input.withUnsafeBytes { Array($0) }, threads: threads)
    return bytes.withUnsafeBytes { raw in
      (0..<(raw.count / 4)).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
  }

  /// Runs the model over and over for `seconds`.
  public func bench(_ input: [UInt8], threads: Int = 1, seconds: Double = 2) async throws -> Timing {
    struct Report: Decodable {
      var runs: Int
      var min_ms: Double
      var median_ms: Double
      var p90_ms: Double
      var layers_ms: [Double]
      var layers_least_ms: [Double]
    }
    let output = try await drive("bench", input, threads: threads, runSeconds: seconds)
    guard let report = try? JSONDecoder().decode(Report.self, from: Data(output.standardOutput.utf8)) else {
      preconditionFailure("the driver printed \(output.standardOutput)")
    }
    return Timing(
      runs: report.runs, minimum: report.min_ms, median: report.median_ms, p90: report.p90_ms,
      layers: zip(library.layers, report.layers_ms).map { ($0, $1) }, leastOfLayers: report.layers_least_ms)
  }

  /// Looks for what a single run does not show: repeats it, poisons the arena with NaN and with random bytes, puts guard
  /// pages around every buffer, compares `threads` with one, and runs two callers at once. Returns what held; throws a
  /// `Diagnostic` of what did not.
  public func check(_ input: [UInt8], threads: Int = 1) async throws -> [String] {
    try await drive("check", input, threads: threads).standardOutput.split(separator: "\n").map(String.init)
  }
}

extension EmittedLibrary {
  fileprivate func tensorBytes(_ elements: [Int], _ types: [ElementType]) -> Int {
    zip(elements, types).reduce(0) { $0 + $1.0 * $1.1.byteCount }
  }
}
