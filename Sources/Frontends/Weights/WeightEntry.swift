import IR

/// One entry of a model's state dict: what a published checkpoint holds and a loader must find.
public struct WeightEntry: Hashable, Sendable {
  /// The role of an entry in training, which decides whether it counts as a parameter.
  public enum Role: Hashable, Sendable {
    case parameter
    /// A running statistic.
    case buffer
    /// `num_batches_tracked`: part of the state dict, never read.
    case counter
  }

  /// The published state-dict name.
  public var name: String
  public var shape: [Int]
  public var role: Role
  /// What the model's constructor computes, for an entry that is never synthesised and that a file may leave out.
  public var computed: TensorData?
  /// The shape in which the graph reads positions that were resized to another input size; nil for `shape` itself.
  public var resized: [Int]?

  /// Whether a file may leave it out: the graph that is built does not read it.
  public var isOptional = false

  /// The name under which a checkpoint prepared for inference holds the entry, after the identity was added to it: the
  /// weights of a depthwise convolution then are larger by 1 at the centre tap than this entry.
  public var withIdentity: String?

  public init(
    _ name: String, _ shape: [Int], role: Role = .parameter, computed: TensorData? = nil, withIdentity: String? = nil
  ) {
    self.name = name
    self.shape = shape
    self.role = role
    self.computed = computed
    self.withIdentity = withIdentity
  }

  public var element: ElementType {
    switch role {
    case .parameter, .buffer: .f32
    case .counter: .i64
    }
  }

  public var count: Int { shape.reduce(1, *) }
}

extension Sequence where Element == WeightEntry {
  /// How many numbers training would adjust: running statistics and counters do not count.
  public var parameterCount: Int {
    reduce(0) { total, entry in
      switch entry.role {
      case .parameter: total + entry.count
      case .buffer, .counter: total
      }
    }
  }
}
