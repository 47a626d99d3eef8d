extension GraphParser {
  /// A tensor or neighbourhood type.
  mutating func type() throws -> ValueType {
    let place = current.location
    let type = try uncheckedType()
    if let problem = type.problem { throw Diagnostic(problem, at: place) }
    return type
  }

  private mutating func uncheckedType() throws -> ValueType {
    guard case .word(let word) = current.kind else { throw unexpected("a type, like f32[1,3,224,224]") }
    if acceptWord("neighborhood") { return .neighborhood(try neighborhoodType()) }
    guard let element = ElementType(rawValue: word) else {
      let known = ElementType.allCases.map(\.rawValue)
      throw unexpected("an element type (\(known.joined(separator: ", "))) or 'neighborhood'")
    }
    advance()
    var type = TensorType(element, [])
    try expect("[", "and the shape of the tensor")
    try list(until: "]") { type.shape.append(try $0.integer("an extent")) }
    if acceptWord("channels_last") {
      try expect("(", "and the multiple channels are padded to")
      let place = current.location
      let padding = try integer("the multiple channels are padded to")
      try expect(")", "after the padding")
      if padding < 1 || type.rank < 2 {
        throw Diagnostic("channels_last needs a positive multiple and a tensor with channels", at: place)
      }
      type.layout = .channelsLast(padding: padding)
    }
    if acceptWord("quantized") { type.quantization = try quantization() }
    return .tensor(type)
  }

  private mutating func quantization() throws -> Quantization {
    var result = Quantization(scales: [], zeroPoints: [])
    try expect("(", "after 'quantized'")
    try expectWord("scales", "first")
    try expect("[", "before the scales")
    try list(until: "]") { result.scales.append(try $0.number()) }
    try expect(",", "after the scales")
    try expectWord("zero_points", "after the scales")
    try expect("[", "before the zero points")
    try list(until: "]") { result.zeroPoints.append(try $0.integer("a zero point")) }
    if accept(",") {
      try expectWord("axis", "after the zero points")
      result.axis = try integer("the axis the scales run along")
    }
    try expect(")", "after the quantisation")
    return result
  }

  private mutating func neighborhoodType() throws -> NeighborhoodType {
    try expect("<", "after 'neighborhood'")
    let form = try neighborhoodForm()
    try expect(",", "after the form of the neighbourhood")
    guard case .extents(let extents) = current.kind, extents.count == 3 else {
      throw unexpected("batch, height and width, like 1x56x56")
    }
    advance()
    try expect(">", "after the extents")
    return NeighborhoodType(form, batch: extents[0], height: extents[1], width: extents[2])
  }

  private mutating func neighborhoodForm() throws -> NeighborhoodForm {
    if acceptWord("offsets") { return .offsets(try offsets()) }
    if acceptWord("gated_offsets") { return .gatedOffsets(try offsets()) }
    if acceptWord("indices") {
      let count = try integer("the number of neighbours")
      try expectWord("of", "and the number of candidates")
      return .indices(count: count, candidates: try integer("the number of candidates"))
    }
    if acceptWord("incidence") { return .incidence(hyperedges: try integer("the number of hyperedges")) }
    throw unexpected("the form of a neighbourhood: offsets, gated_offsets, indices or incidence")
  }

  private mutating func offsets() throws -> [Offset] {
    var offsets: [Offset] = []
    while current.kind == .punctuation("(") {
      let place = current.location
      let first = try offset()
      guard accept("..") else {
        offsets.append(first)
        continue
      }
      let last = try offset()
      try expectWord("by", "and the step of the run")
      let step = try offset()
      let count = Self.runLength(from: first, to: last, by: step)
      guard let count else {
        throw Diagnostic("steps of \(step) do not lead from \(first) to \(last)", at: place)
      }
      offsets += (0..<count).map { Offset(dy: first.dy + $0 * step.dy, dx: first.dx + $0 * step.dx) }
    }
    return offsets
  }

  /// How many offsets a run holds; nil if the steps miss its end.
  private static func runLength(from first: Offset, to last: Offset, by step: Offset) -> Int? {
    let dy = last.dy - first.dy
    let dx = last.dx - first.dx
    let steps = step.dy != 0 ? dy / step.dy : step.dx != 0 ? dx / step.dx : -1
    guard steps >= 0, steps < NeighborhoodType.mostOffsets, steps * step.dy == dy, steps * step.dx == dx else {
      return nil
    }
    return steps + 1
  }

  private mutating func offset() throws -> Offset {
    try expect("(", "and an offset, like (2,0)")
    let dy = try displacement()
    try expect(",", "between rows and columns")
    let dx = try displacement()
    try expect(")", "after the offset")
    return Offset(dy: dy, dx: dx)
  }

  private mutating func displacement() throws -> Int {
    let place = current.location
    let value = try integer("a number of pixels")
    if value.magnitude > 1 << 24 { throw Diagnostic("\(value) pixels are too many", at: place) }
    return value
  }
}
