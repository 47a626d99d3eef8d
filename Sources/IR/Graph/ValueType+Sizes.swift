// Which types can be computed with: a file may say any.

extension ValueType {
  /// What is wrong with a type that a file gives; nil if nothing is. Its sizes must be ones that can be computed with,
  /// and an axis of scales must exist.
  public var problem: String? {
    switch self {
    case .tensor(let type): type.problem
    case .neighborhood(let type): type.problem
    }
  }
}

extension TensorType {
  var problem: String? {
    if let problem = Extents.problem(shape) { return problem }
    if case .channelsLast(let padding) = layout {
      if rank != 4 {
        return "channels_last needs rank 4, and [\(shape.map(String.init).joined(separator: ","))] has \(rank)"
      }
      // Rounding the channels up adds at most this many elements.
      if !(1...1 << 16).contains(padding) {
        return "channels are padded to a multiple of \(padding), and not 1 to 65536"
      }
      let channels = (shape[1] + padding - 1) / padding * padding
      if Extents.count([shape[0], channels, shape[2], shape[3]]) == nil {
        return "the shape [\(shape.map(String.init).joined(separator: ","))] has too many elements with its padding"
      }
    }
    return quantization?.problem(element, shape: shape)
  }

  /// Bytes in memory, padding counted; nil if they are more than can be counted.
  public var checkedByteCount: Int? { problem == nil ? storageCount * element.byteCount : nil }
}

extension NeighborhoodType {
  /// More neighbours of a pixel than any network has. Each is code of its own.
  static let mostOffsets = 1 << 16

  var problem: String? {
    let extents = [batch, height, width]
    let own: [Int]
    switch form {
    case .offsets(let offsets), .gatedOffsets(let offsets):
      if offsets.count > Self.mostOffsets {
        return "a graph of \(offsets.count) offsets; at most \(Self.mostOffsets) are possible"
      }
      if let offset = offsets.first(where: { max($0.dy.magnitude, $0.dx.magnitude) > 1 << 24 }) {
        return "a graph with an offset of \(offset); at most \(1 << 24) pixels are possible"
      }
      own = [max(1, offsets.count)]
    case .indices(let count, let candidates):
      if !(1...1 << 40).contains(candidates) { return "a graph with \(candidates) candidates" }
      own = [count]
    case .incidence(let hyperedges): own = [hyperedges]
    }
    return Extents.problem(extents + own)
  }
}
