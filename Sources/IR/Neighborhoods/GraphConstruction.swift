import RealModule

/// A way of connecting the pixels of an image: the parameters of one kind of graph construction, and what graph it
/// builds. Kinds are open (a new one is one file here and one line in `GraphConstructions.all`); the `NeighborhoodForm`
/// a kind maps to is one of a closed list, and passes and lowerings look at nothing else.
public protocol GraphConstruction: Sendable {
  /// The name in the text form, like `svga`.
  static var kind: String { get }

  /// Names of the operands after x, for kinds that need data of their own (relative positions, first memberships); the
  /// ones that end in `?` may be left out, last first.
  static var dataNames: [String] { get }

  /// Reads the parameters; throws a `Diagnostic` on a missing or invalid one.
  init(_ reader: inout AttributeReader) throws

  /// The parameters, in the order they print; `init` accepts exactly these.
  var attributes: [Attribute] { get }

  /// What the graph over `height` x `width` pixels of `channels` features looks like; `data` are the types of the
  /// operands after x. Throws a `Diagnostic` if the parameters do not fit.
  func form(height: Int, width: Int, channels: Int, data: [TensorType]) throws -> NeighborhoodForm

  /// What `form` cannot see: whether `data` fit the batch and the element type of `x`. Throws a `Diagnostic`.
  func check(x: TensorType, data: [TensorType]) throws

  /// The reference: the graph over the pixels of `x` [N, C, H, W].
  func evaluate<T: Real & BinaryFloatingPoint & Sendable>(_ x: Tensor<T>, data: [Tensor<T>]) throws -> NeighborhoodValue

  /// How far, in the kind's own measure, a chosen graph is from one that the reference could have chosen from the same
  /// data: 0 if they are equal, infinite if no rounding explains the difference. This is how a choice in float32 is
  /// judged, since a choice has no relative error.
  func violation<T: Real & BinaryFloatingPoint & Sendable>(
    of chosen: NeighborhoodValue, x: Tensor<T>, data: [Tensor<T>]
  ) throws -> T

  /// How neighbours are admitted, for a kind of form `gatedOffsets` whose test kernels know; nil leaves the gates to
  /// `buildLoops`.
  func gate(height: Int, width: Int) -> OffsetGate?

  /// Whether the graph of an image depends on the other images of its batch.
  var couplesImages: Bool { get }

  /// How hyperedges are found, for a kind of form `incidence` whose method kernels know; nil leaves the graph to
  /// `buildLoops`.
  var clustering: FuzzyClustering? { get }

  /// How neighbours are chosen, for a kind of form `indices` whose measure kernels know; nil leaves the choice to
  /// `buildLoops`. Operands after x are then the candidates' features and the positions, each if given.
  var selection: NearestSelection? { get }

  /// Plain loops that write the graph as `NeighborhoodType.storage` lays it out. A kind of form `offsets` writes
  /// nothing.
  func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], result: LoopTensor) throws
}

extension GraphConstruction {
  /// Fixed graphs are equal or not.
  public func violation<T: Real & BinaryFloatingPoint & Sendable>(
    of chosen: NeighborhoodValue, x: Tensor<T>, data: [Tensor<T>]
  ) throws -> T {
    guard case .offsets(let offsets) = chosen, case .offsets(let expected) = try evaluate(x, data: data) else {
      return .infinity
    }
    return offsets == expected ? 0 : .infinity
  }

  public static var dataNames: [String] { [] }
  public var kind: String { Self.kind }
  public func check(x: TensorType, data: [TensorType]) throws {}
  public func gate(height: Int, width: Int) -> OffsetGate? { nil }
  public var couplesImages: Bool { false }
  public var clustering: FuzzyClustering? { nil }
  public var selection: NearestSelection? { nil }
}

/// A test that admits neighbours at fixed offsets, in terms that kernels know.
public enum OffsetGate: Hashable, Sendable {
  /// The L1 distance over the channels is strictly below mean - deviation (over the pixels less one) of the distances
  /// between each pixel of the image and the one at `sample`.
  case nearInL1(sample: Offset)
}

/// Hyperedges by fuzzy c-means with exponent 2 from first memberships, the operand after x, in terms that kernels know.
///
/// A round takes centres weighted by squared memberships and then memberships that are the reciprocals of squared
/// distances, divided by their sum over a pixel's hyperedges.
public struct FuzzyClustering: Hashable, Sendable {
  public var hyperedges: Int
  /// At least one round is done, and no more than this.
  public var mostRounds: Int
  /// From the second round on, the first one that changes the memberships of the whole batch by less than this, in the
  /// Frobenius norm, is the last.
  public var leastChange: Double
  /// What squared distances are raised to.
  public var leastDistance: Double
  /// Above this membership a pixel is a member, if no pixel of the batch is weak.
  public var membershipOfMembers: Double
  /// A pixel whose largest membership is below this is weak: a member of its nearest hyperedge alone.
  public var weakMembership: Double
  /// Above this membership a pixel that is not weak is a member, if some pixel of the batch is weak.
  public var membershipBesideWeak: Double
}

/// A choice of neighbours by distance, in terms that kernels know.
///
/// Features are divided by their L2 norm, or by `leastNorm` if that is larger. The distance of a pixel and a candidate
/// is the square of the Euclidean one, plus the positions' element if there are positions [1, H * W, h * w]. Candidates
/// in ascending order, the lower index first where distances are equal, give those at the ranks 0, `step`, 2 * `step`,
/// ...; a candidate at a distance of plus infinity or NaN is never a neighbour, and ranks that are left are taken by
/// candidate 0.
public struct NearestSelection: Hashable, Sendable {
  /// How many neighbours a pixel has.
  public var count: Int
  /// From the rank of one neighbour to that of the next.
  public var step: Int
  public var leastNorm: Double

  public init(count: Int, step: Int, leastNorm: Double) {
    self.count = count
    self.step = step
    self.leastNorm = leastNorm
  }

  /// How many of the nearest candidates have to be known.
  public var ranks: Int { count * step }
}

/// Every kind of graph construction.
public enum GraphConstructions {
  public static let all: [any GraphConstruction.Type] = [
    SVGA.self,
    KNN.self,
    Hypergraph.self,
    MGC.self,
    DAGC.self,
    LSGC.self,
  ]

  /// Reads the attribute `kind` and the parameters of that kind.
  static func read(_ reader: inout AttributeReader) throws -> any GraphConstruction {
    let kind = try reader.string("kind")
    guard let type = all.first(where: { $0.kind == kind }) else {
      let known = all.map { $0.kind }
      let close = nearest(to: kind, among: known)
      let hint = close.isEmpty ? "known kinds are \(known.joined(separator: ", "))" : "is '\(close[0])' meant?"
      throw Diagnostic("there is no graph construction '\(kind)'; \(hint)")
    }
    return try type.init(&reader)
  }
}

extension NeighborhoodType {
  /// The tensor that stores a graph of this type in loops; nil if the type says everything.
  ///
  /// `gatedOffsets`: one byte, 0 or 1, for every offset and pixel, [offsets, N, H, W]. `indices`: the neighbours of
  /// each pixel among the image's candidates, [N, H * W, count], each in 0 ..< candidates. `incidence`: one byte for
  /// every pixel and hyperedge, [N, H * W, hyperedges]: 1 for a member, 2 if the pixel reads the hyperedge without
  /// being a member.
  public var storage: TensorType? {
    switch form {
    case .offsets: nil
    case .gatedOffsets(let offsets): TensorType(.u8, [offsets.count, batch, height, width])
    case .indices(let count, _): TensorType(.i32, [batch, height * width, count])
    case .incidence(let hyperedges): TensorType(.u8, [batch, height * width, hyperedges])
    }
  }

  /// The values the elements of `storage` may have: the range to declare for its buffer.
  public var storageRange: ClosedRange<Int>? {
    switch form {
    case .offsets: nil
    case .gatedOffsets: 0...1
    case .indices(_, let candidates): 0...(candidates - 1)
    case .incidence: 0...2
    }
  }

  /// This graph as an operand or result of loops, stored in `buffer` from `base` on.
  public func loopTensor(buffer: String, base: LoopIndex = 0) -> LoopTensor {
    LoopTensor(buffer: buffer, base: base, type: storage ?? TensorType(.u8, [0]), neighborhood: self)
  }
}
