import IR

/// One way to run a `fuse`: the ops it takes, how its operands lie, its loops and its words.
///
/// A kernel is a folder below this one and a line in `Kernels.all`. A value of its type is one fuse that was read: its
/// body and its schedule are known to be the kernel's.
protocol Kernel: Sendable {
  /// The name in the text form, like `average_pool`.
  static var name: KernelName { get }
  /// What it computes and how tasks split it, in one line.
  static var summary: String { get }
  /// The pass that makes fuses of it.
  static var phase: KernelPhase { get }

  /// What a new fuse of this kernel holds that ends in `node`; nil if the kernel does not take the node.
  static func match(_ node: Node, in rewriter: GraphRewriter) -> KernelMatch?

  /// Reads a fuse.
  /// - Throws: A `Diagnostic` if the body or the schedule is not one of this kernel's.
  init(_ site: FuseSite) throws

  /// The fuse that was read.
  var site: FuseSite { get }

  /// How each operand lies in memory, in order.
  var operandLayouts: [OperandLayout] { get }

  /// Whether the kernel can write its result as row-major memory without padding.
  var canWriteRowMajor: Bool { get }

  /// What was chosen among several lowerings; nil if there is one only.
  var choice: LoweringChoice? { get }

  /// What a run of the fuse computes.
  var operations: OperationCount { get }

  /// The nodes that the fuse takes in when `node` reads its result, `node` last; nil if it takes in nothing.
  func absorbing(_ node: Node, in rewriter: GraphRewriter) -> [Node]?

  /// Writes the calls that compute the results of `node`, whose op the fuse is, and the functions they call.
  func lower(_ node: Node, into lowering: inout GraphLowering) throws
}

extension Kernel {
  static func match(_ node: Node, in rewriter: GraphRewriter) -> KernelMatch? { nil }

  /// All of rank 4 are images, constants too.
  var operandLayouts: [OperandLayout] { site.body.inputs.map { _ in .image } }

  var canWriteRowMajor: Bool { false }
  var choice: LoweringChoice? { nil }
  /// What the ops of the body compute.
  var operations: OperationCount { site.body.operationsOfNodes }
  func absorbing(_ node: Node, in rewriter: GraphRewriter) -> [Node]? { nil }
}

/// The pass in which kernels take their nodes. The passes run in this order.
enum KernelPhase {
  /// `form-kernels`. It runs before products are formed, so that an image which a kernel computes is one operand to them.
  case operations
  /// Convolutions and what runs in their registers: `form-products`.
  case products
  /// Kernels made of products: `chain-rows`.
  case chains
}

/// How a kernel reads an operand of rank 4.
enum OperandLayout {
  /// Channels-last and padded to the target's lanes.
  case image
  /// An image, or row-major memory read where it lies.
  case imageOrRowMajor
  /// As its producer leaves it: weights, tables, neighbourhoods.
  case asIs
}

/// The nodes that a kernel takes, found in a graph.
struct KernelMatch {
  /// In order; the result of the last one is the fuse's first.
  var nodes: [Node]
  /// Later nodes of the graph, whose results the fuse gives after its first one; they are in `nodes` too.
  var exposed: [Node] = []
  /// The lowerings that apply, to choose from; empty if there is one only.
  var candidates: [LoweringCandidate] = []
  /// The node by whose name a user asks for a lowering; nil for the last one.
  var subject: Node?
}
