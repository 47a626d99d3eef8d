import IR

/// What the blocks of a spec build into: the graph, the state dict, and the output of every module.
///
/// A weight is declared before it is used. Declarations come in the order of the published state dict, which is that of
/// the published constructor. Uses come in the order in which the model runs.
struct ModelBuilder {
  static let mostChannels = 65536
  /// The most numbers that a model may have: enough for any published one, and few enough that nothing overflows later.
  private static let mostElements = 1 << 31
  private static let normEpsilon = 1e-5

  private(set) var graph: Graph
  private(set) var entries: [WeightEntry] = []
  private(set) var modules: [ModelGraph.Module] = []
  let classes: Int
  /// Nil while the model is built at its own size.
  let published: PublishedSize?
  let resizesPositions: Bool
  /// The seed of the numbers that hypergraphs start from.
  let membershipSeed: UInt64

  private var shapes: [String: [Int]] = [:]
  private var weightElements = 0
  private var hypergraphs = 0
  private var location: Diagnostic.Location?

  init(
    name: String, classes: Int, published: PublishedSize? = nil, resizesPositions: Bool = false,
    membershipSeed: UInt64 = 0
  ) {
    graph = Graph(name: name)
    self.classes = classes
    self.published = published
    self.resizesPositions = resizesPositions
    self.membershipSeed = membershipSeed
  }

  func problem(_ message: String) -> Diagnostic { Diagnostic(message, at: location) }

  mutating func input(_ shape: [Int]) -> ValueID { graph.addInput(TensorType(.f32, shape), name: "input") }

  mutating func output(_ value: ValueID) { graph.outputs.append(value) }

  func channels(of value: ValueID) -> Int { graph.tensorType(of: value).shape[1] }

  /// Builds a module under `path` and records its output.
  mutating func module(_ module: ModuleSpec, _ x: ValueID, path: String) throws -> ValueID {
    if modules.count >= SpecBudget.most {
      throw Diagnostic("more than \(SpecBudget.most) modules in one model", at: module.location)
    }
    let outer = location
    location = module.location
    defer { location = outer }
    guard graph.tensorType(of: x).rank == 4 else {
      throw problem("nothing can follow the classifiers: their output is no longer an image")
    }
    let result = try module.block.build(&self, x, path: path)
    if !path.isEmpty { record(path, result) }
    return result
  }

  mutating func record(_ name: String, _ value: ValueID) {
    modules.append(ModelGraph.Module(name: name, value: value))
  }

  /// `channels` times a factor that need not be whole, rounded down as the published code does.
  func expanded(_ channels: Int, by factor: Double) throws -> Int {
    let result = Int(Double(channels) * factor)
    guard (1...Self.mostChannels * 8).contains(result) else {
      throw problem("an expansion of \(channels) channels by \(factor) gives \(result) channels")
    }
    return result
  }

  // MARK: Weights

  mutating func declare(_ entry: WeightEntry) throws {
    guard shapes.updateValue(entry.resized ?? entry.shape, forKey: entry.name) == nil else {
      throw problem("the state dict would hold '\(entry.name)' twice: give the modules different paths")
    }
    weightElements += entry.count
    guard weightElements <= Self.mostElements else {
      throw problem("more than \(Self.mostElements) weights in one model")
    }
    // A state dict has a module's own parameters before those of its children, in whichever order they are used. At the
    // top these are the names without a dot.
    let place = entry.name.contains(".") ? entries.endIndex : entries.firstIndex { $0.name.contains(".") }
    entries.insert(entry, at: place ?? entries.endIndex)
  }

  /// - Parameter withIdentity: the path a checkpoint may use instead, once it has added the identity to the weights.
  mutating func declareConvolution(
    _ path: String, from channels: Int, to width: Int, kernel: Int = 1, groups: Int = 1, withIdentity: String? = nil
  ) throws {
    guard channels % groups == 0, width % groups == 0 else {
      throw problem("\(path): \(channels) channels to \(width) cannot be split into \(groups) groups")
    }
    let shape = [width, channels / groups, kernel, kernel]
    try declare(WeightEntry("\(path).weight", shape, withIdentity: withIdentity.map { "\($0).weight" }))
    try declare(WeightEntry("\(path).bias", [width], withIdentity: withIdentity.map { "\($0).bias" }))
  }

  mutating func declareScale(_ path: String, channels: Int, shape: ScaleShape) throws {
    try declare(WeightEntry(path, shape.shape(channels: channels)))
  }

  mutating func declareNorm(_ path: String, channels: Int) throws {
    try declare(WeightEntry("\(path).weight", [channels]))
    try declare(WeightEntry("\(path).bias", [channels]))
    try declare(WeightEntry("\(path).running_mean", [channels], role: .buffer))
    try declare(WeightEntry("\(path).running_var", [channels], role: .buffer))
    try declare(WeightEntry("\(path).num_batches_tracked", [], role: .counter))
  }

  /// The constant of a declared weight.
  mutating func weight(_ name: String, layer: String) throws -> ValueID {
    guard let shape = shapes[name] else { preconditionFailure("the weight \(name) is not declared") }
    return try add(Constant(type: TensorType(.f32, shape), source: .named(name)), [], name: name, layer: layer)
  }

  /// A named constant that is not part of the state dict: its contents go into the graph at once.
  mutating func constant(_ name: String, _ contents: TensorData, layer: String) throws -> ValueID {
    graph.weights[name] = contents
    return try add(Constant(type: contents.type, source: .named(name)), [], name: name, layer: layer)
  }

  /// The number of hypergraphs before this one.
  mutating func nextHypergraph() -> Int {
    defer { hypergraphs += 1 }
    return hypergraphs
  }

  mutating func scalar(_ value: Double, layer: String) throws -> ValueID {
    try add(Constant(type: TensorType(.f32, []), source: .inline([value])), [], layer: layer)
  }

  // MARK: Nodes

  /// Adds a node with one result.
  mutating func add(_ op: any Op, _ operands: [ValueID], name: String? = nil, layer: String) throws -> ValueID {
    do {
      let results = try graph.add(op, operands, name: name ?? layer, layer: layer, location: location)
      guard let result = results.first else { preconditionFailure("\(op.mnemonic) has no result") }
      if let type = graph.type(of: result).tensor, type.count > Self.mostElements {
        throw problem("\(layer) would have \(type.count) elements; at most \(Self.mostElements) are possible")
      }
      return result
    } catch var error as Diagnostic {
      // Typing rules know the operands, not the file that asked for them.
      if error.location == nil { error.location = location }
      throw error
    }
  }

  mutating func convolution(
    _ x: ValueID, _ path: String, stride: Int = 1, padding: Int = 0, groups: Int = 1
  ) throws -> ValueID {
    guard let shape = shapes["\(path).weight"] else { preconditionFailure("\(path) is not declared") }
    let image = graph.tensorType(of: x).shape
    if image[2] + 2 * padding < shape[2] || image[3] + 2 * padding < shape[3] {
      throw NoPixelLeft(layer: path, location: location)
    }
    let op = Conv2D(
      strides: [stride, stride], padding: [padding, padding, padding, padding], dilation: [1, 1], groups: groups)
    let operands = [x, try weight("\(path).weight", layer: path), try weight("\(path).bias", layer: path)]
    return try add(op, operands, layer: path)
  }

  mutating func norm(_ x: ValueID, _ path: String) throws -> ValueID {
    let operands = try ["weight", "bias", "running_mean", "running_var"].map {
      try weight("\(path).\($0)", layer: path)
    }
    return try add(BatchNorm(epsilon: Self.normEpsilon), [x] + operands, layer: path)
  }

  /// A declared layer scale times an image.
  mutating func scaled(_ x: ValueID, by path: String) throws -> ValueID {
    var scale = try weight(path, layer: path)
    let shape = graph.tensorType(of: scale).shape
    if shape.count == 1 { scale = try add(Reshape(shape: shape + [1, 1]), [scale], layer: path) }
    return try add(Multiply(), [scale, x], layer: path)
  }

  mutating func activation(_ x: ValueID, _ activation: Activation, layer: String) throws -> ValueID {
    guard let op = activation.op else { return x }
    return try add(op, [x], layer: layer)
  }
}

/// For a convolution whose image is smaller than its kernel: the model's input was too small.
struct NoPixelLeft: Error {
  var layer: String
  var location: Diagnostic.Location?
}
