extension LoopValue {
  /// The values it is computed from, masks included.
  public var operands: [LoopValue] {
    switch self {
    case .constant, .variable, .element, .index, .firstLanes: []
    case .load(buffer: _, _, _, let mask): mask.map { [$0] } ?? []
    case .splat(let a, lanes: _), .unary(_, let a), .convert(let a, _, saturating: _), .reinterpret(let a, _),
      .reduce(_, let a):
      [a]
    case .binary(_, let a, let b), .compare(_, let a, let b), .permute(let a, let b), .compress(let a, let b): [a, b]
    case .fma(let a, let b, let c), .select(let a, let b, let c): [a, b, c]
    case .shuffle(let a, let b, _): b.map { [a, $0] } ?? [a]
    case .gather(buffer: _, let offsets, _, let mask): mask.map { [offsets, $0] } ?? [offsets]
    case .instruction(_, let operands), .apply(_, let operands): operands
    }
  }

  /// The buffer it loads from itself, apart from its operands.
  public var loadedBuffer: String? {
    switch self {
    case .load(let buffer, _, _, mask: _), .gather(let buffer, _, _, mask: _): buffer
    default: nil
    }
  }
}
