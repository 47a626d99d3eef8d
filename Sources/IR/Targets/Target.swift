/// A machine as data: what the compiler may assume, and how the C for it is spelled.
///
/// A target is one file that makes one value and one line in `Target.all`.
public struct Target: Sendable {
  /// An instruction of the machine: how C spells it, what it means, and what types it takes.
  public struct Instruction: Sendable {
    /// C with `{0}`, `{1}`, ... for the operands.
    public var spelling: String
    public var operands: [LoopType]
    public var result: LoopType
    /// The meaning: parameters are the operand names `a0`, `a1`, ..., the value is the result.
    public var semantics: LoopValue

    public init(spelling: String, operands: [LoopType], result: LoopType, semantics: LoopValue) {
      self.spelling = spelling
      self.operands = operands
      self.result = result
      self.semantics = semantics
    }
  }

  public struct Cache: Hashable, Sendable {
    /// Bytes.
    public var l1: Int
    /// Bytes.
    public var l2: Int

    public init(l1: Int, l2: Int) {
      self.l1 = l1
      self.l2 = l2
    }
  }

  /// The machines that execute the code.
  public enum Machine: Sendable {
    /// Any: the code is plain C.
    case portable
    /// Processors of an architecture that have all of `features`.
    case processor(Architecture, features: [Architecture.Feature])
  }

  /// What the spellings need of the compiler's headers.
  public struct Headers: Sendable {
    public var names: [String]
    /// Beginnings of names of functions that the headers declare and the code may call: "_mm".
    public var functionPrefixes: [String]
    /// Whole names of further ones.
    public var functions: Set<String>

    public init(_ names: [String], functionPrefixes: [String] = [], functions: Set<String> = []) {
      self.names = names
      self.functionPrefixes = functionPrefixes
      self.functions = functions
    }

    public static let none = Headers([])

    /// Whether generated code may call a function of this name that the headers declare.
    public func allows(call name: String) -> Bool {
      functions.contains(name) || functionPrefixes.contains { name.hasPrefix($0) }
    }
  }

  public var name: String
  public var summary: String
  public var machine: Machine
  /// How the code is run on other machines; nil if it cannot be.
  public var launcher: Launcher?
  /// float32 lanes of a vector; 1 if kernels are scalar.
  public var lanes: Int
  /// Vector registers the kernels may count on.
  public var registers: Int
  public var cache: Cache
  /// False: `fma` is a multiply and an add, each rounded.
  public var fusesMultiplyAdd: Bool
  /// Flags for GCC and Clang, beyond the ones every target gets.
  public var compilerFlags: [String]
  /// The C standard the code is written in: "c99".
  public var standard: String
  /// What to include for the spellings, and which of its functions may be called.
  public var headers: Headers
  /// C names of vector and mask types by loop type.
  public var typeNames: [LoopType: String]
  /// How C spells a loop operation, by key ("add.f32", "load.f32", ...; see `docs/AddATarget.md`); `{0}`, `{1}` are operands.
  public var spellings: [String: String]
  public var instructions: [String: Instruction]
  /// C definitions of `static inline` functions that spellings may call, by name; only those used are emitted.
  public var helpers: [String: String]

  public init(
    name: String, summary: String, machine: Machine, launcher: Launcher? = nil, lanes: Int, registers: Int,
    cache: Cache, fusesMultiplyAdd: Bool, compilerFlags: [String], standard: String = "c99", headers: Headers = .none,
    typeNames: [LoopType: String] = [:], spellings: [String: String] = [:],
    instructions: [String: Instruction] = [:], helpers: [String: String] = [:]
  ) {
    self.name = name
    self.summary = summary
    self.machine = machine
    self.launcher = launcher
    self.lanes = lanes
    self.registers = registers
    self.cache = cache
    self.fusesMultiplyAdd = fusesMultiplyAdd
    self.compilerFlags = compilerFlags
    self.standard = standard
    self.headers = headers
    self.typeNames = typeNames
    self.spellings = spellings
    self.instructions = instructions
    self.helpers = helpers
  }
  /// The processor's architecture; nil for portable code.
  public var architecture: Architecture? {
    switch machine {
    case .portable: nil
    case .processor(let architecture, features: _): architecture
    }
  }

  /// What a processor must have; empty for portable code.
  public var features: [Architecture.Feature] {
    switch machine {
    case .portable: []
    case .processor(_, let features): features
    }
  }
}
