import IR

/// What a model is run on: `synthetic`, `synthetic:SEED`, a `.npy` file, or a picture.
///
/// Synthetic values and `.npy` files are the network's own input and never normalised; a picture is resized, cropped
/// and normalised as the model's spec says.
public enum InputSource: Hashable, Sendable, CustomStringConvertible {
  case synthetic(seed: UInt64)
  case numpy(String)
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
    } else if Self.pictures.contains(type) {
      self = .image(text)
    } else {
      throw Diagnostic(
        "cannot tell what input '\(text)' is; expected synthetic, synthetic:SEED, a .npy file, "
          + "or a picture (\(Self.pictures.joined(separator: ", ")))")
    }
  }

  public var description: String {
    switch self {
    case .synthetic(let seed): "synthetic:\(seed)"
    case .numpy(let path), .image(let path): path
    }
  }

  /// The float32 input of a model whose input is `shape` [N, C, H, W]; a picture fills every image of the batch.
  ///
  /// - Parameters:
  ///   - preprocessing: The model's; nil where it has none, and pictures are refused.
  ///   - normalizes: False for a model that normalises itself, which takes pictures of values in [0, 1].
  public func load(
    shape: [Int], preprocessing: ImagePreprocessing?, normalizes: Bool = true
  ) throws -> TensorData {
    switch self {
    case .synthetic(let seed):
      let count = shape.reduce(1, *)
      return TensorData(shape: shape, floats: SyntheticWeights(seed: seed).uniform("input", count: count))
    case .numpy(let path):
      let tensor = try NumpyFile.read(path)
      guard tensor.shape == shape else {
        throw Diagnostic("\(path) holds \(tensor.shape), and the model takes \(shape)")
      }
      return tensor
    case .image(let path):
      guard let preprocessing, shape.count == 4, shape[1] == 3 else {
        throw Diagnostic(
          "\(path) is a picture, and the model does not say how to read one; "
            + "give it a .npy file, or the spec a 'normalization' and three channels")
      }
      let picture = preprocessing.tensor(
        try RGBImage(path: path), height: shape[2], width: shape[3], normalizes: normalizes)
      return TensorData(element: .f32, shape: shape, bytes: (0..<shape[0]).flatMap { _ in picture.bytes })
    }
  }
}
