import IR

/// Every kernel. A new one is a folder beside this file and one line here; a test compares the two.
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
  /// - Throws: A `Diagnostic` that lists the names where there is none.
  static func named(_ name: KernelName) throws -> any Kernel.Type {
    if let kernel = all.first(where: { $0.name == name }) { return kernel }
    let names = all.map { $0.name.description }
    let close = nearest(to: name.description, among: names)
    throw Diagnostic(
      "there is no kernel '\(name)'" + (close.isEmpty ? "" : "; is '\(close[0])' meant?"),
      notes: ["kernels: \(names.joined(separator: ", "))"])
  }

  /// Reads a fuse.
  /// - Throws: A `Diagnostic` where no kernel has its name, or its kernel does not run what it holds.
  static func read(_ site: FuseSite) throws -> any Kernel {
    do {
      return try named(site.fuse.kernel).init(site)
    } catch var diagnostic as Diagnostic {
      diagnostic.location = diagnostic.location ?? site.location
      throw diagnostic
    }
  }

  /// What the graph verifier asks of each `fuse`: that its kernel runs what it holds. How operands lie is known once layouts
  /// are assigned, and checked when the fuse is lowered.
  public static let rules: FuseRules = { graph in
    let definitions = graph.definitions
    return { node in
      guard let site = FuseSite(node, in: graph, definitions: definitions) else { return }
      _ = try read(site)
    }
  }
}

extension Kernel {
  /// Holds the layouts of operands against `operandLayouts`, where some operand has one.
  /// - Throws: A `Diagnostic` that names the operand.
  func checkLayouts() throws {
    let body = site.fuse.body
    let types = body.inputs.map { body.type(of: $0).tensor }
    guard let padded = types.lazy.compactMap({ $0?.layout }).first(where: { $0 != .rowMajor }) else { return }
    for (place, (type, layout)) in zip(types, operandLayouts).enumerated() {
      guard let type, type.rank == 4, layout == .image, type.layout != padded else { continue }
      throw Diagnostic(
        "the kernel \(Self.name) reads operand \(place), %\(body.values[body.inputs[place].index].name), as an image "
          + "\(padded), and it is \(type)", at: site.location)
    }
  }
}

/// What `vigc explain` and `vigc bench --profile` say of a node that a kernel runs.
public struct KernelWords: Sendable {
  /// The kernel's name, and what it does in one line.
  public var name: String
  public var summary: String
  /// What was chosen among several lowerings, and why; nil where there is one only.
  public var choice: LoweringChoice?
}

extension Kernels {
  /// The words for a node whose op is a fuse; nil for another.
  /// - Throws: A `Diagnostic` where its kernel does not run what it holds.
  public static func words(for node: Node, in graph: Graph) throws -> KernelWords? {
    guard let site = FuseSite(node, in: graph) else { return nil }
    let kernel = try read(site)
    return KernelWords(
      name: type(of: kernel).name.description, summary: type(of: kernel).summary, choice: kernel.choice)
  }
}
