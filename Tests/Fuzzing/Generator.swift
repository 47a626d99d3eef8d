/// SplitMix64: the same numbers for the same seed, on every machine.
struct Generator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  /// A number from 0 up to, not including, `limit`; 0 for a limit of none.
  mutating func below(_ limit: Int) -> Int { limit < 1 ? 0 : Int(next() % UInt64(limit)) }

  /// Whether one of `times` comes about.
  mutating func oneIn(_ times: Int) -> Bool { below(times) == 0 }

  mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

  /// An integer at the limit of some type or rule, or a small one.
  mutating func integer() -> Int64 {
    switch below(4) {
    case 0: return Int64(below(20)) - 3
    case 1: return pick(Self.limits)
    case 2: return pick(Self.limits) &+ Int64(below(3)) &- 1
    default: return (1 << Int64(below(63))) &* (oneIn(4) ? -1 : 1)
    }
  }

  private static let limits: [Int64] = [
    .min, .max, 0, -1, 1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 1 << 20, 1 << 24, 1 << 30, 1 << 31, -(1 << 31),
    1 << 32, (1 << 32) - 1, 1 << 40, 1 << 48, 1 << 53, 1 << 62, -(1 << 62), .max / 2, .max / 4, .max / 8,
  ]

  /// A number as text, often one that few think of.
  mutating func number() -> String {
    switch below(6) {
    case 0: return pick(["nan", "inf", "-inf", "1e308", "-1e308", "1e-320", "0.5", "-0.0", "1e19", "9.3e18", "1e400"])
    case 1: return "9999999999999999999999"
    case 2: return "0.\(below(1000))"
    default: return "\(integer())"
    }
  }
}
