import IR

/// Where a model's weights come from: `synthetic`, `synthetic:SEED`, or a safetensors file.
public enum WeightSource: Hashable, Sendable, CustomStringConvertible {
  case synthetic(seed: UInt64)
  case file(String)

  /// Reads a command-line word. Anything that does not start with `synthetic` is a path.
  public init(parsing text: String) throws {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts[0] == "synthetic" else {
      if text.isEmpty { throw Diagnostic("no weights named; expected synthetic, synthetic:SEED or a safetensors file") }
      self = .file(text)
      return
    }
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
    case .file(let path): path
    }
  }

  /// The contents of every entry that is read (counters are not), as float32 by name.
  ///
  /// A file must hold exactly the entries: names that are missing, unexpected or wrongly shaped are reported
  /// together. Half, bfloat16 and double precision convert to float32. Positions that the graph reads in another shape
  /// than the state dict's are resized.
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
      return Dictionary(
        entries.filter { $0.role != .counter }.map { entry in
          (entry.name, entry.computed ?? weights.tensor(entry.name, shape: entry.shape))
        },
        uniquingKeysWith: { first, _ in first })
    case .file(let path):
      let bytes = try readFile(path)
      // A zip archive or a pickle: what torch.save writes.
      if bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) || bytes.starts(with: [0x80, 0x02]) {
        throw Diagnostic("\(path) is a PyTorch checkpoint; convert it to safetensors first")
      }
      return try Self.match(Safetensors(bytes: bytes, file: path).tensors, to: entries, file: path, model: model)
    }
  }

  /// Holds a file's tensors against a model's entries.
  static func match(
    _ found: [String: TensorData], to entries: [WeightEntry], file: String, model: String
  ) throws -> [String: TensorData] {
    var weights: [String: TensorData] = [:]
    var missing: [WeightEntry] = []
    var wrong: [String] = []
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
      } else if let floats = tensor.convertedToFloat32() {
        weights[entry.name] = prepared == nil ? floats : floats.withoutIdentity
        if prepared != nil, let name = entry.withIdentity { known.insert(name) }
      } else {
        wrong.append("wrong type: \(entry.name) is \(tensor.element.rawValue), and the model needs floating point")
      }
    }
    let unexpected = found.keys.filter { !known.contains($0) && !$0.hasSuffix("num_batches_tracked") }.sorted()
    if missing.isEmpty && unexpected.isEmpty && wrong.isEmpty { return weights }

    var counts: [String] = []
    if !missing.isEmpty { counts.append("\(missing.count) missing") }
    if !unexpected.isEmpty { counts.append("\(unexpected.count) unexpected") }
    if !wrong.isEmpty { counts.append("\(wrong.count) of the wrong shape or type") }
    // Edit distances cost names squared, and a file of another model altogether resembles nothing.
    let suggested = missing.count * unexpected.count <= 4096
    var notes = missing.map { entry in
      let near = suggested ? nearest(to: entry.name, among: unexpected, limit: 1) : []
      let hint = near.first.map { "; the file has \($0)" } ?? ""
      return "missing: \(entry.name) \(entry.shape)\(hint)"
    }
    notes += unexpected.map { name in
      let near = suggested ? nearest(to: name, among: missing.map(\.name), limit: 1) : []
      return "unexpected: \(name)" + (near.first.map { "; the model has \($0)" } ?? "")
    }
    throw Diagnostic(
      "\(file) does not hold the weights of \(model): \(counts.joined(separator: ", "))", notes: notes + wrong)
  }
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
