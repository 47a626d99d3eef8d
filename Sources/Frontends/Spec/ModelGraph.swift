import IR

/// A model as a graph, with what is known of it beyond the graph: its modules, its state dict, its pictures.
public struct ModelGraph: Sendable {
  /// A module of the published network and the value it returns.
  public struct Module: Hashable, Sendable {
    /// The published path, like `backbone.0.0`.
    public var name: String
    public var value: ValueID

    public init(name: String, value: ValueID) {
      self.name = name
      self.value = value
    }
  }

  public var graph: Graph
  /// In the order in which they finish. The last node whose layer is P, or starts with P and a dot, computes P's
  /// output. This holds before and after any pass that keeps layers.
  public var modules: [Module]
  /// The state dict, in its published order; empty for a graph that was read as text.
  public var entries: [WeightEntry]
  /// Nil if pictures cannot be read: the model does not say how, or does not have three channels.
  public var preprocessing: ImagePreprocessing?

  public init(
    graph: Graph, modules: [Module] = [], entries: [WeightEntry] = [], preprocessing: ImagePreprocessing? = nil
  ) {
    self.graph = graph
    self.modules = modules
    self.entries = entries
    self.preprocessing = preprocessing
  }
}

extension Graph {
  /// The output of a published module: the result of the last node whose layer is `name` or lies below it; nil if there
  /// is none. Passes keep layers, so this holds of optimised graphs and of `.vir` files too.
  public func output(ofModule name: String) -> ValueID? {
    nodes.last { $0.layer == name || $0.layer.hasPrefix("\(name).") }?.results.first
  }
}
