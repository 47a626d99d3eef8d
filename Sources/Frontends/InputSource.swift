import IR

/// What a model is run on: `synthetic`, `synthetic:SEED`, a `.npy` file, a tensor of ONNX in a `.pb` file, or a picture.
///
/// Synthetic values and `.npy` files are the network's own input and never normalised; a picture is resized, cropped
/// and normalised as the model's spec says.
public enum InputSource: Hashable, Sendable, CustomStringConvertible {
  case synthetic(seed: UInt64)
  case numpy(String)
  case tensor(String)
  case image(String)

  private static let pictures = ["png", "jpg", "jpeg", "ppm", "pnm"]

  /// Reads a command-line word.
  public init(parsing text: String) throws {
    if case .synthetic(let seed)? = text.hasPrefix("synthetic") ? try WeightSource(parsing: text) : nil {
      self = .synthetic(seed: seed)
      return
    }
    let type = text.split(separator: ".").last.map { $0.lowercased() } ?? ""
    if type == "npy" {
      self = .numpy(text)
    } else if type == "pb" {
      self = .tensor(text)
    } else if Self.pictures.contains(type) {
      self = .image(text)
    } else {
      throw Diagnostic(
        "cannot tell what input '\(text)' is; expected synthetic, synthetic:SEED, a .npy file, "
          + "an ONNX tensor (.pb), or a picture (\(Self.pictures.joined(separator: ", ")))")
    }
  }

  public var description: String {
    switch self {
    case .synthetic(let seed): "synthetic:\(seed)"
    case .numpy(let path), .tensor(let path), .image(let path): path
    }
  }

  /// The float32 input of a model whose input is `shape` [N, C, H, W]; a picture fills every image of the batch.
  ///
  /// - Parameters:
  ///   - preprocessing: The model's; nil if it has none, and pictures are refused.
  ///   - normalizes: False for a model that normalises itself, which takes pictures of values in [0, 1].
  public func load(
    shape: [Int], preprocessing: ImagePreprocessing?, normalizes: Bool = true
  ) throws -> TensorData {
    switch self {
    case .synthetic(let seed):
      let count = shape.reduce(1, *)
      try MemoryLimit.require(Extents.count(shape).map { 4 * $0 }, for: "the elements of an input")
      return TensorData(shape: shape, floats: SyntheticWeights(seed: seed).uniform("input", count: count))
    case .numpy, .tensor: return try contents(TensorType(.f32, shape))
    case .image(let path):
      guard let preprocessing, shape.count == 4, shape[1] == 3 else {
        throw Diagnostic(
          "\(path) is a picture, and the model does not say how to read one; "
            + "give it a .npy file, or the spec a 'normalization' and three channels")
      }
      try MemoryLimit.require(Extents.count(shape).map { 4 * $0 }, for: "the elements of an input")
      let image = try RGBImage(path: path)
      let size = preprocessing.resizedSize(image, height: shape[2], width: shape[3])
      try MemoryLimit.require(
        Extents.count([3, size.width, max(size.height, image.height)]), for: "the pixels of \(path), once resized,")
      let picture = preprocessing.tensor(image, height: shape[2], width: shape[3], normalizes: normalizes)
      return TensorData(element: .f32, shape: shape, bytes: (0..<shape[0]).flatMap { _ in picture.bytes })
    }
  }

  /// A named input of a model that takes tensors of any type. Synthetic integers are 0 and 1, which are valid as counts
  /// and as indices.
  public func load(_ type: TensorType, name: String) throws -> TensorData {
    switch self {
    case .synthetic(let seed):
      // They are doubles in between.
      try MemoryLimit.require(Extents.count(type.shape).map { 8 * $0 }, for: "the elements of the input \(name)")
      let numbers = SyntheticWeights(seed: seed).uniform(name, count: type.count).map(Double.init)
      return TensorData(
        type.element, shape: type.shape, type.element.isFloat ? numbers : numbers.map { $0 < 0 ? 0 : 1 })
    case .numpy, .tensor: return try contents(type)
    case .image(let path): throw Diagnostic("\(path) is a picture, and the input \(name) is \(type)")
    }
  }

  /// What the file holds, which must be a tensor of the type.
  private func contents(_ type: TensorType) throws -> TensorData {
    let tensor: TensorData
    switch self {
    case .numpy(let path): tensor = try NumpyFile.read(path, as: type.element)
    case .tensor(let path): tensor = try ONNXImporter.readTensor(path)
    case .synthetic, .image: preconditionFailure("not a file of one tensor")
    }
    if tensor.element != type.element {
      throw Diagnostic("\(self) holds \(tensor.type), and the model takes \(type)")
    }
    guard tensor.shape == type.shape else {
      throw Diagnostic("\(self) holds \(tensor.shape), and the model takes \(type.shape)")
    }
    return tensor
  }
}
