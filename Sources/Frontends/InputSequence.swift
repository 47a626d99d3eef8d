import Foundation
import IR

/// Many inputs of a model, a run after the other: what it is calibrated on, or judged by.
public struct InputSequence: Sendable {
  /// An input of a model, by its name.
  public struct Slot: Hashable, Sendable {
    public var name: String
    public var type: TensorType

    public init(name: String, type: TensorType) {
      self.name = name
      self.type = type
    }
  }

  /// Runs. A run takes as many inputs as the model's batch.
  public let count: Int
  /// What a run is called in messages.
  public let name: @Sendable (Int) -> String
  /// The tensors of a run, in order of the model's inputs.
  public let tensors: @Sendable (Int) throws -> [TensorData]
}

/// Where many inputs come from: `synthetic:N`, a `.npy` file of N inputs one after another, a `.npz` file of such arrays
/// by the names of the model's inputs, or a folder of pictures.
public enum InputSequenceSource: Hashable, Sendable, CustomStringConvertible {
  case synthetic(count: Int)
  case numpy(String)
  case archive(String)
  case folder(String)

  private static let mostSynthetic = 100_000

  /// Reads a command-line word.
  public init(parsing text: String) throws {
    if text == "synthetic" || text.hasPrefix("synthetic:") {
      guard let count = Int(text.dropFirst("synthetic:".count)), (1...Self.mostSynthetic).contains(count) else {
        throw Diagnostic("'\(text)' does not say how many inputs; expected synthetic:N, like synthetic:16")
      }
      self = .synthetic(count: count)
      return
    }
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: text, isDirectory: &isFolder)
    if exists && isFolder.boolValue {
      self = .folder(text)
    } else if text.hasSuffix(".npy") {
      self = .numpy(text)
    } else if text.hasSuffix(".npz") {
      self = .archive(text)
    } else {
      throw Diagnostic(
        (exists ? "cannot tell what inputs '\(text)' holds" : "there is no folder '\(text)'")
          + "; expected FILE.npy, FILE.npz, a folder of pictures, or synthetic:N")
    }
  }

  public var description: String {
    switch self {
    case .synthetic(let count): "synthetic:\(count)"
    case .numpy(let path), .archive(let path), .folder(let path): path
    }
  }

  /// Opens the source for a model.
  ///
  /// - Parameters:
  ///   - slots: The model's inputs, in order.
  ///   - preprocessing: How it reads pictures; nil if it does not say.
  ///   - normalizes: False for a model that normalises pictures itself.
  public func open(
    _ slots: [InputSequence.Slot], preprocessing: ImagePreprocessing?, normalizes: Bool = true
  ) throws -> InputSequence {
    if slots.isEmpty { throw Diagnostic("the model has no input, so \(self) means nothing to it") }
    switch self {
    case .synthetic(let count):
      return InputSequence(count: count, name: { "synthetic input \($0)" }) { run in
        let source = InputSource.synthetic(seed: UInt64(run))
        return try slots.enumerated().map { place, slot in
          place == 0 && slot.type.element == .f32
            ? try source.load(shape: slot.type.shape, preprocessing: nil)
            : try source.load(slot.type, name: slot.name)
        }
      }
    case .numpy(let path):
      guard slots.count == 1 else {
        throw Diagnostic("\(path) is one array, and the model takes \(slots.count) inputs; give it a .npz file")
      }
      return try Self.sequence([try NumpyFile.read(path, as: slots[0].type.element)], slots, path)
    case .archive(let path): return try InputArchive(path).inputs(slots)
    case .folder(let path):
      return try Self.pictures(in: path, slots, preprocessing: preprocessing, normalizes: normalizes)
    }
  }

  /// Arrays of inputs one after another, one for each input of the model.
  static func sequence(_ arrays: [TensorData], _ slots: [InputSequence.Slot], _ file: String) throws -> InputSequence {
    var counts: [Int] = []
    for (array, slot) in zip(arrays, slots) {
      let shape = slot.type.shape
      guard let batch = shape.first, let found = array.shape.first, array.shape.dropFirst() == shape.dropFirst() else {
        let one = shape.dropFirst().map(String.init).joined(separator: ", ")
        throw Diagnostic("\(file) holds \(array.shape), and the input \(slot.name) takes [N, \(one)]")
      }
      guard found > 0, found.isMultiple(of: batch) else {
        throw Diagnostic("\(file) holds \(found) inputs, and a run takes \(batch): expected a multiple of that")
      }
      try requireFinite(array, file, slot.name)
      counts.append(found / batch)
    }
    guard let count = counts.first, counts.allSatisfy({ $0 == count }) else {
      throw Diagnostic(
        "\(file) holds other numbers of inputs for \(slots.map(\.name).joined(separator: ", ")): \(counts)")
    }
    return InputSequence(count: count, name: { "input \($0) of \(file)" }) { run in
      zip(arrays, slots).map { array, slot in
        let size = array.bytes.count / count
        return TensorData(
          element: array.element, shape: slot.type.shape, bytes: Array(array.bytes[run * size..<(run + 1) * size]))
      }
    }
  }

  private static func requireFinite(_ array: TensorData, _ file: String, _ name: String) throws {
    guard array.element == .f32 else { return }
    let each = max(1, array.count / max(1, array.shape.first ?? 1))
    if let (place, value) = array.floats.enumerated().first(where: { !$0.element.isFinite }) {
      throw Diagnostic("\(file): input \(place / each) of \(name) holds \(value); expected finite numbers")
    }
  }

  private static func pictures(
    in folder: String, _ slots: [InputSequence.Slot], preprocessing: ImagePreprocessing?, normalizes: Bool
  ) throws -> InputSequence {
    guard let shape = slots.first?.type.shape, slots.count == 1, let batch = shape.first else {
      throw Diagnostic("\(folder) holds pictures, and the model takes \(slots.count) inputs; give it a .npz file")
    }
    let names = try? FileManager.default.contentsOfDirectory(atPath: folder)
    let files = (names ?? []).sorted().filter { name in
      guard !name.hasPrefix("."), case .image? = try? InputSource(parsing: name) else { return false }
      return true
    }.map { "\(folder)/\($0)" }
    if files.isEmpty { throw Diagnostic("\(folder) holds no picture (png, jpg, jpeg, ppm or pnm)") }
    guard files.count.isMultiple(of: batch) else {
      throw Diagnostic("\(folder) holds \(files.count) pictures, and a run takes \(batch): expected a multiple of that")
    }
    // A model that cannot read pictures is found out before the first run.
    if preprocessing == nil || shape.count != 4 || shape[1] != 3 {
      _ = try InputSource.image(files[0]).load(shape: shape, preprocessing: preprocessing)
    }
    return InputSequence(count: files.count / batch, name: { batch == 1 ? files[$0] : "run \($0) of \(folder)" }) {
      run in
      let bytes = try files[run * batch..<(run + 1) * batch].flatMap { file in
        try InputSource.image(file).load(
          shape: [1] + shape.dropFirst(), preprocessing: preprocessing, normalizes: normalizes
        ).bytes
      }
      return [TensorData(element: .f32, shape: shape, bytes: bytes)]
    }
  }
}

/// A `.npz` file of a model's inputs, and of their labels if it has some.
public struct InputArchive: Sendable {
  /// What the inputs of a model with one input may be called besides its own name.
  private static let images = "images"
  private static let labels = "labels"

  private let path: String
  private let tensors: [String: StoredTensor]

  public init(_ path: String) throws {
    self.path = path
    tensors = try WeightFile(path: path).tensors
  }

  /// The inputs, by the names that the model gives them; those of a model with one input may be called `images`.
  public func inputs(_ slots: [InputSequence.Slot]) throws -> InputSequence {
    let arrays = try slots.map { slot -> TensorData in
      guard let stored = tensors[slot.name] ?? (slots.count == 1 ? tensors[Self.images] : nil) else {
        let names = tensors.keys.sorted().joined(separator: ", ")
        throw Diagnostic(
          "\(path) has no array '\(slot.name)'\(slots.count == 1 ? " and no '\(Self.images)'" : "")"
            + "; it has \(names.isEmpty ? "none" : names)")
      }
      let element = slot.type.element
      let data = stored.element == element ? try stored.read() : element == .f32 ? try stored.readFloat32() : nil
      guard let data else {
        throw Diagnostic(
          "\(path): the inputs are of \(stored.element.rawValue), and \(element.rawValue) is needed: "
            + "give them as the model takes them, normalised")
      }
      return data
    }
    return try InputSequenceSource.sequence(arrays, slots, path)
  }

  /// The class of each input.
  ///
  /// - Parameter count: Of the inputs.
  public func labels(count: Int) throws -> [Int] {
    guard let stored = tensors[Self.labels] else { throw Diagnostic("\(path) has no array '\(Self.labels)'") }
    guard !stored.element.isFloat, stored.shape.reduce(1, *) == count else {
      throw Diagnostic(
        "\(path): '\(Self.labels)' is \(stored.element.rawValue)\(stored.shape); expected \(count) integers, "
          + "one for each input")
    }
    return Tensor<Double>(try stored.read()).integer.map { Int($0) }
  }
}
