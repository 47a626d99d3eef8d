import IR

/// One rewriting of a graph. A pass is one file: a header with a small before and after, and a struct like this one.
public protocol Pass: Sendable {
  /// The name on the command line, like `fold-batch-norm`.
  static var name: String { get }
  /// What it does, in one line.
  static var summary: String { get }
  func run(_ graph: Graph) throws -> Graph
}

extension Pass {
  public var name: String { Self.name }
  public var summary: String { Self.summary }
}

/// What passes may ask about where the graph is going.
public struct CompilationTarget: Sendable {
  public var target: Target
  /// Tasks a parallel region is split into.
  public var workers: Int
  /// Measured schedules of products; nil leaves all to the cost model.
  public var tuning: ProductTuning?

  public init(target: Target, workers: Int, tuning: ProductTuning? = nil) {
    self.target = target
    self.workers = workers
    self.tuning = tuning
  }
}
