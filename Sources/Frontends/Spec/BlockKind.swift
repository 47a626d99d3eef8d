import IR

/// A kind of block that a model spec can name: what it reads from its mapping, and the part of the graph it builds
/// under its published state-dict names.
///
/// A new kind is one file in `Blocks/` and one line in `BlockRegistry`.
protocol BlockKind: Sendable {
  /// What `kind:` says.
  static var kind: String { get }

  /// The keys it reads, besides `kind`, `path` and `repeat`.
  static var keys: [String] { get }

  /// Whether the block's weights live under a path of its own.
  static var takesPath: Bool { get }

  init(_ reader: SpecReader) throws

  /// Declares the block's weights in the order of the published state dict and builds its nodes; returns its output.
  func build(_ builder: inout ModelBuilder, _ x: ValueID, path: String) throws -> ValueID
}

extension BlockKind {
  static var takesPath: Bool { true }
}

/// Every kind of block, in the order the documentation lists them.
enum BlockRegistry {
  static let kinds: [any BlockKind.Type] = [
    SequenceBlock.self,
    ConvolutionsBlock.self,
    InvertedResidualBlock.self,
    SeparableResidualBlock.self,
    GrapherBlock.self,
    DynamicGrapherBlock.self,
    HypergrapherBlock.self,
    GraphMixerBlock.self,
    FeedForwardBlock.self,
    EmbeddingBlock.self,
    ClassifiersBlock.self,
    PositionsBlock.self,
    PredictionBlock.self,
  ]
}

extension ModelSpec {
  /// Every kind of block a module can name, with the keys it reads: what `docs/ModelSpec.md` documents.
  public static var blockKinds: [(kind: String, keys: [String])] { BlockRegistry.kinds.map { ($0.kind, $0.keys) } }
}

/// One entry of a list of modules: a block, its place in the state dict and how often it repeats.
struct ModuleSpec: Sendable {
  var block: any BlockKind
  /// The last component of the path in a sequence, the whole path at the top; nil for the next number.
  var path: String?
  var repeats: Int
  var location: Diagnostic.Location

  private static let commonKeys = ["kind", "path", "repeat"]

  /// Reads one entry. `owner` is only known once `kind` is, so that key is looked up first.
  init(_ node: SpecNode) throws {
    try node.budget.spendModule(at: node)
    let names = BlockRegistry.kinds.map { $0.kind }
    guard let mapping = node.node.mapping else {
      throw node.problem("expected a module, a mapping with 'kind' and the keys of that kind; found \(node.found)")
    }
    guard let kindNode = mapping.first(where: { $0.key.string == "kind" })?.value else {
      throw node.problem("a module needs the key 'kind': one of \(names.joined(separator: ", "))")
    }
    let name = node.child(kindNode)
    guard let type = BlockRegistry.kinds.first(where: { $0.kind == name.text }) else {
      let near = name.text.map { nearest(to: $0, among: names, limit: 1) } ?? []
      let hint = near.first.map { "; did you mean '\($0)'?" } ?? ""
      throw name.problem("'kind' must be one of \(names.joined(separator: ", ")), not \(name.found)\(hint)")
    }
    let common = type.takesPath ? Self.commonKeys : ["kind"]
    let reader = try SpecReader(node, owner: "the \(type.kind) block", keys: common + type.keys)
    path = try type.takesPath && reader.value("path") != nil ? reader.path("path") : nil
    repeats = try type.takesPath ? reader.integer("repeat", in: 1...1024, default: 1) : 1
    if path != nil && repeats > 1 {
      throw node.problem("a module with a 'path' cannot 'repeat': numbered children of a sequence can")
    }
    block = try type.init(reader)
    location = node.location
  }

  /// Reads a list of entries and reports what is wrong with all of them.
  static func list(_ node: SpecNode, key: String) throws -> [ModuleSpec] {
    guard let elements = node.elements, !elements.isEmpty else {
      let found = node.elements == nil ? node.found : "an empty one"
      throw node.problem("'\(key)' must be a list of modules, not \(found)")
    }
    var modules: [ModuleSpec] = []
    var problems: [Diagnostic] = []
    for element in elements {
      do {
        modules.append(try ModuleSpec(element))
      } catch let error as Diagnostic {
        problems.append(error)
      } catch let error as DiagnosticList {
        problems += error.diagnostics
      }
    }
    try SpecReader.throwAll(problems)
    return modules
  }
}
