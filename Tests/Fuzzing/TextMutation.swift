/// Changes to text: numbers become limits, words others' words, lines go, come twice or change places.
enum TextMutation {
  static func mutate(_ bytes: [UInt8], _ generator: inout Generator, others: [[UInt8]]) -> [UInt8] {
    if generator.oneIn(12) { return ByteMutation.mutate(bytes, &generator, others: others) }
    var tokens = tokens(bytes)
    let foreign = generator.oneIn(3) ? self.tokens(generator.pick(others)) : tokens
    for _ in 0..<(generator.oneIn(2) ? 1 : 1 + generator.below(4)) {
      if tokens.isEmpty { break }
      if generator.oneIn(3) { lines(&tokens, &generator) } else { token(&tokens, &generator, foreign) }
    }
    return tokens.flatMap { $0 }
  }

  private static func kind(_ byte: UInt8) -> Int {
    switch Unicode.Scalar(byte) {
    case "0"..."9", "a"..."z", "A"..."Z", "_", ".": 0
    case " ": 1
    default: 2
    }
  }

  /// Words and numbers, runs of blanks, and single marks.
  static func tokens(_ bytes: [UInt8]) -> [[UInt8]] {
    var result: [[UInt8]] = []
    for byte in bytes {
      if let last = result.last?.last, kind(byte) < 2, kind(last) == kind(byte) {
        result[result.count - 1].append(byte)
      } else {
        result.append([byte])
      }
    }
    return result
  }

  private static func isNumber(_ token: [UInt8]) -> Bool { token.first.map { (0x30...0x39).contains($0) } ?? false }

  private static func token(_ tokens: inout [[UInt8]], _ generator: inout Generator, _ foreign: [[UInt8]]) {
    var place = generator.below(tokens.count)
    if generator.oneIn(2), let number = tokens[place...].firstIndex(where: isNumber) { place = number }
    switch generator.below(8) {
    case 0: tokens.remove(at: place)
    case 1: tokens.insert(tokens[place], at: place)
    case 2: tokens.swapAt(place, generator.below(tokens.count))
    case 3: if !foreign.isEmpty { tokens[place] = generator.pick(foreign) }
    case 4:
      // Nested deeply: so many times what stands there.
      let times = generator.pick([2, 10, 100, 1000, 20_000])
      tokens.insert(contentsOf: [[UInt8]](repeating: tokens[place], count: times), at: place)
    default:
      if isNumber(tokens[place]) || generator.oneIn(8) { tokens[place] = Array(generator.number().utf8) }
    }
  }

  private static func lines(_ tokens: inout [[UInt8]], _ generator: inout Generator) {
    var lines = tokens.split(separator: [0x0A], omittingEmptySubsequences: false).map(Array.init)
    let place = generator.below(lines.count)
    let count = 1 + generator.below(min(4, lines.count - place))
    switch generator.below(4) {
    case 0: lines.removeSubrange(place..<place + count)
    case 1: lines.insert(contentsOf: lines[place..<place + count], at: place)
    case 2: lines.swapAt(place, generator.below(lines.count))
    default: lines.insert(lines[place], at: generator.below(lines.count))
    }
    tokens = Array(lines.joined(separator: [[0x0A]]))
  }
}
