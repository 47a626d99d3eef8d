/// Types as the text form spells them: `f32[1,42,56,56] channels_last(8)`,
/// `neighborhood<offsets (2,0)..(6,0) by (2,0), 1x7x7>`.

extension TensorType: CustomStringConvertible {
  public var description: String {
    var text = "\(element.rawValue)[\(shape.map(String.init).joined(separator: ","))]"
    switch layout {
    case .rowMajor: break
    case .channelsLast: text += " \(layout)"
    }
    if let quantization { text += " \(quantization)" }
    return text
  }
}

extension Quantization: CustomStringConvertible {
  public var description: String {
    let scaleList = scales.map(spelling(of:)).joined(separator: ", ")
    let zeroList = zeroPoints.map(String.init).joined(separator: ", ")
    let along = axis.map { ", axis \($0)" } ?? ""
    return "quantized(scales [\(scaleList)], zero_points [\(zeroList)]\(along))"
  }
}

extension Offset: CustomStringConvertible {
  public var description: String { "(\(dy),\(dx))" }
}

extension NeighborhoodForm: CustomStringConvertible {
  public var description: String {
    switch self {
    case .offsets(let offsets): "offsets\(Self.spelling(of: offsets))"
    case .gatedOffsets(let offsets): "gated_offsets\(Self.spelling(of: offsets))"
    case .indices(let count, let candidates): "indices \(count) of \(candidates)"
    case .incidence(let hyperedges): "incidence \(hyperedges)"
    }
  }

  /// Offsets with runs of at least three equal steps as `first..last by step`.
  private static func spelling(of offsets: [Offset]) -> String {
    var items: [String] = []
    var start = 0
    while start < offsets.count {
      var end = start
      var step = Offset(dy: 0, dx: 0)
      if start + 1 < offsets.count {
        step = difference(offsets[start + 1], offsets[start])
        while end + 1 < offsets.count, difference(offsets[end + 1], offsets[end]) == step { end += 1 }
      }
      if end - start >= 2, step != Offset(dy: 0, dx: 0) {
        items.append("\(offsets[start])..\(offsets[end]) by \(step)")
        start = end + 1
      } else {
        items.append("\(offsets[start])")
        start += 1
      }
    }
    return items.isEmpty ? "" : " " + items.joined(separator: " ")
  }

  private static func difference(_ a: Offset, _ b: Offset) -> Offset { Offset(dy: a.dy - b.dy, dx: a.dx - b.dx) }
}

extension NeighborhoodType: CustomStringConvertible {
  public var description: String { "neighborhood<\(form), \(batch)x\(height)x\(width)>" }
}

extension ValueType: CustomStringConvertible {
  public var description: String {
    switch self {
    case .tensor(let type): type.description
    case .neighborhood(let type): type.description
    }
  }
}

/// A float as the text form spells it: always with a point or an exponent, and read back as the same bits.
func spelling(of value: Double) -> String {
  if value.isNaN { return "nan" }
  if value.isInfinite { return value < 0 ? "-inf" : "inf" }
  return value.description
}

extension Layout: CustomStringConvertible {
  /// As in the text form of a type; `row-major`, which a type does not say, in messages.
  public var description: String {
    switch self {
    case .rowMajor: "row-major"
    case .channelsLast(let padding): "channels_last(\(padding))"
    }
  }
}
