/// How many bytes the compiler asks for at most for one thing that a file describes: a model's constants, what an
/// interpreter computes with, a tensor of a file of weights.
///
/// A few lines of text describe tensors of any size, so sizes are held against the limit before memory is asked for. It
/// is that of the task: a command that lets its user raise it runs inside `MemoryLimit.$current.withValue`.
public struct MemoryLimit: Hashable, Sendable {
  /// What holds where nobody says anything else.
  public static let standard = MemoryLimit(gibibytes: 8)
  /// The limit of this task.
  @TaskLocal public static var current = MemoryLimit.standard

  /// In GiB, as a user gives it.
  public let gibibytes: Int

  public init(gibibytes: Int) { self.gibibytes = gibibytes }

  public var bytes: Int { gibibytes << 30 }

  /// Throws a `Diagnostic` where something takes more.
  ///
  /// - Parameters:
  ///   - bytes: What it takes; nil where no integer holds that.
  ///   - what: What takes it, in the plural: `the constants of g`.
  public static func require(_ bytes: Int?, for what: @autoclosure () -> String) throws {
    if let bytes, bytes <= current.bytes { return }
    let size = bytes.map { "\(($0 + 1 << 30 - 1) >> 30) GiB" } ?? "more than can be counted"
    throw Diagnostic(
      "\(what()) take \(size) of memory; the limit is \(current.gibibytes) GiB, and --memory-limit raises it")
  }
}

/// What the sizes of tensors come to, without the overflow of one that a file makes up.
public enum Extents {
  /// More elements than any machine holds, and few enough that offsets in bytes and sums of them fit 64 bits.
  public static let mostElements = 1 << 40
  /// As many axes as a tensor may have: loops nest as deep.
  public static let mostAxes = 32

  /// The product of extents of at least 0; nil where it is more than any tensor has, or an extent is negative.
  public static func count(_ extents: some Sequence<Int>) -> Int? {
    var count = 1
    var isEmpty = false
    for extent in extents {
      if extent < 0 { return nil }
      if extent == 0 { isEmpty = true }
      let (product, overflow) = count.multipliedReportingOverflow(by: max(1, extent))
      if overflow || product > mostElements { return nil }
      count = product
    }
    return isEmpty ? 0 : count
  }

  /// The sum of sizes; nil where one is unknown or no integer holds it.
  public static func sum(_ sizes: some Sequence<Int?>) -> Int? {
    var sum = 0
    for size in sizes {
      guard let size else { return nil }
      let (next, overflow) = sum.addingReportingOverflow(size)
      if overflow { return nil }
      sum = next
    }
    return sum
  }

  /// What is wrong with a shape of a tensor that is computed with; nil where nothing is.
  static func problem(_ shape: [Int]) -> String? {
    let list = shape.prefix(mostAxes).map(String.init).joined(separator: ",")
    if shape.count > mostAxes { return "a shape of \(shape.count) axes, [\(list),...]; at most \(mostAxes) are possible" }
    if let extent = shape.first(where: { $0 <= 0 }) {
      return "the shape [\(list)] has an extent of \(extent); extents are at least 1"
    }
    return count(shape) == nil ? "the shape [\(list)] has too many elements" : nil
  }
}

extension ValueType {
  /// What is wrong with a type that a file gives; nil where nothing is: sizes that can be computed with, and an axis of
  /// scales that is there.
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
      if rank != 4 { return "channels_last needs rank 4, and [\(shape.map(String.init).joined(separator: ","))] has \(rank)" }
      // The rounded channels take at most so many more elements.
      if !(1...1 << 16).contains(padding) { return "channels are padded to a multiple of \(padding), and not 1 to 65536" }
      let channels = (shape[1] + padding - 1) / padding * padding
      if Extents.count([shape[0], channels, shape[2], shape[3]]) == nil {
        return "the shape [\(shape.map(String.init).joined(separator: ","))] has too many elements with its padding"
      }
    }
    guard let quantization else { return nil }
    if quantization.scales.count != quantization.zeroPoints.count {
      return "\(quantization.scales.count) scales and \(quantization.zeroPoints.count) zero points"
    }
    if let axis = quantization.axis, !shape.indices.contains(axis) { return "scales along axis \(axis) of \(rank)" }
    return nil
  }

  /// Bytes in memory, padding counted; nil where they are more than can be counted.
  public var checkedByteCount: Int? { problem == nil ? storageCount * element.byteCount : nil }
}

extension NeighborhoodType {
  /// More neighbours a pixel than any network has, each of which is code of its own.
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
