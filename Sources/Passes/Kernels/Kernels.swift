import IR

/// Every kernel. A new one is a folder next to this file and one line here; a test compares the two.
public enum Kernels {
  /// In the order in which they are offered a node.
  static let all: [any Kernel.Type] = [
    FuzzyCMeansKernel.self,
    NearestKernel.self,
    IndexedMaxRelativeKernel.self,
    MaxRelativeKernel.self,
    GatedMaxRelativeKernel.self,
    IncidenceMeanKernel.self,
    GlobalPoolKernel.self,
    AveragePoolKernel.self,
    PointwiseKernel.self,
    DepthwiseKernel.self,
    ConvolutionKernel.self,
    RowChainKernel.self,
  ]

  /// The kernel of that name.
  /// - Throws: A `Diagnostic` that lists the names if there is none.
  static func named(_ name: KernelName) throws -> any Kernel.Type {
    if let kernel = all.first(where: { $0.name == name }) { return kernel }
    let names = all.map { $0.name.description }
    let close = nearest(to: name.description, among: names)
    throw Diagnostic(
      "there is no kernel '\(name)'" + (close.isEmpty ? "" : "; is '\(close[0])' meant?"),
      notes: ["kernels: \(names.joined(separator: ", "))"])
  }

  /// Reads a fuse.
  /// - Throws: A `Diagnostic` if no kernel has its name, or its kernel does not run what it holds.
  static func read(_ site: FuseSite) throws -> any Kernel {
    do {
      let kernel = try named(site.fuse.kernel)
      try site.checkBody()
      return try kernel.init(site)
    } catch var diagnostic as Diagnostic {
      diagnostic.location = diagnostic.location ?? site.location
      throw diagnostic
    }
  }

  /// What the graph verifier asks of each `fuse`: that its kernel runs what it holds. The layout of operands is known
  /// only once layouts are assigned, and is checked when the fuse is lowered.
  public static let rules: FuseRules = { graph in
    let definitions = graph.definitions
    return { node in
      guard let site = FuseSite(node, in: graph, definitions: definitions) else { return }
      _ = try read(site)
    }
  }
}

extension Kernel {
  /// Checks the layouts of operands against `operandLayouts`, and those of results against what the kernel writes.
  /// - Parameter image: the layout of the target's images.
  /// - Throws: A `Diagnostic` that names the operand or the result.
  func checkLayouts(image: Layout) throws {
    let body = site.fuse.body
    func check(_ value: ValueID, _ does: String, mayBeRowMajor: Bool) throws {
      guard let type = body.type(of: value).tensor, type.rank == 4, type.layout != image,
        !(mayBeRowMajor && type.layout == .rowMajor)
      else { return }
      throw site.diagnostic("\(does) %\(body.values[value.index].name) as an image, \(image), and it is \(type)")
    }
    for (input, layout) in zip(body.inputs, operandLayouts) where layout != .asIs {
      try check(input, "reads", mayBeRowMajor: layout == .imageOrRowMajor)
    }
    // Further results are not images but links of a graph.
    if let output = body.outputs.first { try check(output, "writes", mayBeRowMajor: canWriteRowMajor) }
  }
}

/// What `vigc explain` and `vigc bench --profile` say of a node that a kernel runs.
public struct KernelWords: Sendable {
  /// The kernel's name, and what it does in one line.
  public var name: String
  public var summary: String
  /// What was chosen among several lowerings, and why; nil if there is one only.
  public var choice: LoweringChoice?
}

/// Asks kernels about the nodes of one graph.
public struct KernelReader {
  private let graph: Graph
  private let definitions: [ValueID: Int]

  public init(_ graph: Graph) {
    self.graph = graph
    definitions = graph.definitions
  }

  /// The words for a node whose op is a fuse; nil for another.
  /// - Throws: A `Diagnostic` if its kernel does not run what it holds.
  public func words(for node: Node) throws -> KernelWords? {
    guard let site = FuseSite(node, in: graph, definitions: definitions) else { return nil }
    let kernel = try Kernels.read(site)
    return KernelWords(
      name: type(of: kernel).name.description, summary: type(of: kernel).summary, choice: kernel.choice)
  }

  /// What a node computes; for a fuse, what its kernel says.
  public func operations(of node: Node) -> OperationCount {
    guard let site = FuseSite(node, in: graph, definitions: definitions) else { return graph.operationsOfOp(node) }
    return (try? Kernels.read(site))?.operations ?? site.body.operationsOfNodes
  }
}
