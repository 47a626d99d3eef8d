/// Changes to what is inside of a container, which stays whole around it: lengths and checksums fit.
enum ContainerMutation {
  private static func little(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  private static func number(_ bytes: some Collection<UInt8>) -> Int {
    bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  /// A safetensors file: its header is text with a length in front.
  static func safetensors(_ bytes: [UInt8], _ generator: inout Generator, others: [[UInt8]]) -> [UInt8] {
    guard bytes.count > 8, !generator.oneIn(5) else { return ByteMutation.mutate(bytes, &generator, others: others) }
    let length = min(number(bytes[..<6]), bytes.count - 8)
    let header = TextMutation.mutate(Array(bytes[8..<8 + length]), &generator, others: [Array(bytes[8..<8 + length])])
    return little(header.count, 8) + header + bytes[(8 + length)...]
  }

  /// A `.npy` file: the same, after a magic word and a version.
  static func numpy(_ bytes: [UInt8], _ generator: inout Generator, others: [[UInt8]]) -> [UInt8] {
    guard bytes.count > 12, !generator.oneIn(5) else { return ByteMutation.mutate(bytes, &generator, others: others) }
    let width = bytes[6] > 1 ? 4 : 2
    let start = 8 + width
    let length = min(number(bytes[8..<start]), bytes.count - start)
    let text = Array(bytes[start..<start + length])
    let header = TextMutation.mutate(text, &generator, others: [text])
    return bytes[..<8] + little(header.count, width) + header + bytes[(start + length)...]
  }

  /// A zip archive of stored entries: one of them is changed, and the archive made again.
  static func archive(_ bytes: [UInt8], _ generator: inout Generator, others: [[UInt8]]) -> [UInt8] {
    var entries = entries(bytes)
    guard !entries.isEmpty, !generator.oneIn(5) else {
      return ByteMutation.mutate(bytes, &generator, others: others)
    }
    let pickles = entries.indices.filter { entries[$0].name.hasSuffix("data.pkl") }
    let place = generator.oneIn(8) ? generator.below(entries.count) : pickles.first ?? generator.below(entries.count)
    let contents = entries[place].contents
    entries[place].contents =
      entries[place].name.hasSuffix(".npy")
      ? numpy(contents, &generator, others: [contents])
      : ByteMutation.mutate(contents, &generator, others: [contents])
    if generator.oneIn(10) { entries.append(generator.pick(entries)) }
    if generator.oneIn(20) { entries.remove(at: generator.below(entries.count)) }
    return archive(entries)
  }

  private struct Entry {
    var name: String
    var contents: [UInt8]
  }

  private static func entries(_ bytes: [UInt8]) -> [Entry] {
    var result: [Entry] = []
    var place = 0
    while place + 30 <= bytes.count, number(bytes[place..<place + 4]) == 0x0403_4B50 {
      let (flags, method) = (number(bytes[place + 6..<place + 8]), number(bytes[place + 8..<place + 10]))
      let size = number(bytes[place + 18..<place + 22])
      let (name, extra) = (number(bytes[place + 26..<place + 28]), number(bytes[place + 28..<place + 30]))
      let start = place + 30 + name + extra
      guard flags & 8 == 0, method == 0, start + size <= bytes.count else { return [] }
      result.append(
        Entry(
          name: String(decoding: bytes[place + 30..<place + 30 + name], as: UTF8.self),
          contents: Array(bytes[start..<start + size])))
      place = start + size
    }
    return result
  }

  private static func archive(_ entries: [Entry]) -> [UInt8] {
    var files: [UInt8] = []
    var directory: [UInt8] = []
    for entry in entries {
      let name = Array(entry.name.utf8)
      let sizes = little(Int(checksum(entry.contents)), 4) + little(entry.contents.count, 4) + little(entry.contents.count, 4)
      let shared = little(20, 2) + little(0, 8) + sizes + little(name.count, 2) + little(0, 2)
      directory += little(0x0201_4B50, 4) + little(20, 2) + shared + little(0, 10) + little(files.count, 4) + name
      files += little(0x0403_4B50, 4) + shared + name + entry.contents
    }
    let counts = little(entries.count, 2) + little(entries.count, 2)
    let place = little(directory.count, 4) + little(files.count, 4)
    return files + directory + little(0x0605_4B50, 4) + little(0, 4) + counts + place + little(0, 2)
  }

  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
  }

  private static func checksum(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(~UInt32(0)) { $0 >> 8 ^ table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] }
  }
}
