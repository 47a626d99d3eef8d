/// How a tensor's elements lie in memory. The shape is always the logical one (N, C, H, W for images).
public enum Layout: Hashable, Sendable {
  /// Row-major in the logical order: NCHW for images.
  case rowMajor
  /// N, H, W, C with each pixel's channels padded with zeros to a multiple of `padding`.
  case channelsLast(padding: Int)
}

/// How integers stand for reals: real = scale * (integer - zeroPoint), per tensor or along an axis.
public struct Quantization: Hashable, Sendable {
  public var scales: [Double]
  public var zeroPoints: [Int]
  /// The axis the scales run along; nil for one scale.
  public var axis: Int?

  public init(scales: [Double], zeroPoints: [Int], axis: Int? = nil) {
    self.scales = scales
    self.zeroPoints = zeroPoints
    self.axis = axis
  }
}

/// A tensor of static shape.
public struct TensorType: Hashable, Sendable {
  public var element: ElementType
  public var shape: [Int]
  public var layout: Layout
  public var quantization: Quantization?

  public init(
    _ element: ElementType, _ shape: [Int], layout: Layout = .rowMajor, quantization: Quantization? = nil
  ) {
    self.element = element
    self.shape = shape
    self.layout = layout
    self.quantization = quantization
  }

  public var rank: Int { shape.count }
  /// Logical elements, padding not counted.
  public var count: Int { shape.reduce(1, *) }

  /// Elements in memory, channel padding counted.
  public var storageCount: Int {
    switch layout {
    case .rowMajor: return count
    case .channelsLast(let padding):
      let channels = (shape[1] + padding - 1) / padding * padding
      return count / max(1, shape[1]) * channels
    }
  }
}

/// A wrapping displacement on the pixel grid: the neighbour of (y, x) is ((y - dy) mod H, (x - dx) mod W), which is
/// what rolling the image by (dy, dx) brings to (y, x).
public struct Offset: Hashable, Sendable {
  public var dy: Int
  public var dx: Int

  public init(dy: Int, dx: Int) {
    self.dy = dy
    self.dx = dx
  }
}

/// What the compiler may know about a neighbourhood. Kinds of graph construction are open, forms are closed: passes
/// and lowerings switch on the form only.
public enum NeighborhoodForm: Hashable, Sendable {
  /// Neighbours are fixed rolls.
  case offsets([Offset])
  /// Fixed rolls, each admitted per pixel by a data-dependent test.
  case gatedOffsets([Offset])
  /// `count` neighbours per node, by data-dependent index, out of `candidates` nodes.
  case indices(count: Int, candidates: Int)
  /// Soft memberships of nodes in `hyperedges` hyperedges.
  case incidence(hyperedges: Int)
}

/// The type of a graph over the pixels of `height` x `width` images in a batch.
public struct NeighborhoodType: Hashable, Sendable {
  public var form: NeighborhoodForm
  public var batch: Int
  public var height: Int
  public var width: Int

  public init(_ form: NeighborhoodForm, batch: Int, height: Int, width: Int) {
    self.form = form
    self.batch = batch
    self.height = height
    self.width = width
  }
}

/// The type of a graph value.
public enum ValueType: Hashable, Sendable {
  case tensor(TensorType)
  case neighborhood(NeighborhoodType)

  public var tensor: TensorType? {
    if case .tensor(let type) = self { type } else { nil }
  }

  public var neighborhood: NeighborhoodType? {
    if case .neighborhood(let type) = self { type } else { nil }
  }
}
