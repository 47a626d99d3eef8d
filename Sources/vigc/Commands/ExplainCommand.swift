import ArgumentParser
import Foundation
import Frontends
import IR
import Passes

/// `vigc explain MODEL`.
struct ExplainCommand: AsyncParsableCommand, CompilingCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "Say how each part of a model is lowered, and why.",
    discussion: """
      First the graph constructions: what was chosen, at what estimated cost and for what reason, and what it was chosen \
      over; --lowering MODULE=NAME chooses otherwise. Then every kernel, in order, and what has none.
      """)

  @OptionGroup var options: CompileOptions

  func run() async throws {
    var compilation = try await Compilation.load(options)
    let graph = try compilation.optimize()
    // Lowering refuses a node that nothing can run.
    _ = try compilation.lower(graph)
    let explanation = try Explanation(graph)
    try Console.line("\(compilation.name) for \(compilation.target.name)")
    try Console.write("\nGraph constructions\n\n" + explanation.choices)
    try Console.write("\nKernels\n\n" + explanation.kernels)
    try Console.write("\n" + explanation.general)
    let unrecognized = explanation.unrecognized
    if !unrecognized.isEmpty { try Console.write("\n" + unrecognized) }
  }
}

/// An optimised graph in words.
struct Explanation {
  private let graph: Graph
  /// The nodes that kernels run, with what the kernels say.
  private let fuses: [(node: Node, fuse: Fuse, words: KernelWords)]

  /// - Throws: A `Diagnostic` if a fuse is not what its kernel runs.
  init(_ graph: Graph) throws {
    self.graph = graph
    let kernels = KernelReader(graph)
    fuses = try graph.nodes.compactMap { node in
      guard let fuse = node.op as? Fuse, let words = try kernels.words(for: node) else { return nil }
      return (node, fuse, words)
    }
  }

  private var lowered: [Node] { graph.nodes.filter { !($0.op is Constant) } }

  private func module(_ node: Node) -> String { graph.layerName(of: node) }

  /// What was chosen for each graph construction. A construction of fixed offsets that no kernel takes in is not in
  /// memory, so it appears with its readers.
  var choices: String {
    var lines: [String] = []
    for (node, fuse, words) in fuses {
      guard let choice = words.choice else { continue }
      let construction = fuse.body.nodes.compactMap { $0.op as? BuildNeighborhood }.first?.construction
      let form = fuse.body.nodes.compactMap { fuse.body.type(of: $0.results[0]).neighborhood }.first
      let what = [construction?.kind, form.map { "\(ValueType.neighborhood($0))" }].compactMap { $0 }
      lines.append("\(module(node)): \(what.joined(separator: ", "))")
      lines.append("  \(choice.lowering) at \(short(choice.cost)), \(choice.reason)")
      for other in choice.insteadOf { lines.append("  not \(other)") }
    }
    return lines.isEmpty ? "none\n" : lines.joined(separator: "\n") + "\n"
  }

  /// Every node that a kernel runs, with the ops it holds.
  var kernels: String {
    var table = Table(["module", "kernel", "result", "ops"])
    for (node, fuse, words) in fuses {
      let result = graph.type(of: node.results[0])
      let shape = result.tensor.map { $0.shape.map(String.init).joined(separator: "x") } ?? "\(result)"
      table.add([module(node), words.name, shape, operations(fuse.body).joined(separator: " ")])
    }
    return table.text
  }

  private func operations(_ body: Graph) -> [String] {
    body.nodes.flatMap { node -> [String] in
      if let nested = node.op as? Fuse { return ["[" + operations(nested.body).joined(separator: " ") + "]"] }
      return node.op is Constant || node.op is ConvertLayout ? [] : [node.op.mnemonic]
    }
  }

  /// What looks like a graph construction and was not recognised as one: what chooses neighbours, or takes the maximum
  /// over differences with rolls, node by node. Empty if there is none.
  var unrecognized: String {
    let definitions = graph.definitions
    func producer(_ value: ValueID) -> Node? { definitions[value].map { graph.nodes[$0] } }
    func isRoll(_ value: ValueID) -> Bool { producer(value)?.op is IR.Roll }
    /// A difference with a roll, or what a gate leaves of one.
    func isRolledDifference(_ value: ValueID) -> Bool {
      guard let node = producer(value) else { return false }
      if node.op is Subtract { return node.operands.contains(where: isRoll) }
      return node.op is Multiply && node.operands.contains { producer($0)?.op is Subtract && isRolledDifference($0) }
    }
    let choices = lowered.filter { $0.op is TopK }.map {
      "\(module($0)): top_k chooses by values that are not the distances of a known graph construction"
    }
    var seen: Set<String> = []
    let maxima = lowered.filter { $0.op is Maximum && $0.operands.contains(where: isRolledDifference) }.filter {
      seen.insert(module($0)).inserted
    }.map {
      "\(module($0)): maxima over differences with rolls that are not the neighbours of a known graph construction"
    }
    let lines = choices + maxima
    if lines.isEmpty { return "" }
    return "Not recognised as a graph construction, and so run op by op\n\n" + lines.joined(separator: "\n") + "\n"
  }

  /// Nodes that no kernel takes, which run as their op's plain loops: correct, but slower.
  var general: String {
    // A reshape of row-major memory is another name for it, and a fixed graph is not in memory.
    let plain = lowered.filter { node in
      if node.op is Fuse || node.op is Reshape { return false }
      return graph.type(of: node.results[0]).neighborhood.map { $0.storage != nil } ?? true
    }
    if plain.isEmpty { return "Everything has a kernel.\n" }
    var table = Table(["module", "op", "result"])
    for node in plain { table.add([module(node), node.op.mnemonic, "\(graph.type(of: node.results[0]))"]) }
    return "Without a kernel, by plain loops: right, and slower than it could be\n\n" + table.text
  }
}
