import Foundation
import IR

// Resizing: along one axis after the other, every element a weighted sum of its neighbours in the operand. Where they are
// and what they weigh is known when the model is read.

/// How one axis is resized, in the words of the standard.
private struct AxisResize {
  enum Kernel {
    case nearest(NearestMode)
    case linear
    case cubic(Double)
  }

  enum NearestMode: String {
    case roundPreferFloor = "round_prefer_floor"
    case roundPreferCeil = "round_prefer_ceil"
    case floor
    case ceil
    /// Before operator set 11, which has no mode: rounded up if the result is smaller, else down.
    case old

    /// The mode that the standard calls `name`.
    init?(standard name: String) {
      self.init(rawValue: name)
      if self == .old { return nil }
    }
  }

  enum Coordinates: String {
    case halfPixel = "half_pixel"
    case halfPixelSymmetric = "half_pixel_symmetric"
    case pytorchHalfPixel = "pytorch_half_pixel"
    case alignCorners = "align_corners"
    case asymmetric
    case cropAndResize = "tf_crop_and_resize"
    /// In operator set 11 alone.
    case halfPixelForNearest = "tf_half_pixel_for_nn"
  }

  var extent: Int
  var size: Int
  var scale: Double
  /// The size before it was rounded, if a scale was given.
  var length: Double
  var region: (start: Double, end: Double) = (0, 1)
  var kernel: Kernel
  var coordinates: Coordinates
  var antialiases: Bool
  var excludesOutside: Bool

  /// Where an element of the result lies in the operand, computed in float32 as the scales are. With a scale of 1/3,
  /// which is not a float32, the third element lies at 1 and not slightly before it.
  private func coordinate(_ place: Int) -> Float {
    let (y, n, scale, length) = (Float(place), Float(extent), Float(scale), Float(length))
    switch coordinates {
    case .halfPixel: return (y + 0.5) / scale - 0.5
    case .halfPixelForNearest: return (y + 0.5) / scale
    case .halfPixelSymmetric: return n / 2 * (1 - Float(size) / length) + (y + 0.5) / scale - 0.5
    case .pytorchHalfPixel: return size == 1 ? 0 : (y + 0.5) / scale - 0.5
    // With the size before it was rounded, as in ONNX's own tests.
    case .alignCorners: return length == 1 ? 0 : y * (n - 1) / (length - 1)
    case .asymmetric: return y / scale
    case .cropAndResize:
      let (start, width) = (Float(region.start), Float(region.end) - Float(region.start))
      let moved = size == 1 ? width * (n - 1) / 2 : y * width * (n - 1) / (length - 1)
      return moved + start * (n - 1)
    }
  }

  /// The weights of the neighbours. The second half belongs to those after the element. `ratio` is how far the element
  /// lies after the last neighbour of the first half, above 0 and at most 1.
  private func weights(_ ratio: Double) -> [Double] {
    switch kernel {
    case .nearest(let mode):
      let isSecond: Bool
      switch mode {
      case .roundPreferFloor: isSecond = ratio > 0.5
      case .roundPreferCeil: isSecond = ratio >= 0.5
      case .floor: isSecond = ratio == 1
      case .ceil: isSecond = true
      case .old: isSecond = scale < 1 || ratio == 1
      }
      return isSecond ? [0, 1] : [1, 0]
    case .linear: return spread(ratio, reach: 1) { max(0, 1 - $0) }
    case .cubic(let a):
      return spread(ratio, reach: 2) { distance in
        if distance <= 1 { return ((a + 2) * distance - (a + 3)) * distance * distance + 1 }
        return distance < 2 ? ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a : 0
      }
    }
  }

  private func spread(_ ratio: Double, reach: Double, _ weight: (Double) -> Double) -> [Double] {
    let scale = antialiases ? min(scale, 1) : 1
    let first = Int((-reach / scale).rounded(.down)) + 1
    let values = (first..<(2 - first)).map { weight(abs((Double($0) - ratio) * scale)) }
    guard antialiases else { return values }
    let sum = values.reduce(0, +)
    return values.map { $0 / sum }
  }

  /// For each element of the result: its first neighbour, the weights from there on (equally many for each element),
  /// and whether it lies outside of what is resized.
  func table() -> (first: [Int], weights: [[Double]], isOutside: [Bool]) {
    var first: [Int] = []
    var rows: [[Double]] = []
    var isOutside: [Bool] = []
    for place in 0..<size {
      let x = Double(coordinate(place))
      let upper = x.rounded(.up)
      var row = weights(x == upper ? 1 : x - upper + 1)
      let start = Int(upper) - row.count / 2
      if excludesOutside {
        for tap in row.indices where !(0..<extent).contains(start + tap) { row[tap] = 0 }
        let sum = row.reduce(0, +)
        if sum != 0 { row = row.map { $0 / sum } }
      }
      let leaves = coordinates == .cropAndResize && (x < 0 || x > Double(extent - 1))
      isOutside.append(leaves)
      first.append(start)
      rows.append(leaves ? row.map { _ in 0 } : row)
    }
    if case .nearest = kernel, !isOutside.contains(true) {
      // Each element has one neighbour, so there is nothing to multiply.
      return (zip(first, rows).map { $0 + ($1[1] == 1 ? 1 : 0) }, rows.map { _ in [1] }, isOutside)
    }
    // Taps whose weight is 0 for every element.
    while let count = rows.first?.count, count > 1, rows.allSatisfy({ $0[0] == 0 }) {
      rows = rows.map { Array($0.dropFirst()) }
      first = first.map { $0 + 1 }
    }
    while let count = rows.first?.count, count > 1, rows.allSatisfy({ $0[count - 1] == 0 }) {
      rows = rows.map { Array($0.dropLast()) }
    }
    return (first, rows, isOutside)
  }
}

/// Integers that a list of places is the floor of: place i = floor((step * i + start) / divisor), with the least
/// divisor; nil if there are none, which cannot happen for places that advance evenly.
func evenSteps(_ places: [Int]) -> (step: Int, start: Int, divisor: Int)? {
  guard let first = places.first, let last = places.last else { return nil }
  let slope = places.count > 1 ? Double(last - first) / Double(places.count - 1) : 0
  for divisor in 1...max(places.count, 1) {
    let nearest = Int((slope * Double(divisor)).rounded())
    for step in [nearest, nearest - 1, nearest + 1] {
      // start lies in place * divisor - step * i + 0 ..< divisor, for every i.
      var low = Int.min
      var high = Int.max
      for (i, place) in places.enumerated() {
        low = max(low, place * divisor - step * i)
        high = min(high, place * divisor - step * i + divisor - 1)
        if low > high { break }
      }
      if low <= high { return (step, low, divisor) }
    }
  }
  return nil
}

private func resized(
  _ builder: inout ImportBuilder, _ x: ImportedValue, axis: Int, _ resize: AxisResize
) throws -> (value: ImportedValue, isOutside: [Bool]) {
  let element = try builder.type(of: x).element
  // An element may be made of all of its axis, and places are found by trying.
  let reach = resize.antialiases ? min(4 / resize.scale, Double(resize.extent)) : 4
  _ = try knownExtents([resize.size, Int(min(reach, 0x1p31)) + 4])
  let (first, weights, isOutside) = resize.table()
  let isChoice = weights.allSatisfy { $0 == [1] }
  // Beyond the border every place is the border's.
  if isChoice, first == Array(0..<resize.extent) { return (x, isOutside) }
  guard let (step, start, divisor) = evenSteps(first) else {
    throw Diagnostic("the places that axis \(axis) is resized from do not advance evenly")
  }
  let op = Resample(axis: axis, size: resize.size, step: step, start: start, divisor: divisor)
  if isChoice { return (try builder.apply(op, [x]), isOutside) }
  let table = builder.numbers(weights.flatMap { $0 }, shape: [resize.size, weights[0].count], element)
  return (try builder.apply(op, [x, table]), isOutside)
}

/// An extent larger than any image's.
private let mostExtent = 1 << 20

let resizeOperators: [ImportedOperator] = [
  .composed("Resize", "scales and sizes that depend on the input") { builder, call in
    let x = try call.input(0)
    let type = try builder.type(of: x)
    let attributes = call.attributes
    let axes =
      try attributes.integers("axes").map { try $0.map { try call.axis($0, rank: type.rank) } } ?? Array(0..<type.rank)
    if Set(axes).count != axes.count { throw Diagnostic("its axes \(axes) name an axis twice") }
    if type.count == 0 { throw Diagnostic("it resizes \(type), which is empty") }
    if let axis = axes.first(where: { type.shape[$0] > mostExtent }) {
      throw Diagnostic("axis \(axis) of \(type) is longer than the \(mostExtent) elements that are resized")
    }
    let isOld = call.version < 11
    let scales = try call.numbers(isOld ? 1 : 2, "the scales") ?? []
    let sizes = isOld ? [] : try call.integers(3, "the sizes") ?? []
    let region = isOld ? [] : try call.numbers(1, "the region") ?? []

    let mode = try attributes.string("mode") ?? "nearest"
    let nearestText = try attributes.string("nearest_mode") ?? "round_prefer_floor"
    let coordinateText =
      try attributes.string("coordinate_transformation_mode") ?? (isOld ? "asymmetric" : "half_pixel")
    let factor = try attributes.float("cubic_coeff_a") ?? -0.75
    let antialiases = try attributes.flag("antialias") ?? false
    let excludes = try attributes.flag("exclude_outside") ?? false
    let outside = try attributes.float("extrapolation_value") ?? 0
    let policy = try attributes.string("keep_aspect_ratio_policy") ?? "stretch"
    guard let nearest = isOld ? .old : AxisResize.NearestMode(standard: nearestText) else {
      throw Diagnostic("there is no 'nearest_mode' of '\(nearestText)'")
    }
    guard let coordinates = AxisResize.Coordinates(rawValue: coordinateText),
      coordinates != .halfPixelForNearest || call.version < 13
    else {
      throw Diagnostic("the coordinates '\(coordinateText)' are not supported")
    }
    let kernel: AxisResize.Kernel
    switch mode {
    case "nearest": kernel = .nearest(nearest)
    case "linear": kernel = .linear
    case "cubic": kernel = .cubic(factor)
    default: throw Diagnostic("there is no mode '\(mode)'; nearest, linear and cubic are known")
    }

    var factors: [Double]
    var extents: [Int]
    var lengths: [Double]
    if !sizes.isEmpty {
      guard sizes.count == axes.count, sizes.allSatisfy({ (1...mostExtent).contains($0) }) else {
        throw Diagnostic("its sizes are \(sizes); they must be \(axes.count) positive numbers, at most \(mostExtent)")
      }
      factors = zip(sizes, axes).map { Double($0) / Double(type.shape[$1]) }
      extents = sizes
      lengths = sizes.map { Double($0) }
      switch policy {
      case "stretch": break
      case "not_larger", "not_smaller":
        let common = (policy == "not_larger" ? factors.min() : factors.max()) ?? 1
        factors = factors.map { _ in common }
        lengths = axes.map { common * Double(type.shape[$0]) }
        extents = lengths.map { Int(($0 + 0.5).rounded(.down)) }
      default: throw Diagnostic("there is no 'keep_aspect_ratio_policy' of '\(policy)'")
      }
    } else {
      guard scales.count == axes.count, scales.allSatisfy({ $0 > 0 && $0 < Double(mostExtent) }) else {
        throw Diagnostic("its scales are \(scales); they must be \(axes.count) positive numbers")
      }
      factors = scales
      // In float32, as the scales are: 7 tenths of 10 are 7.
      lengths = zip(scales, axes).map { Double(Float($0) * Float(type.shape[$1])) }
      extents = lengths.map { Int($0.rounded(.down)) }
    }
    guard extents.allSatisfy({ (1...mostExtent).contains($0) }) else {
      throw Diagnostic("its result would be \(extents) along the axes \(axes); extents are from 1 to \(mostExtent)")
    }
    if coordinates == .cropAndResize && region.count != 2 * axes.count {
      throw Diagnostic("its region has \(region.count) numbers; it must have \(2 * axes.count), two an axis")
    }

    var result = x
    var outsides: [(axis: Int, places: [Bool])] = []
    for (place, axis) in axes.enumerated() {
      var resize = AxisResize(
        extent: type.shape[axis], size: extents[place], scale: factors[place], length: lengths[place],
        kernel: kernel, coordinates: coordinates, antialiases: antialiases, excludesOutside: excludes)
      if coordinates == .cropAndResize {
        resize.region = (region[place], region[place + axes.count])
        guard resize.region.start.magnitude < 1e6, resize.region.end.magnitude < 1e6 else {
          throw Diagnostic("its region \(region) is nowhere near the operand")
        }
      }
      let (value, isOutside) = try resized(&builder, result, axis: axis, resize)
      result = value
      if isOutside.contains(true) { outsides.append((axis, isOutside)) }
    }
    if outsides.isEmpty || outside == 0 { return [result] }
    // What lies outside along any axis is still zero here.
    let final = try builder.type(of: result)
    var shape = final.shape.map { _ in 1 }
    for (axis, _) in outsides { shape[axis] = final.shape[axis] }
    var values = [Double](repeating: 0, count: shape.reduce(1, *))
    let strides = KnownArithmetic.strides(shape)
    for place in values.indices {
      for (axis, isOutside) in outsides where isOutside[place / strides[axis] % shape[axis]] { values[place] = outside }
    }
    return [try builder.node("Add", result, builder.numbers(values, shape: shape, final.element))]
  },
  .composed("Upsample", "scales that depend on the input") { builder, call in
    let mode = try call.attributes.string("mode") ?? "nearest"
    let scales = try call.attributes.floats("scales").map { builder.numbers($0, shape: [$0.count]) } ?? call.input(1)
    return try builder.nodes(
      "Resize", [call.input(0), nil, scales],
      [
        .string("mode", mode), .string("nearest_mode", "floor"),
        .string("coordinate_transformation_mode", "asymmetric"),
      ])
  },
]

extension ImportCall {
  /// A list of numbers that has to be known; nil if it is left out, empty if it has none.
  func numbers(_ index: Int, _ meaning: String) throws -> [Double]? {
    guard has(index) else { return nil }
    let tensor = try known(index, meaning)
    guard tensor.data.shape.count <= 1 else {
      throw Diagnostic("\(meaning) (input \(index)) is \(tensor.data.type); it must be a list of numbers")
    }
    return KnownArithmetic.numbers(tensor.tensor)
  }
}
