/// The most bytes that the compiler asks for at once for what a file describes: a model's constants, an interpreter's
/// values, or a tensor of a file of weights.
///
/// A few lines of text describe tensors of any size, so sizes are checked against the limit before memory is asked for.
/// The limit belongs to the task: a command that lets its user raise it runs inside `MemoryLimit.$current.withValue`.
public struct MemoryLimit: Hashable, Sendable {
  /// The default.
  public static let standard = MemoryLimit(gibibytes: 8)
  /// The limit of this task.
  @TaskLocal public static var current = MemoryLimit.standard

  /// In GiB, as a user gives it.
  public let gibibytes: Int

  public init(gibibytes: Int) { self.gibibytes = gibibytes }

  public var bytes: Int { gibibytes << 30 }

  /// Throws a `Diagnostic` if something takes more.
  ///
  /// - Parameters:
  ///   - bytes: What it takes; nil if no integer holds that.
  ///   - what: What takes it, in the plural: `the constants of g`.
  public static func require(_ bytes: Int?, for what: @autoclosure () -> String) throws {
    if let bytes, bytes <= current.bytes { return }
    let size = bytes.map { "\(($0 + 1 << 30 - 1) >> 30) GiB" } ?? "more than can be counted"
    throw Diagnostic(
      "\(what()) take \(size) of memory; the limit is \(current.gibibytes) GiB, and --memory-limit raises it")
  }
}

/// Sizes of tensors, computed without overflow whatever a file says.
public enum Extents {
  /// More elements than any machine holds, and few enough that offsets in bytes and sums of them fit 64 bits.
  public static let mostElements = 1 << 40
  /// The most axes that a tensor may have: loops nest as deep.
  public static let mostAxes = 32

  /// The product of extents of at least 0; nil if it is more than any tensor has, or an extent is negative.
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

  /// The sum of sizes; nil if one is unknown or no integer holds it.
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

  /// Why a tensor of this shape cannot be computed with; nil if it can.
  static func problem(_ shape: [Int]) -> String? {
    let list = shape.prefix(mostAxes).map(String.init).joined(separator: ",")
    if shape.count > mostAxes {
      return "a shape of \(shape.count) axes, [\(list),...]; at most \(mostAxes) are possible"
    }
    if let extent = shape.first(where: { $0 <= 0 }) {
      return "the shape [\(list)] has an extent of \(extent); extents are at least 1"
    }
    return count(shape) == nil ? "the shape [\(list)] has too many elements" : nil
  }
}
