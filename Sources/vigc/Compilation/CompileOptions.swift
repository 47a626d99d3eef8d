import ArgumentParser
import Codegen
import Frontends
import IR
import Passes

/// `HEIGHTxWIDTH`.
struct InputSize: Hashable, Sendable {
  var height: Int
  var width: Int

  init(height: Int, width: Int) {
    self.height = height
    self.width = width
  }

  init(parsing text: String) throws {
    let parts = text.lowercased().split(separator: "x", omittingEmptySubsequences: false)
    let sides = parts.compactMap { Int($0) }
    guard parts.count == 2, sides.count == 2, sides.allSatisfy({ $0 > 0 }) else {
      throw ValidationError("'\(text)' is not a size; expected HEIGHTxWIDTH in pixels, like 224x224")
    }
    height = sides[0]
    width = sides[1]
  }
}

/// `none`, `pthread`, or a number of threads.
///
/// One word for all commands: `compile` says what the library brings along, `bench` how many threads it runs on.
enum ThreadsOption: Hashable, Sendable {
  case none
  case pthread
  case count(Int)

  /// Workers of a pool that does not say how many.
  static let defaultWorkers = 4
  static let mostWorkers = 256

  init(parsing text: String) throws {
    switch text {
    case "none": self = .none
    case "pthread": self = .pthread
    default:
      guard let count = Int(text), (1...Self.mostWorkers).contains(count) else {
        throw ValidationError("'\(text)' is neither none nor pthread nor a number from 1 to \(Self.mostWorkers)")
      }
      self = .count(count)
    }
  }

  /// What the library brings along: a number of threads asks for the pool that runs them.
  var packaging: LibraryOptions.Threads {
    switch self {
    case .none: .none
    case .pthread: .pthread
    case .count(let count): count > 1 ? .pthread : .none
    }
  }

  var workers: Int {
    switch self {
    case .none: 1
    case .pthread: Self.defaultWorkers
    case .count(let count): count
    }
  }
}

enum BuildKind: String, CaseIterable, Sendable {
  case `static`
  case shared

  /// A list with commas between, each at most once.
  static func list(parsing text: String) throws -> [BuildKind] {
    let kinds = try text.split(separator: ",", omittingEmptySubsequences: false).map { word in
      guard let kind = BuildKind(rawValue: String(word)) else {
        throw ValidationError("'\(word)' cannot be built; expected static, shared, or both with a comma between")
      }
      return kind
    }
    return BuildKind.allCases.filter(kinds.contains)
  }
}

extension LibraryOptions.WeightsForm: ExpressibleByArgument {}

/// `MODULE=NAME`: how one graph construction is lowered.
struct LoweringOption: Hashable, Sendable {
  var node: String
  var name: String

  init(parsing text: String) throws {
    guard let split = text.lastIndex(of: "="), split != text.startIndex, text.index(after: split) != text.endIndex
    else {
      throw ValidationError(
        "'\(text)' names no lowering; expected MODULE=NAME, like backbone.0.0.graph_conv=fused_rolls")
    }
    node = String(text[..<split])
    name = String(text[text.index(after: split)...])
  }
}

/// `NAME=N`: the size of a symbolic dimension.
struct DimensionOption: Hashable, Sendable {
  var name: String
  var size: Int

  init(parsing text: String) throws {
    guard let split = text.lastIndex(of: "="), split != text.startIndex,
      let size = Int(text[text.index(after: split)...]), (1...1 << 24).contains(size)
    else { throw ValidationError("'\(text)' is no dimension; expected NAME=N, like batch=1") }
    name = String(text[..<split])
    self.size = size
  }
}

/// `NAME=SOURCE`, or a source alone for the first input: what a model is run on.
struct InputOption: Hashable, Sendable {
  /// Nil for the first input, or the only one.
  var name: String?
  var source: InputSource

  init(parsing text: String) throws {
    // A file's name may hold an equals sign too: the first one that is followed by a source counts.
    if let split = text.firstIndex(of: "="), split != text.startIndex,
      let source = try? InputSource(parsing: String(text[text.index(after: split)...]))
    {
      name = String(text[..<split])
      self.source = source
    } else {
      source = try InputSource(parsing: text)
    }
  }

  /// An input and its contents, which go together.
  init(binding text: String) throws {
    guard let option = try? InputOption(parsing: text), option.name != nil else {
      throw ValidationError("'\(text)' binds nothing; expected NAME=FILE.npy, like axes=axes.npy")
    }
    self = option
  }

  static let help = ArgumentHelp(
    "What to run it on; NAME= names an input of several (may be repeated).",
    valueName: "[NAME=]synthetic[:SEED]|FILE.npy|FILE.pb|IMAGE")
}

/// What every command that compiles takes.
struct CompileOptions: ParsableArguments {
  @Argument(help: "A model of the zoo (see 'vigc models'), a .yaml spec, an .onnx model, or a .vir graph.")
  var model: String

  @Option(help: ArgumentHelp("Where weights come from.", valueName: "synthetic[:SEED]|FILE"))
  var weights: String?

  @Flag(help: "The moving averages of the weights that a training checkpoint holds beside them.")
  var ema = false

  @Option(help: "What to compile for: see 'vigc targets'; native is the best this machine has.")
  var target = "native"

  @Option(
    help: ArgumentHelp("Height and width of the input.", valueName: "HxW"),
    transform: { try InputSize(parsing: $0) })
  var inputSize: InputSize?

  @Flag(help: "Resize a model's positions, as PyTorch's bicubic does, where the input has another size than its own.")
  var resizePositions = false

  @Option(help: "What the first memberships of hypergraphs are made of.")
  var membershipSeed: UInt64 = 0

  @Option(help: "Inputs a call takes at once.", transform: { try CompileOptions.positive($0, upTo: 1024) })
  var batch: Int?

  @Option(
    help: ArgumentHelp("The size of a symbolic dimension of an .onnx model (may be repeated).", valueName: "NAME=N"),
    transform: { try DimensionOption(parsing: $0) })
  var dim: [DimensionOption] = []

  @Option(
    help: ArgumentHelp(
      "Contents of an input of an .onnx model that are known when it is compiled (may be repeated).",
      valueName: "NAME=FILE.npy"),
    transform: { try InputOption(binding: $0) })
  var bind: [InputOption] = []

  @Flag(help: "The outputs of the stages instead of the classes, by their strides: stride4, stride8, ...")
  var features = false

  @Flag(help: "Fold the input's mean and deviation into the library, which then takes values from 0 to 1.")
  var normalize = false

  @Option(
    help: ArgumentHelp(
      "none: the caller brings threads, or none; pthread: a pool in a file of its own; a number: a pool of so many.",
      valueName: "none|pthread|N"),
    transform: { try ThreadsOption(parsing: $0) })
  var threads = ThreadsOption.none

  @Option(
    help: "The most workers a caller may bring (default: 1, with a pool \(ThreadsOption.defaultWorkers)).",
    transform: { try CompileOptions.positive($0, upTo: ThreadsOption.mostWorkers) })
  var workers: Int?

  @Option(help: ArgumentHelp("The form the weights are written in.", valueName: "blob|incbin|array"))
  var weightsAs = LibraryOptions.WeightsForm.blob

  @Option(help: "Of every C symbol, and in capitals of every macro (default: the model's name).")
  var prefix: String?

  @Option(
    help: ArgumentHelp("Also build libNAME.a, libNAME.so.", valueName: "static,shared"),
    transform: { try BuildKind.list(parsing: $0) })
  var build: [BuildKind] = []

  @Option(help: "The C compiler.")
  var cc: String?

  @Option(
    help: ArgumentHelp(
      "Run what was compiled with this command in front, such as an emulator of --cc's machine.", valueName: "COMMAND"))
  var runner: String?

  @Option(
    help: ArgumentHelp(
      "Lower the graph construction of a module so, not as estimated (may be repeated; '*' is every module).",
      valueName: "MODULE=NAME"),
    transform: { try LoweringOption(parsing: $0) })
  var lowering: [LoweringOption] = []

  @Option(help: ArgumentHelp("Schedules of products that 'vigc tune' measured.", valueName: "FILE.json"))
  var tuning: String?

  @Option(help: ArgumentHelp("Print the graph after a pass, on standard error.", valueName: "NAME|all"))
  var printIrAfter: String?

  @OptionGroup var memory: MemoryOptions

  @OptionGroup var quantization: QuantizationArguments

  var toolchain: Toolchain { Toolchain(cc: cc) }

  /// The words of `--runner`.
  var runnerWords: [String] { (runner ?? "").split(separator: " ").map(String.init) }

  /// Throws a `Diagnostic` if timing code for `target` here would mean nothing, because it is emulated.
  func requireMeaningfulTime(for target: Target) throws {
    guard let substitute = runnerWords.first ?? target.execution(compiler: cc).substitute else { return }
    throw Diagnostic(
      "\(target.name) would run through \(substitute), and the time of an emulation means nothing",
      notes: ["time another target, or on another machine; run and verify do emulate it"])
  }

  /// What was asked for in place of the cheapest lowering.
  var lowerings: LoweringRequests {
    LoweringRequests(Dictionary(lowering.map { ($0.node, $0.name) }) { first, _ in first })
  }

  /// The sizes of symbolic dimensions by their names.
  var dimensions: [String: Int] { Dictionary(dim.map { ($0.name, $0.size) }) { first, _ in first } }

  /// What inputs are bound to, by their names.
  var bindings: [String: InputSource] {
    Dictionary(bind.map { ($0.name ?? "", $0.source) }) { first, _ in first }
  }

  /// Tasks that parallel regions are split into, and workers the arena has room for.
  var workerCount: Int { workers ?? threads.workers }

  /// Threads that commands run the library on.
  var runThreads: Int {
    switch threads {
    case .none: 1
    case .pthread, .count: min(threads.workers, workerCount)
    }
  }

  /// Throws if an option is given that is about generated C only: a user who gives one expects it to matter.
  ///
  /// - Parameter command: The one that writes a graph.
  func refuseOptionsOfC(_ command: String) throws {
    let given = [
      ("--target", target != "native"), ("--threads", threads != .none), ("--workers", workers != nil),
      ("--weights-as", weightsAs != .blob), ("--prefix", prefix != nil), ("--build", !build.isEmpty),
      ("--cc", cc != nil), ("--lowering", !lowering.isEmpty),
    ]
    if let option = given.first(where: \.1) {
      throw ValidationError(
        "\(option.0) is about generated C, and \(command) writes the graph ahead of it: leave it out")
    }
  }

  func validate() throws {
    let names = dim.map(\.name)
    if let twice = names.first(where: { name in names.filter { $0 == name }.count > 1 }) {
      throw ValidationError("--dim gives two sizes to '\(twice)'")
    }
    let bound = bind.compactMap(\.name)
    if let twice = bound.first(where: { name in bound.filter { $0 == name }.count > 1 }) {
      throw ValidationError("--bind gives two contents to '\(twice)'")
    }
    let modules = lowering.map(\.node)
    if let twice = modules.first(where: { node in modules.filter { $0 == node }.count > 1 }) {
      throw ValidationError("--lowering says twice how '\(twice)' is lowered")
    }
    if ema && weights == nil { throw ValidationError("--ema is about a checkpoint: name it with --weights") }
    if case .count(let count) = threads, let workers, workers < count {
      throw ValidationError("\(count) threads and at most \(workers) workers; --workers must be at least as many")
    }
  }

  static func positive(_ text: String, upTo most: Int) throws -> Int {
    guard let number = Int(text), (1...most).contains(number) else {
      throw ValidationError("'\(text)' is not a whole number from 1 to \(most)")
    }
    return number
  }
}

/// Which of the three forms is executed.
enum Engine: String, CaseIterable, ExpressibleByArgument, Sendable {
  /// The C, compiled.
  case c
  /// The graph as it was read, in double precision.
  case graph
  /// The loop program.
  case loops
}
