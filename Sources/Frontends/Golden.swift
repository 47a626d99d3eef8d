import IR

/// What a published implementation computes for a model: logits and, for every block, the statistics of its output.
///
/// Read from JSON: `model`, `input.shape`, `seed` (of weights and input), `params`, `logits_f32`, `logits_f64`, and
/// `modules` with `module`, `shape`, `mean`, `std`, `l2`, `first` and `last`.
public struct Golden: Sendable {
  /// One block's output, in float32: its shape, mean, standard deviation over N, L2 norm, and outermost elements.
  public struct Module: Hashable, Sendable {
    public var name: String
    public var shape: [Int]
    public var mean: Double
    public var standardDeviation: Double
    public var norm: Double
    public var first: [Double]
    public var last: [Double]

    public init(
      name: String, shape: [Int], mean: Double, standardDeviation: Double, norm: Double, first: [Double],
      last: [Double]
    ) {
      self.name = name
      self.shape = shape
      self.mean = mean
      self.standardDeviation = standardDeviation
      self.norm = norm
      self.first = first
      self.last = last
    }

    /// What is wrong with `values` (the block's output, NCHW); nil if nothing is.
    ///
    /// - Parameter tolerance: Relative to the standard deviation, and to the norm for the norm. Single elements, which
    ///   average nothing, get four times as much.
    public func mismatch(_ values: [Double], tolerance: Double) -> String? {
      guard values.count == Extents.count(shape) else {
        return "\(name) has \(values.count) elements, and the golden is \(shape)"
      }
      for check in checks(values) where !(check.difference <= tolerance) {
        return "\(name): \(check.what) is \(check.found), and the golden has \(check.expected)"
      }
      return nil
    }

    /// The least tolerance with which `values` match; infinite if none does.
    public func difference(_ values: [Double]) -> Double {
      guard values.count == Extents.count(shape) else { return .infinity }
      return checks(values).map(\.difference).max() ?? 0
    }

    private struct Check {
      var what: String
      var found: Double
      var expected: Double
      var scale: Double

      /// Infinite for a NaN.
      var difference: Double {
        let distance = abs(found - expected)
        return distance == 0 ? 0 : distance.isNaN || scale == 0 ? .infinity : distance / scale
      }
    }

    private func checks(_ values: [Double]) -> [Check] {
      let count = Double(max(1, values.count))
      let mean = values.reduce(0, +) / count
      let squares = values.reduce(0) { $0 + $1 * $1 }
      let deviation = max(0, squares / count - mean * mean).squareRoot()
      func elements(_ what: String, _ found: some Sequence<Double>, _ expected: [Double]) -> [Check] {
        zip(found, expected).map { Check(what: what, found: $0, expected: $1, scale: 4 * standardDeviation) }
      }
      return [
        Check(what: "mean", found: mean, expected: self.mean, scale: standardDeviation),
        Check(what: "std", found: deviation, expected: standardDeviation, scale: standardDeviation),
        Check(what: "l2", found: squares.squareRoot(), expected: norm, scale: norm),
      ] + elements("first", values.prefix(first.count), first) + elements("last", values.suffix(last.count), last)
    }
  }

  public var model: String
  public var inputShape: [Int]
  public var seed: UInt64
  public var parameterCount: Int
  /// [batch * classes], computed in float64.
  public var logits: [Double]
  public var modules: [Module]

  public init(path: String) throws {
    do {
      try self.init(JSON(parsing: readFile(path)))
    } catch var error as Diagnostic {
      if error.location == nil && !error.message.contains(path) { error.location = .init(file: path) }
      throw error
    }
  }

  private init(_ json: JSON) throws {
    func field<Value>(_ object: JSON, _ key: String, _ convert: (JSON) -> Value?) throws -> Value {
      guard let value = object[key].flatMap(convert) else {
        throw Diagnostic("not a golden: '\(key)' is missing or of the wrong type")
      }
      return value
    }
    func integers(_ json: JSON) -> [Int]? {
      json.array.flatMap { list in list.allSatisfy { ($0.integer ?? -1) >= 0 } ? list.compactMap(\.integer) : nil }
    }
    func numbers(_ json: JSON) -> [Double]? {
      json.array.flatMap { list in list.allSatisfy { $0.double != nil } ? list.compactMap(\.double) : nil }
    }
    model = try field(json, "model", \.string)
    inputShape = try field(field(json, "input") { $0 }, "shape", integers)
    seed = try field(json, "seed") { $0.integer.flatMap(UInt64.init(exactly:)) }
    parameterCount = try field(json, "params", \.integer)
    let rows = try field(json, "logits_f64", \.array).map(numbers)
    logits = rows.compactMap { $0 }.flatMap { $0 }
    if rows.contains(nil) { throw Diagnostic("not a golden: 'logits_f64' must hold lists of numbers") }
    modules = try field(json, "modules", \.array).map { entry in
      Module(
        name: try field(entry, "module", \.string), shape: try field(entry, "shape", integers),
        mean: try field(entry, "mean", \.double), standardDeviation: try field(entry, "std", \.double),
        norm: try field(entry, "l2", \.double), first: try field(entry, "first", numbers),
        last: try field(entry, "last", numbers))
    }
  }

  /// The relative L2 error of some logits; infinite when their number is wrong or one is NaN.
  public func relativeError(of found: [Double]) -> Double {
    guard found.count == logits.count else { return .infinity }
    let difference = zip(found, logits).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    let error = (difference / logits.reduce(0) { $0 + $1 * $1 }).squareRoot()
    return error.isNaN ? .infinity : error
  }
}
