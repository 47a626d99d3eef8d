import IR

/// Where a model's weights come from: `synthetic`, `synthetic:SEED`, or a file: a PyTorch checkpoint, safetensors, or
/// NumPy's `.npz`.
public enum WeightSource: Hashable, Sendable, CustomStringConvertible {
  case synthetic(seed: UInt64)
  /// `averaged` asks for the moving averages (EMA) that a training checkpoint may hold beside the weights.
  case file(String, averaged: Bool = false)

  /// Reads a command-line word. Anything that does not start with `synthetic` is a path.
  public init(parsing text: String, averaged: Bool = false) throws {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts[0] == "synthetic" else {
      if text.isEmpty { throw Diagnostic("no weights named; expected synthetic, synthetic:SEED or a file") }
      self = .file(text, averaged: averaged)
      return
    }
    if averaged { throw Diagnostic("synthetic weights have no EMA copy: leave out --ema") }
    guard parts.count == 2 else {
      self = .synthetic(seed: 0)
      return
    }
    guard let seed = UInt64(parts[1]) else {
      throw Diagnostic(
        "'\(parts[1])' in '\(text)' is not a seed; expected a whole number from 0 to \(UInt64.max)")
    }
    self = .synthetic(seed: seed)
  }

  /// What a `.vir` file names it by.
  public var description: String {
    switch self {
    case .synthetic(let seed): "synthetic:\(seed)"
    case .file(let path, _): path
    }
  }

  /// The contents of every entry that is read (counters are not), as float32 by name.
  ///
  /// A file must hold exactly the entries: names that are missing, unexpected or wrongly shaped are reported
  /// together. Prefixes that training wrappers put before all names are taken off. Half, bfloat16 and double precision
  /// convert to float32. Positions that the graph reads in another shape than the state dict's are resized.
  public func load(_ entries: [WeightEntry], model: String) throws -> [String: TensorData] {
    var weights = try published(entries, model: model)
    for entry in entries {
      if let shape = entry.resized, let data = weights[entry.name] {
        weights[entry.name] = BicubicResize.resized(data, to: shape)
      }
    }
    return weights
  }

  private func published(_ entries: [WeightEntry], model: String) throws -> [String: TensorData] {
    switch self {
    case .synthetic(let seed):
      let weights = SyntheticWeights(seed: seed)
      try MemoryLimit.require(
        Extents.sum(entries.map { Extents.count($0.shape).map { 4 * $0 } }), for: "the synthetic weights of \(model)")
      return Dictionary(
        entries.filter { $0.role != .counter }.map { entry in
          (entry.name, entry.computed ?? weights.tensor(entry.name, shape: entry.shape))
        },
        uniquingKeysWith: { first, _ in first })
    case .file(let path, let averaged):
      let names = entries.flatMap { [$0.name] + ($0.withIdentity.map { [$0] } ?? []) }
      let found = StateDictionary.unwrapped(try WeightFile(path: path, averaged: averaged).tensors, for: names)
      return try Self.match(found, to: entries, file: path, model: model)
    }
  }

  /// Checks a file's tensors against a model's entries.
  static func match(
    _ found: [String: StoredTensor], to entries: [WeightEntry], file: String, model: String
  ) throws -> [String: TensorData] {
    var weights: [String: TensorData] = [:]
    var missing: [WeightEntry] = []
    var wrong: [String] = []
    var wanted: [(entry: WeightEntry, tensor: StoredTensor, isPrepared: Bool)] = []
    var known = Set(entries.map(\.name))
    for entry in entries where entry.role != .counter {
      let prepared = found[entry.name] == nil ? entry.withIdentity.flatMap { found[$0] } : nil
      guard let tensor = found[entry.name] ?? prepared else {
        if let computed = entry.computed {
          weights[entry.name] = computed
        } else if !entry.isOptional {
          missing.append(entry)
        }
        continue
      }
      if tensor.shape != entry.shape {
        wrong.append("wrong shape: \(entry.name) is \(tensor.shape), and the model needs \(entry.shape)")
      } else if tensor.isFloatingPoint {
        wanted.append((entry, tensor, prepared != nil))
        if prepared != nil, let name = entry.withIdentity { known.insert(name) }
      } else {
        wrong.append("wrong type: \(entry.name) is \(tensor.element.rawValue), and the model needs floating point")
      }
    }
    let unexpected = found.keys.filter { !known.contains($0) && !$0.hasSuffix("num_batches_tracked") }.sorted()
    guard missing.isEmpty && unexpected.isEmpty && wrong.isEmpty else {
      throw mismatch(missing, unexpected, wrong, file: file, model: model)
    }
    // Contents are read only now: wrong names are reported at once, and a file of another model is not read at all.
    for (entry, tensor, isPrepared) in wanted {
      guard let floats = try tensor.readFloat32() else { preconditionFailure("floating point converts") }
      weights[entry.name] = isPrepared ? floats.withoutIdentity : floats
    }
    return weights
  }

  /// This many of each kind are listed; the first line counts them all.
  private static let mostListed = 12

  private static func mismatch(
    _ missing: [WeightEntry], _ unexpected: [String], _ wrong: [String], file: String, model: String
  ) -> Diagnostic {
    var counts: [String] = []
    if !missing.isEmpty { counts.append("\(missing.count) missing") }
    if !unexpected.isEmpty { counts.append("\(unexpected.count) unexpected") }
    if !wrong.isEmpty { counts.append("\(wrong.count) of the wrong shape or type") }
    func listed<Item>(_ items: [Item], of kind: String, line: (Item) -> String) -> [String] {
      let rest = items.count - mostListed
      return items.prefix(mostListed).map(line) + (rest > 0 ? ["and \(rest) more \(kind)"] : [])
    }
    let models = missing.map(\.name)
    let closeToMissing = nearestNames(to: models.prefix(mostListed), among: unexpected)
    let lacking = listed(missing, of: "missing") { entry in
      let close = closeToMissing[entry.name].map { "; the file has \($0.shown)" } ?? ""
      return "missing: \(entry.name) \(entry.shape)\(close)"
    }
    let closeToSurplus = nearestNames(to: unexpected.prefix(mostListed), among: models)
    let surplus = listed(unexpected, of: "unexpected") { name in
      "unexpected: \(name.shown)" + (closeToSurplus[name].map { "; the model has \($0)" } ?? "")
    }
    return Diagnostic(
      "\(file) does not hold the weights of \(model): \(counts.joined(separator: ", "))",
      notes: lacking + surplus + listed(wrong, of: "of the wrong shape or type") { $0 })
  }

  /// The nearest of `candidates` to each name, if one resembles it. An edit distance takes time in the product of two
  /// lengths, which is not worth it for a file of a different model or of absurd names.
  private static func nearestNames(to names: some Sequence<String>, among candidates: [String]) -> [String: String] {
    func length(_ names: some Sequence<String>) -> Int { names.reduce(0) { $0 + $1.utf8.count } }
    guard length(names) <= 1 << 20, length(candidates) <= 1 << 20,
      length(names) * length(candidates) <= mostCompared
    else { return [:] }
    var result: [String: String] = [:]
    for name in names { result[name] = nearest(to: name, among: candidates, limit: 1).first }
    return result
  }

  /// Pairs of characters; a dozen names of 40 among 400.
  private static let mostCompared = 1 << 23
}

extension TensorData {
  /// Depthwise weights [C, 1, height, width] without the 1 that an identity branch added to each centre tap; a bias as it
  /// is. Adding 1 again later gives the file's own bits back, since the difference is exact near 1.
  fileprivate var withoutIdentity: TensorData {
    guard shape.count == 4 else { return self }
    let taps = shape[2] * shape[3]
    return TensorData(shape: shape, floats: floats.enumerated().map { $0 % taps == taps / 2 ? $1 - 1 : $1 })
  }
}
