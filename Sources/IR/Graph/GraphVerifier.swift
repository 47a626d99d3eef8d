// What holds in every graph, after every pass:
//
//  1. Each value is an input or the result of one node, never both, and never of two; value ids are in range.
//  2. A node reads only values defined before it; outputs are defined values, and there is at least one.
//  3. The op's typing accepts the operands' types, and gives exactly the types the results have.
//  4. Names of values are not empty and not shared.
//  5. `channels_last` is the layout of tensors of rank 4 only, with a positive multiple.
//  6. If weights are loaded, each named constant has contents of its type. Nested graphs have none of their own.
//  7. The same holds in the body of a `fuse`.
//  8. If the kernels' rules are given, each outermost fuse is one that its kernel can run: body and schedule.
//  9. The padding of a channels-last value (channels C ..< C rounded up) is zero. See `keepsPaddingZero`.

/// What kernels ask of the fuses of a graph: given one, the check of a node that is a fuse. It throws a `Diagnostic` that says
/// what is wrong.
public typealias FuseRules = @Sendable (_ graph: Graph) -> (_ node: Node) throws -> Void

/// Checks a graph against the invariants above and reports everything that is wrong with it.
public struct GraphVerifier {
  private let graph: Graph
  /// The check of a fuse; nil if kernels are not known, or inside a fuse, whose kernel looks at its own.
  private let checkFuse: ((Node) throws -> Void)?
  /// Nil if no weights are loaded.
  private let weights: [String: TensorData]?
  /// Inside a fuse, values live in a kernel's registers and scratch, and the kernel zeroes the padding it writes.
  private let isNested: Bool
  private var diagnostics: [Diagnostic] = []

  /// Everything that is wrong with `graph`, in the order of its nodes; located where the graph was read from text.
  /// - Parameter fuses: The rules of kernels, which are known to `Passes` (`Kernels.rules`).
  public static func diagnostics(_ graph: Graph, fuses: FuseRules? = nil) -> [Diagnostic] {
    var verifier = GraphVerifier(
      graph, weights: graph.weights.isEmpty ? nil : graph.weights, fuses: fuses, isNested: false)
    verifier.verify()
    return verifier.diagnostics
  }

  /// Throws a `DiagnosticList` when something is wrong.
  public static func verify(_ graph: Graph, fuses: FuseRules? = nil) throws {
    try DiagnosticList(diagnostics(graph, fuses: fuses)).throwIfAny()
  }

  private init(_ graph: Graph, weights: [String: TensorData]?, fuses: FuseRules?, isNested: Bool) {
    self.graph = graph
    checkFuse = fuses?(graph)
    self.weights = weights
    self.isNested = isNested
  }

  private func name(_ value: ValueID) -> String {
    graph.values.indices.contains(value.index) ? "%\(graph.values[value.index].name)" : "value \(value.index)"
  }

  private mutating func report(_ message: String, at node: Node? = nil, notes: [String] = []) {
    let subject = node.map { "\($0.results.map(name).joined(separator: ", ")) = \($0.op.mnemonic): " }
    diagnostics.append(Diagnostic((subject ?? "\(graph.name): ") + message, at: node?.location, notes: notes))
  }

  private mutating func verify() {
    checkNames()
    var defined: Set<ValueID> = []
    for input in graph.inputs {
      guard graph.values.indices.contains(input.index) else {
        report("the input \(name(input)) is not a value of the graph")
        continue
      }
      if !defined.insert(input).inserted { report("\(name(input)) is an input twice") }
      if let problem = graph.type(of: input).problem { report("\(name(input)): \(problem)") }
      checkLayout(input, at: nil)
    }
    for node in graph.nodes {
      let known = diagnostics.count
      let operandsAreSound = checkOperands(node, defined)
      let resultsAreSound = checkResults(node, &defined)
      if operandsAreSound && resultsAreSound {
        checkTypes(node)
        if !isNested { checkPadding(node) }
      }
      checkContents(node)
      // Kernels are asked about valid fuses only, not about one that is already found wrong.
      if diagnostics.count == known { checkKernel(node) }
    }
    if graph.outputs.isEmpty { report("there is no output") }
    for output in graph.outputs where !defined.contains(output) { report("the output \(name(output)) is not defined") }
  }

  private mutating func checkNames() {
    var seen: Set<String> = []
    for value in graph.values {
      if value.name.isEmpty { report("a value has an empty name") }
      if !seen.insert(value.name).inserted { report("two values are named %\(value.name)") }
    }
  }

  private mutating func checkOperands(_ node: Node, _ defined: Set<ValueID>) -> Bool {
    var isSound = true
    for (place, operand) in node.operands.enumerated() where !defined.contains(operand) {
      isSound = false
      let isLater = graph.nodes.contains { $0.results.contains(operand) }
      let problem = isLater ? "used before it is defined" : "never defined"
      report("operand \(place), \(name(operand)), is \(problem)", at: node)
    }
    return isSound
  }

  private mutating func checkResults(_ node: Node, _ defined: inout Set<ValueID>) -> Bool {
    var isSound = true
    for result in node.results {
      if !graph.values.indices.contains(result.index) {
        isSound = false
        report("the result \(name(result)) is not a value of the graph", at: node)
      } else if !defined.insert(result).inserted {
        isSound = false
        report("\(name(result)) is defined a second time", at: node)
      } else {
        checkLayout(result, at: node)
      }
    }
    return isSound
  }

  private mutating func checkLayout(_ value: ValueID, at node: Node?) {
    guard let type = graph.type(of: value).tensor else { return }
    switch type.layout {
    case .rowMajor: break
    case .channelsLast(let padding):
      if type.rank != 4 { report("\(name(value)) is \(type); channels_last needs rank 4", at: node) }
      if padding < 1 { report("\(name(value)) pads its channels to a multiple of \(padding)", at: node) }
    }
  }

  private mutating func checkTypes(_ node: Node) {
    do {
      let inferred = try node.op.checkedResultTypes(node.operands.map(graph.type(of:)))
      if inferred.count != node.results.count {
        report("the op has \(inferred.count) results, the node \(node.results.count)", at: node)
        return
      }
      for (result, type) in zip(node.results, inferred) where graph.type(of: result) != type {
        report("\(name(result)) has the type \(graph.type(of: result)), but the op gives \(type)", at: node)
      }
    } catch let diagnostic as Diagnostic {
      report(diagnostic.message, at: node, notes: diagnostic.notes)
    } catch {
      report("\(error)", at: node)
    }
  }

  private mutating func checkKernel(_ node: Node) {
    guard let checkFuse, node.op is Fuse else { return }
    do {
      try checkFuse(node)
    } catch let diagnostic as Diagnostic {
      report(diagnostic.message, at: node, notes: diagnostic.notes)
    } catch {
      report("\(error)", at: node)
    }
  }

  private mutating func checkContents(_ node: Node) {
    if let body = node.op.region {
      if !body.weights.isEmpty { report("the nested graph has weights of its own", at: node) }
      var nested = GraphVerifier(body, weights: weights, fuses: nil, isNested: true)
      nested.verify()
      for var diagnostic in nested.diagnostics {
        if diagnostic.location == nil { diagnostic.location = node.location }
        diagnostics.append(diagnostic)
      }
    }
    guard let weights, let constant = node.op as? Constant, case .named(let key) = constant.source else { return }
    guard let data = weights[key] else {
      let close = nearest(to: key, among: weights.keys)
      let notes = close.isEmpty ? [] : ["names like it: \(close.joined(separator: ", "))"]
      report("the weights hold nothing named '\(key)'", at: node, notes: notes)
      return
    }
    if data.element != constant.type.element || data.shape != constant.type.shape {
      report("the weights hold \(data.type) under '\(key)', but the constant is \(constant.type)", at: node)
    }
  }

  // MARK: Padding

  private mutating func checkPadding(_ node: Node) {
    for result in node.results {
      guard let type = graph.type(of: result).tensor, type.storageCount > type.count else { continue }
      if !keepsPaddingZero(node) {
        report("\(name(result)) is \(type), but the op leaves its padding other than zero", at: node)
      }
    }
  }

  /// Whether padding is zero in the node's results if it is in its operands.
  ///
  /// Constants are packed, conversions and fused kernels write their padding as zeros. Parameters of a channel
  /// (weights, biases) are packed with zeros for the padding. Everything else computes the padding like any channel,
  /// from zeros. That is right for an op that maps zero to zero channel by channel, and wrong for one that mixes
  /// channels. With an operand that is the same in every channel it is right only if the other operand absorbs it, as 0
  /// * s does.
  private func keepsPaddingZero(_ node: Node) -> Bool {
    if node.op is Constant { return true }
    if let op = node.op as? any ElementwiseOp { return keepsPaddingZero(op, node) }
    func mixesChannels(_ axes: [Int]) -> Bool {
      guard let type = graph.type(of: node.operands[0]).tensor else { return false }
      return axes.contains { resolvedAxis($0, rank: type.rank) == 1 }
    }
    if let op = node.op as? LayerNorm, mixesChannels(op.axes) { return false }
    if let op = node.op as? Reduce, mixesChannels(op.axes) { return false }
    return node.op.mapsZeroToZero
  }

  /// Tries the op at zero in every operand that has channels. If an operand repeats over the channels, its value is
  /// used if it is an inline constant; otherwise a few numbers are tried, which no elementwise op treats alike by
  /// chance.
  private func keepsPaddingZero(_ op: some ElementwiseOp, _ node: Node) -> Bool {
    guard let result = graph.type(of: node.results[0]).tensor else { return true }
    let definitions = graph.definitions
    var candidates: [[Double]] = [[]]
    for operand in node.operands {
      guard let type = graph.type(of: operand).tensor else { return false }
      let channelAxis = 1 - (result.rank - type.rank)
      let hasChannels = channelAxis >= 0 && type.shape[channelAxis] == result.shape[1]
      let values: [Double]
      if hasChannels {
        values = [0]
      } else if let position = definitions[operand], let constant = graph.nodes[position].op as? Constant,
        case .inline(let known) = constant.source
      {
        values = known
      } else {
        values = [1, -2.5, 0.75]
      }
      candidates = candidates.flatMap { chosen in values.map { chosen + [$0] } }
    }
    return candidates.allSatisfy { op.apply($0) == 0 }
  }
}
