import IR

/// Loop programs out of a seed. Each is a few stages; a stage reads what earlier ones wrote and writes one buffer of its
/// own, in a shape that kernels have. Stages are right by construction, or would be if integers did not end; mutations
/// make them wrong.
final class RandomProgram {
  /// An index and what it is known to lie in.
  struct Bounded {
    var index: LoopIndex
    var low: Int
    var high: Int

    init(_ index: LoopIndex, _ low: Int, _ high: Int) {
      self.index = index
      self.low = low
      self.high = high
    }
  }

  var dice: Dice
  private(set) var buffers: [LoopBuffer] = []
  var functions: [LoopFunction] = []
  private var constants: [String: [UInt8]] = [:]
  /// Buffers with something in every element.
  var sources: [LoopBuffer] = []
  private var isLast = false

  static let elements: [ElementType] = [
    .f32, .f32, .f32, .i32, .i32, .i8, .u8, .i16, .u16, .u32, .i64, .u64, .f64, .bool, .f16, .bf16,
  ]
  static let integers: [ElementType] = [.i32, .i32, .i8, .u8, .i16, .u16, .u32, .i64, .u64]

  private init(seed: UInt64) { dice = Dice(seed) }

  static func make(seed: UInt64) -> LoopProgram { RandomProgram(seed: seed).program() }

  private func program() -> LoopProgram {
    for _ in 0..<dice.integer(1...3) {
      sources.append(buffer("x", .input, dice.pick(Self.elements), dice.integer(4...40)))
    }
    if dice.oneIn(2) { sources.append(weights()) }
    var entry = LoopBuilder()
    let stages = dice.pick([1, 1, 2, 2, 3])
    for stage in 0..<stages {
      isLast = stage == stages - 1
      if dice.oneIn(3) {
        entry.layer("stage") { self.writeStage(&$0) }
      } else {
        writeStage(&entry)
      }
    }
    return LoopProgram(
      name: "random", buffers: buffers, functions: functions, entry: entry.statements, constants: constants)
  }

  private func buffer(
    _ hint: String, _ storage: LoopBuffer.Storage, _ element: ElementType, _ count: Int, range: ClosedRange<Int>? = nil
  ) -> LoopBuffer {
    let buffer = LoopBuffer("\(hint)\(buffers.count)", storage, element, count: max(count, 1), range: range)
    buffers.append(buffer)
    return buffer
  }

  /// Packed constants whose range is known.
  private func weights() -> LoopBuffer {
    let element = dice.pick([ElementType.i32, .i8, .u8, .i64])
    let (low, high) = (dice.integer(0...3), dice.integer(3...30))
    let weights = buffer("w", .weights, element, dice.integer(4...20), range: low...high)
    constants[weights.name] = (0..<weights.count).flatMap { _ -> [UInt8] in
      let value = dice.integer(low...high)
      return (0..<element.byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    return weights
  }

  /// What a stage writes: an output if it is the last one.
  func destination(_ count: Int, _ element: ElementType? = nil, range: ClosedRange<Int>? = nil) -> LoopBuffer {
    let element = element ?? dice.pick(Self.elements)
    var range = range
    if range == nil, dice.oneIn(2), let all = element.integerRange {
      range = max(all.lowerBound, dice.pick([0, 0, -3]))...min(all.upperBound, dice.pick([1, 5, 17, 100]))
    }
    return buffer("d", isLast || dice.oneIn(4) ? .output : .arena, element, count, range: range)
  }

  func temporary(_ storage: LoopBuffer.Storage, _ count: Int, _ element: ElementType, range: ClosedRange<Int>? = nil)
    -> LoopBuffer
  {
    buffer(storage == .scratch ? "s" : "t", storage, element, count, range: range)
  }

  var order: LoopStatement.Order { dice.below(5) < 3 ? .parallel : .serial }

  private func writeStage(_ builder: inout LoopBuilder) {
    let stages: [(inout LoopBuilder) -> LoopBuffer] = [
      tiles, masked, windows, ring, compaction, flattened, gathers, calls, calls, inPlace, registers, earlyStop, guards,
      pieces, pieces, pieces, callsByNumber, callsByNumber, splitRounds, splitRounds,
      tiles, scratchRounds, derivedIndices, derivedIndices, transposed, triangle, lateIndices, soup,
      soup,
    ]
    sources.append(dice.pick(stages)(&builder))
  }

  // MARK: pieces

  /// A place in `0 ..< count`, out of an index.
  func place(_ b: Bounded, _ count: Int, _ builder: inout LoopBuilder) -> LoopIndex {
    let isInside = b.low >= 0 && b.high < count
    if isInside, dice.below(3) > 0 { return b.index }
    switch dice.below(9) {
    case 0: return .minimum(.maximum(b.index, 0), .constant(count - 1))
    case 1 where b.low >= 0: return .minimum(b.index, .constant(count - 1))
    case 2: return .modulo(b.index * dice.integer(1...5) + .constant(dice.integer(0...7)), count)
    case 3 where b.low >= 0 && b.high < 4 * count: return b.index / 4
    case 4 where b.low >= 0 && b.high < count: return .maximum(b.index - .constant(dice.integer(1...3)), 0)
    case 5 where isInside: return .constant(count - 1) - b.index
    case 6 where b.low >= 0 && b.high > 0:
      // Close to where 32 bits end, on either side.
      let most = Int(Int32.max) / b.high
      return .modulo(b.index * (dice.oneIn(2) ? most : most + dice.integer(1...3)), count)
    case 7: return .modulo(b.index - .constant(dice.integer(1...20)), count)
    default:
      if let k = dataIndex(b, count, &builder) { return k }
      return .minimum(.maximum(b.index, 0), .constant(count - 1))
    }
  }

  /// An index out of data, in `0 ..< count`.
  func dataIndex(_ b: Bounded, _ count: Int, _ builder: inout LoopBuilder) -> LoopIndex? {
    let integers = sources.filter { !$0.element.isFloat && $0.element != .bool }
    guard !integers.isEmpty else { return nil }
    let source = dice.pick(integers)
    let at = LoopIndex.minimum(.maximum(b.index, 0), .constant(source.count - 1))
    let loaded = LoopValue.load(source.name, at, LoopType(source.element))
    if let range = source.range, range.lowerBound >= 0, range.upperBound < count, dice.oneIn(2) {
      return builder.letIndex("k", range: range, loaded)
    }
    guard let all = source.element.integerRange else { return nil }
    let last = min(count - 1, all.upperBound)
    let type = LoopType(source.element)
    let clamped = LoopValue.maximum(
      .minimum(loaded, .constant(Double(last), type)), .constant(0, type))
    return builder.letIndex("k", range: 0...last, clamped)
  }

  /// A number of the destination's type, in its range, out of the sources.
  func scalar(_ d: LoopBuffer, _ b: Bounded, _ builder: inout LoopBuilder) -> LoopValue {
    let source = dice.pick(sources)
    let at = place(b, source.count, &builder)
    return value(.load(source.name, at, LoopType(source.element)), LoopType(source.element), d)
  }

  /// `value` as an element of `d`.
  func value(_ value: LoopValue, _ from: LoopType, _ d: LoopBuffer) -> LoopValue {
    let to = LoopType(d.element, lanes: from.lanes)
    var result = value
    if from.element != to.element {
      let isSaturating = from.element?.isFloat == true && !d.element.isFloat
      result = .convert(
        value, to, saturating: isSaturating || (dice.oneIn(2) && !d.element.isFloat && d.element != .bool))
      if d.element == .bool { result = .convert(value, to, saturating: from.element?.isFloat == true) }
      if isSaturating, from.element == .f32 || from.element == .f64, dice.oneIn(2) {
        result = .convert(bounded(value, from, to), to, saturating: false)
      }
    }
    guard d.element != .bool, d.element != .f16, d.element != .bf16 else { return result }
    if dice.oneIn(3) {
      let operations: [LoopBinary] = [.add, .subtract, .multiply, .minimum, .maximum]
      result = .binary(dice.pick(operations), result, .constant(Double(dice.integer(0...5)), to))
    }
    guard let range = d.range else { return result }
    return .maximum(
      .minimum(result, .constant(Double(range.upperBound), to)), .constant(Double(range.lowerBound), to))
  }

  /// A float clamped, and sometimes scaled or rounded, so that it fits an integer type by as little as can be.
  private func bounded(_ value: LoopValue, _ from: LoopType, _ to: LoopType) -> LoopValue {
    let limits = to.element?.integerRange ?? 0...0
    let (low, high) = (max(limits.lowerBound, -40_000), min(limits.upperBound, 70_000))
    let scale = dice.pick([1, 1, 2, -1])
    let ends = [low, high].map { (Double($0) / Double(scale)).rounded(.towardZero) }.sorted()
    var result = LoopValue.minimum(
      .maximum(value, .constant(ends[0], from)), .constant(ends[1], from))
    if dice.oneIn(4) { result = .maximum(.minimum(value, .constant(ends[1], from)), .constant(ends[0], from)) }
    if scale != 1 { result = result * .constant(Double(scale), from) }
    return dice.oneIn(3) ? .unary(dice.pick([.floor, .ceiling, .round]), result) : result
  }

  /// Vectors of `lanes`, for the elements from `b` on, of which the mask says some.
  func vector(_ d: LoopBuffer, _ b: Bounded, _ lanes: Int, _ mask: LoopValue?, _ builder: inout LoopBuilder)
    -> LoopValue
  {
    let source = dice.pick(sources)
    let type = LoopType(source.element, lanes: lanes)
    if b.low >= 0, b.high + lanes <= source.count {
      return value(.load(buffer: source.name, b.index, type, mask: dice.oneIn(2) ? mask : nil), type, d)
    }
    if mask != nil, source.count >= d.count {
      return value(.load(buffer: source.name, b.index, type, mask: mask), type, d)
    }
    if source.count >= lanes, dice.oneIn(2) {
      let at = place(b, source.count - lanes + 1, &builder)
      return value(.load(buffer: source.name, at, type, mask: nil), type, d)
    }
    return value(
      .splat(.load(source.name, place(b, source.count, &builder), LoopType(source.element)), lanes: lanes), type, d)
  }

  func constant(_ d: LoopBuffer, lanes: Int = 1) -> LoopValue {
    let value = d.range.map { dice.integer($0) } ?? dice.integer(0...1)
    let type = LoopType(d.element, lanes: lanes)
    return .constant(Double(value), type)
  }
}
