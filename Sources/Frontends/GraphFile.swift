import Foundation
import IR

/// Graphs as `.vir` text with their weights.
///
/// The text names where its constants come from: `synthetic:SEED`, a file of weights (a relative path starts at the
/// text's own folder), or both with a plus between. In the last case the file has what a pass computed, and the rest is
/// made up.
public enum GraphFile {
  /// Reads a graph and the contents of its named constants, from `weights` or else from what the text names.
  public static func read(_ path: String, weights: WeightSource? = nil) throws -> Graph {
    var graph = try GraphParser.parse(readText(path), file: path)
    var missing = constants(of: graph)
    if missing.isEmpty { return graph }
    if weights == nil && graph.weightSource.isEmpty {
      throw Diagnostic("\(path) has \(missing.count) named constants and names no weights; give it --weights")
    }
    let sources = try weights.map { [$0] } ?? sources(of: graph, beside: path)
    // What files hold has precedence over what can be made up under any name.
    var synthetic: SyntheticWeights?
    var problems: [String] = []
    for source in sources {
      switch source {
      case .synthetic(let seed): synthetic = SyntheticWeights(seed: seed)
      case .file(let file, let averaged):
        let found = try WeightFile(path: file, averaged: averaged).tensors
        let tensors = StateDictionary.unwrapped(found, for: missing.keys)
        for (name, type) in missing {
          guard let tensor = tensors[name] else { continue }
          missing[name] = nil
          if let contents = try contents(tensor, as: type) {
            graph.weights[name] = contents
          } else {
            problems.append("wrong type: \(name) is \(tensor.type) in \(file), and the graph needs \(type)")
          }
        }
      }
    }
    if let synthetic {
      let madeUp = missing.filter { $0.value.element == .f32 }
      // A file may be bounded by its bytes, made-up tensors are not.
      try MemoryLimit.require(
        Extents.sum(madeUp.map { $0.value.checkedByteCount }), for: "the synthetic weights of \(path)")
      for (name, type) in madeUp {
        graph.weights[name] = synthetic.tensor(name, shape: type.shape)
        missing[name] = nil
      }
    }
    problems += missing.map { "missing: \($0) \($1)" }
    if !problems.isEmpty {
      throw Diagnostic(
        "\(sources.map(\.description).joined(separator: "+")) does not hold the constants of \(path)",
        notes: problems.sorted())
    }
    if let weights { graph.weightSource = weights.description }
    return graph
  }

  /// Writes a graph so that `read` gets it back: the text, and beside it a safetensors file of the constants that
  /// cannot be made up again. The file is written first, and nothing is left half-written.
  public static func write(_ graph: Graph, to path: String) throws {
    var graph = graph
    let (synthetic, isMadeUp, stored) = try origins(of: graph)
    var sources: [String] = []
    if isMadeUp, let synthetic { sources.append(WeightSource.synthetic(seed: synthetic.seed).description) }
    if !stored.isEmpty {
      let file = URL(fileURLWithPath: path).deletingPathExtension().appendingPathExtension("safetensors")
      try Safetensors(stored).write(to: file.path)
      sources.append(file.lastPathComponent)
    }
    graph.weightSource = sources.joined(separator: "+")
    try writeFileAtomically(Array(GraphPrinter.print(graph).utf8), to: path)
  }

  /// The text of a graph for people. What a pass computed is not in a file, so the text then names weights that do not
  /// exist. If such a text is read again, it is refused instead of run on other weights. `write` keeps them.
  public static func text(_ graph: Graph) throws -> String {
    var graph = graph
    let (synthetic, isMadeUp, stored) = try origins(of: graph)
    if !stored.isEmpty {
      let source = isMadeUp ? synthetic.map { WeightSource.synthetic(seed: $0.seed).description } : nil
      graph.weightSource = ([source].compactMap { $0 } + ["unsaved.safetensors"]).joined(separator: "+")
    }
    return GraphPrinter.print(graph)
  }

  /// Which constants can be made up again by name, and the contents of those that cannot.
  private static func origins(
    of graph: Graph
  ) throws -> (synthetic: SyntheticWeights?, isMadeUp: Bool, stored: [String: TensorData]) {
    let synthetic = graph.weightSource.split(separator: "+").compactMap { text -> SyntheticWeights? in
      guard case .synthetic(let seed)? = try? WeightSource(parsing: String(text)) else { return nil }
      return SyntheticWeights(seed: seed)
    }.first
    var stored: [String: TensorData] = [:]
    var isMadeUp = false
    for (name, type) in constants(of: graph) {
      guard let data = graph.weights[name] else { throw Diagnostic("the constant '\(name)' has no contents to write") }
      if type.element == .f32, let synthetic, data == synthetic.tensor(name, shape: data.shape) {
        isMadeUp = true
      } else {
        stored[name] = data
      }
    }
    return (synthetic, isMadeUp, stored)
  }

  private static func sources(of graph: Graph, beside path: String) throws -> [WeightSource] {
    try graph.weightSource.split(separator: "+").map { text in
      switch try WeightSource(parsing: String(text)) {
      case .synthetic(let seed): .synthetic(seed: seed)
      case .file(let file, _):
        if file.hasPrefix("/") {
          .file(file)
        } else {
          .file(URL(fileURLWithPath: path).deletingLastPathComponent().appendingPathComponent(file).path)
        }
      }
    }
  }

  /// The named constants of a graph and of the graphs nested in it.
  private static func constants(of graph: Graph) -> [String: TensorType] {
    var result: [String: TensorType] = [:]
    for node in graph.nodes {
      if let constant = node.op as? Constant, case .named(let name) = constant.source { result[name] = constant.type }
      if let region = node.op.region { result.merge(constants(of: region)) { first, _ in first } }
    }
    return result
  }

  private static func contents(_ tensor: StoredTensor, as type: TensorType) throws -> TensorData? {
    guard tensor.shape == type.shape else { return nil }
    if tensor.element == type.element { return try tensor.read() }
    return type.element == .f32 ? try tensor.readFloat32() : nil
  }
}
