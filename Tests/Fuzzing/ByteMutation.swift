/// Changes to files of bytes, of which nothing is known but that numbers in them have 1 to 8 bytes.
enum ByteMutation {
  static func mutate(_ bytes: [UInt8], _ generator: inout Generator, others: [[UInt8]]) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<(1 + generator.below(4)) { once(&bytes, &generator, others: others) }
    return bytes
  }

  private static func once(_ bytes: inout [UInt8], _ generator: inout Generator, others: [[UInt8]]) {
    // The start of a file says what the rest is.
    let focus = generator.oneIn(2) ? min(bytes.count, 256) : bytes.count
    let place = generator.below(focus)
    let length = min(1 + generator.below(generator.oneIn(3) ? 256 : 8), bytes.count - min(place, bytes.count))
    switch generator.below(9) {
    case 0 where !bytes.isEmpty: bytes[place] ^= 1 << UInt8(generator.below(8))
    case 1 where !bytes.isEmpty: bytes[place] = UInt8(generator.below(256))
    case 2: bytes.insert(contentsOf: (0..<length).map { _ in UInt8(generator.below(256)) }, at: min(place, bytes.count))
    case 3 where !bytes.isEmpty: bytes.removeSubrange(place..<place + length)
    case 4 where !bytes.isEmpty: bytes.insert(contentsOf: bytes[place..<place + length], at: place)
    case 5: bytes.removeLast(min(bytes.count, generator.below(max(1, bytes.count))))
    case 6:
      let other = generator.pick(others)
      let start = generator.below(other.count)
      let part = other[min(start, other.count)..<min(start + length, other.count)]
      bytes.replaceSubrange(place..<place + min(length, bytes.count - place), with: part)
    default: number(&bytes, &generator, at: place)
    }
  }

  /// Writes an integer over 1, 2, 4 or 8 bytes, in either order.
  private static func number(_ bytes: inout [UInt8], _ generator: inout Generator, at place: Int) {
    let width = generator.pick([1, 2, 4, 8])
    guard place + width <= bytes.count else { return }
    let value = UInt64(bitPattern: generator.integer())
    let isBig = generator.oneIn(4)
    for index in 0..<width {
      bytes[place + (isBig ? width - 1 - index : index)] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))
    }
  }
}
