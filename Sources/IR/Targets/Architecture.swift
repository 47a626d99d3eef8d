/// A family of processors: what compilers call it, and how a processor is asked what it can do.
///
/// A target's file makes the value of its architecture, or uses the one that another target's file made.
public struct Architecture: Sendable {
  /// Something that a processor of the architecture has or lacks.
  public struct Feature: Hashable, Sendable {
    /// As `Architecture.hostFeatures` lists it.
    public var name: String
    /// A C expression that is not zero if the processor has the feature; nil if `M_init` need not ask.
    public var test: String?

    public init(_ name: String, test: String?) {
      self.name = name
      self.test = test
    }
  }

  /// How the generated `M_init` can ask: the C around the tests of the features.
  public struct Question: Sendable {
    /// A preprocessor condition under which the processor can be asked: "defined(__linux__)".
    public var condition: String
    /// Headers that the tests need.
    public var headers: [String]
    /// Functions that the tests call, besides compiler builtins.
    public var functions: Set<String>
    /// Statements before the tests.
    public var statements: [String]

    public init(
      condition: String, headers: [String] = [], functions: Set<String> = [], statements: [String] = []
    ) {
      self.condition = condition
      self.headers = headers
      self.functions = functions
      self.statements = statements
    }
  }

  /// A C compiler that runs on another machine and makes programs for this architecture.
  public struct CrossCompiler: Sendable {
    /// "aarch64-linux-gnu-gcc".
    public var name: String
    /// Where its C library has its headers; libclang reads them too.
    public var headers: String
    /// What a user installs to have both: "gcc-aarch64-linux-gnu".
    public var packages: [String]

    public init(name: String, headers: String, packages: [String]) {
      self.name = name
      self.headers = headers
      self.packages = packages
    }
  }

  /// As `uname -m` says it; some systems have different names for one architecture.
  public var names: Set<String>
  /// As Clang's `-target` takes it: "aarch64-linux-gnu".
  public var triple: String
  /// The features of the machine that vigc runs on. Asked only if that machine has this architecture.
  public var hostFeatures: @Sendable () -> Set<String>
  /// Nil if the generated code cannot ask.
  public var question: Question?
  /// Nil if no compiler is known: the user then names one with `--cc`.
  public var crossCompiler: CrossCompiler?

  public init(
    names: Set<String>, triple: String, hostFeatures: @escaping @Sendable () -> Set<String> = { [] },
    question: Question? = nil, crossCompiler: CrossCompiler? = nil
  ) {
    self.names = names
    self.triple = triple
    self.hostFeatures = hostFeatures
    self.question = question
    self.crossCompiler = crossCompiler
  }
}
