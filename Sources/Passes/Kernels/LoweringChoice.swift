import Foundation
import IR

/// One way to lower a node, with what it is estimated to cost.
public struct LoweringCandidate: Hashable, Sendable {
  /// As `--lowering` names it.
  public var name: String
  /// In a unit of its own for each kind of node, so only the candidates of one node can be compared.
  public var cost: Double
  /// Why it costs that, in a few words.
  public var reason: String

  public init(_ name: String, cost: Double, reason: String) {
    self.name = name
    self.cost = cost
    self.reason = reason
  }
}

/// The lowering that was chosen for a node, and why: a schedule's attributes.
public struct LoweringChoice: Hashable, Sendable {
  /// As `--lowering` names it.
  public var lowering: String
  /// In the unit of its kind of node.
  public var cost: Double
  public var reason: String
  /// What it was chosen over, each with its cost and reason.
  public var insteadOf: [String]

  init(lowering: String, cost: Double, reason: String, insteadOf: [String]) {
    self.lowering = lowering
    self.cost = cost
    self.reason = reason
    self.insteadOf = insteadOf
  }

  /// Reads what `attributes` gives, except for the lowering itself; nil if there is no cost.
  init?(of lowering: String, _ reader: inout AttributeReader) throws {
    let isThere = reader.has("cost")
    cost = isThere ? try reader.float("cost") : 0
    reason = try reader.string("reason", default: "")
    let others = try reader.string("instead_of", default: "")
    self.lowering = lowering
    insteadOf = others.isEmpty ? [] : others.components(separatedBy: "; ")
    if !isThere { return nil }
  }

  var attributes: [Attribute] {
    [
      Attribute("lowering", .string(lowering)), Attribute("cost", .float(cost)), Attribute("reason", .string(reason)),
    ] + (insteadOf.isEmpty ? [] : [Attribute("instead_of", .string(insteadOf.joined(separator: "; ")))])
  }
}

/// The lowerings a user asks for, in place of the cheapest.
public struct LoweringRequests: Sendable {
  /// The word for every node: the request applies to nodes for which the lowering exists, and which have no request of
  /// their own.
  public static let everyNode = "*"

  /// Names of lowerings by node: the published name of its module, or the name of its value in the text form.
  public var names: [String: String]

  public init(_ names: [String: String] = [:]) { self.names = names }
}

/// Chooses lowerings while a pass runs, and remembers which requests were met.
struct LoweringChooser {
  private let requests: LoweringRequests
  /// Every node that had a choice: its module, its value, and what it could be.
  private var offered: [(layer: String, value: String, candidates: [String])] = []

  init(_ requests: LoweringRequests) { self.requests = requests }

  /// The cheapest candidate, or the one that was asked for.
  ///
  /// - Parameters:
  ///   - candidates: At least one, all equal in result.
  ///   - node: The node that builds the graph.
  ///   - value: Its name in the text form.
  /// - Throws: A `Diagnostic` when a lowering that does not apply was asked for.
  mutating func choose(_ candidates: [LoweringCandidate], node: Node, value: String) throws -> LoweringChoice {
    offered.append((node.layer, value, candidates.map(\.name)))
    let sorted = candidates.sorted { $0.cost < $1.cost }
    var chosen = sorted[0]
    var wasAsked = false
    if let wanted = requests.names[node.layer] ?? requests.names[value] {
      guard let candidate = sorted.first(where: { $0.name == wanted }) else {
        throw Diagnostic(
          "'\(node.layer.isEmpty ? value : node.layer)' cannot be lowered as '\(wanted)'", at: node.location,
          notes: ["what applies there: \(sorted.map(\.name).joined(separator: ", "))"])
      }
      (chosen, wasAsked) = (candidate, true)
    } else if let wanted = requests.names[LoweringRequests.everyNode],
      let candidate = sorted.first(where: { $0.name == wanted })
    {
      (chosen, wasAsked) = (candidate, true)
    }
    return LoweringChoice(
      lowering: chosen.name, cost: chosen.cost, reason: (wasAsked ? "asked for: " : "") + chosen.reason,
      insteadOf: sorted.filter { $0.name != chosen.name }.map { "\($0.name) at \(rounded($0.cost)), \($0.reason)" })
  }

  /// - Throws: A `Diagnostic` when a node or a lowering that was asked for does not exist.
  func requireAllMet() throws {
    for (node, lowering) in requests.names.sorted(by: { $0.key < $1.key }) {
      if node == LoweringRequests.everyNode {
        if offered.contains(where: { $0.candidates.contains(lowering) }) { continue }
        let names = Set(offered.flatMap(\.candidates)).sorted()
        throw Diagnostic(
          "no node of this model can be lowered as '\(lowering)'",
          notes: names.isEmpty ? [] : ["what applies somewhere: \(names.joined(separator: ", "))"])
      }
      if offered.contains(where: { $0.layer == node || $0.value == node }) { continue }
      let known = offered.map { $0.layer.isEmpty ? $0.value : $0.layer }
      let close = nearest(to: node, among: known)
      throw Diagnostic(
        "no node with a choice of lowerings is called '\(node)'"
          + (close.isEmpty ? "" : "; did you mean \(close.joined(separator: ", "))?"),
        notes: known.isEmpty
          ? ["this model has none whose lowering is chosen"] : ["there are: \(known.joined(separator: ", "))"])
    }
  }

  private func rounded(_ cost: Double) -> String {
    let tenths = (cost * 10).rounded() / 10
    return tenths == tenths.rounded() && abs(tenths) < 1e15 ? "\(Int(tenths))" : "\(tenths)"
  }
}
