import IR

/// A model described in YAML: what `docs/ModelSpec.md` documents, read and checked, not yet built.
public struct ModelSpec: Sendable {
  /// Also the prefix of the generated library: letters, digits and underscores.
  public var name: String
  /// For people; the compiler never looks at it.
  public var family: String
  public var channels: Int
  public var height: Int
  public var width: Int
  public var classes: Int
  public var preprocessing: ImagePreprocessing?

  private var modules: [ModuleSpec]
  private var location: Diagnostic.Location

  /// The largest height and width: beyond them some tensor of every model is larger than 32 bits can address.
  private static let largestSide = 16384
  private static let largestBatch = 1024

  /// Reads a spec; every diagnostic has file, line and column.
  public init(parsing text: String, file: String) throws {
    let root = try SpecNode.parse(text, file: file)
    let reader = try SpecReader(
      root, owner: "a model spec", keys: ["name", "family", "input", "classes", "normalization", "modules"])
    name = try reader.string("name")
    if let node = reader.value("name"), !Self.isIdentifier(name) {
      throw node.problem("'name' must be letters, digits and underscores and start with a letter, not '\(name)'")
    }
    family = try reader.string("family", default: name)
    let input = try SpecReader(
      reader.node("input", "a mapping with channels, height and width"), owner: "the input",
      keys: ["channels", "height", "width"])
    channels = try input.integer("channels", in: 1...ModelBuilder.mostChannels, default: 3)
    height = try input.integer("height", in: 1...Self.largestSide)
    width = try input.integer("width", in: 1...Self.largestSide)
    classes = try reader.integer("classes", in: 1...1_000_000)
    preprocessing = try Self.preprocessing(reader, channels: channels)
    modules = try ModuleSpec.list(reader.node("modules", "a list of modules"), key: "modules")
    location = root.location
    for module in modules where type(of: module.block).takesPath && module.path == nil {
      throw Diagnostic("a module outside of a sequence needs the key 'path': a state-dict path", at: module.location)
    }
  }

  private static func preprocessing(_ reader: SpecReader, channels: Int) throws -> ImagePreprocessing? {
    guard let node = reader.value("normalization") else { return nil }
    let keys = ["mean", "std", "resize", "crop", "interpolation"]
    let values = try SpecReader(node, owner: "the normalization", keys: keys)
    let mean = try values.numbers("mean", count: channels, in: 0...1)
    let deviation = try values.numbers("std", count: channels, in: 1e-6...1e6)
    let crop = try values.integer("crop", in: 1...largestSide)
    let resize = try values.integer("resize", in: crop...2 * largestSide)
    let interpolation: Interpolation = try values.choice("interpolation", default: .bicubic)
    return ImagePreprocessing(
      mean: mean, standardDeviation: deviation, resize: resize, crop: crop, interpolation: interpolation)
  }

  private static func isIdentifier(_ text: String) -> Bool {
    guard let first = text.first, first.isASCII, first.isLetter, text.utf8.count <= 64 else { return false }
    return text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
  }

  /// The model as a graph without the weights of its state dict, at the spec's own size or another.
  ///
  /// - Parameter resizePositions: Whether positions that were made for the spec's own size may be resized to another.
  /// - Parameter membershipSeed: What the first memberships of hypergraphs are made of.
  /// - Throws: A `Diagnostic` when the shapes are impossible; when the input is too small it says the least size.
  public func build(
    height: Int? = nil, width: Int? = nil, batch: Int = 1, resizePositions: Bool = false, membershipSeed: UInt64 = 0
  ) throws -> ModelGraph {
    let size = (height: height ?? self.height, width: width ?? self.width)
    let sides = 1...Self.largestSide
    guard sides.contains(size.height), sides.contains(size.width) else {
      throw Diagnostic(
        "an input of \(size.height)x\(size.width) for \(name); both sides must be from 1 to \(Self.largestSide)")
    }
    guard (1...Self.largestBatch).contains(batch) else {
      throw Diagnostic("a batch of \(batch) for \(name); expected 1 to \(Self.largestBatch)")
    }
    do {
      return try unchecked(
        height: size.height, width: size.width, batch: batch, resizePositions: resizePositions,
        membershipSeed: membershipSeed)
    } catch let error as NoPixelLeft {
      let least = try leastSize()
      throw Diagnostic(
        "an input of \(size.height)x\(size.width) leaves \(name) no pixel at \(error.layer); "
          + (least.map { "the least size is \($0.height)x\($0.width)" } ?? "no size is large enough"),
        at: error.location)
    }
  }

  private func unchecked(
    height: Int, width: Int, batch: Int, resizePositions: Bool, membershipSeed: UInt64 = 0
  ) throws -> ModelGraph {
    var published: PublishedSize?
    if (height, width) != (self.height, self.width) {
      // If the model's own size leaves no pixel, it has no positions either.
      let entries = try? unchecked(height: self.height, width: self.width, batch: 1, resizePositions: false).entries
      published = PublishedSize(
        height: self.height, width: self.width,
        entries: Dictionary((entries ?? []).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first }))
    }
    var builder = ModelBuilder(
      name: name, classes: classes, published: published, resizesPositions: resizePositions,
      membershipSeed: membershipSeed)
    var value = builder.input([batch, channels, height, width])
    for module in modules { value = try builder.module(module, value, path: module.path ?? "") }
    builder.output(value)
    return ModelGraph(
      graph: builder.graph, modules: builder.modules, entries: builder.entries,
      preprocessing: channels == 3 ? preprocessing : nil)
  }

  /// The least height and width that leave a pixel everywhere; nil if none does.
  private func leastSize() throws -> (height: Int, width: Int)? {
    let enough = 4096
    func fits(_ height: Int, _ width: Int) throws -> Bool {
      do {
        _ = try unchecked(height: height, width: width, batch: 1, resizePositions: true)
        return true
      } catch is NoPixelLeft {
        return false
      }
    }
    func least(_ fits: (Int) throws -> Bool) throws -> Int? {
      guard try fits(enough) else { return nil }
      var low = 1
      var high = enough
      while low < high {
        let middle = (low + high) / 2
        if try fits(middle) { high = middle } else { low = middle + 1 }
      }
      return low
    }
    guard let height = try least({ try fits($0, enough) }), let width = try least({ try fits(height, $0) })
    else { return nil }
    return (height, width)
  }
}
