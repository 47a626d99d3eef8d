/// Changes to protocol buffers that keep them whole: fields go, come twice or change places, numbers become limits.
enum MessageMutation {
  /// A field as its tag, with what belongs to it.
  private indirect enum Field {
    case number(tag: UInt64, UInt64)
    case fixed(tag: UInt64, [UInt8])
    case bytes(tag: UInt64, [UInt8])
    case message(tag: UInt64, [Field])

    var tag: UInt64 {
      switch self {
      case .number(let tag, _), .fixed(let tag, _), .bytes(let tag, _), .message(let tag, _): tag
      }
    }
  }

  static func mutate(_ bytes: [UInt8], _ generator: inout Generator, others: [[UInt8]]) -> [UInt8] {
    if generator.oneIn(16) { return ByteMutation.mutate(bytes, &generator, others: others) }
    guard var fields = parse(bytes[...], depth: 0) else { return bytes }
    for _ in 0..<(1 + generator.below(4)) { change(&fields, &generator) }
    return fields.flatMap(encode)
  }

  // MARK: Reading and writing

  private static func varint(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard let byte = bytes.popFirst() else { return nil }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    return nil
  }

  private static func parse(_ bytes: ArraySlice<UInt8>, depth: Int) -> [Field]? {
    var bytes = bytes
    var fields: [Field] = []
    while !bytes.isEmpty {
      guard let tag = varint(&bytes), tag >> 3 > 0, tag >> 3 < 64 else { return nil }
      switch tag & 7 {
      case 0:
        guard let value = varint(&bytes) else { return nil }
        fields.append(.number(tag: tag, value))
      case 1, 5:
        let width = tag & 7 == 1 ? 8 : 4
        guard bytes.count >= width else { return nil }
        fields.append(.fixed(tag: tag, Array(bytes.prefix(width))))
        bytes.removeFirst(width)
      case 2:
        guard let length = varint(&bytes), length <= UInt64(bytes.count) else { return nil }
        let content = bytes.prefix(Int(length))
        bytes.removeFirst(Int(length))
        // Text may look like a message; names seldom do.
        let isText = content.count < 2 || content.allSatisfy { (0x20...0x7E).contains($0) }
        if depth < 12, !isText, let inner = parse(content, depth: depth + 1) {
          fields.append(.message(tag: tag, inner))
        } else {
          fields.append(.bytes(tag: tag, Array(content)))
        }
      default: return nil
      }
    }
    return fields
  }

  private static func encode(_ value: UInt64) -> [UInt8] {
    var value = value
    var bytes: [UInt8] = []
    repeat {
      bytes.append(UInt8(value & 0x7F) | (value > 0x7F ? 0x80 : 0))
      value >>= 7
    } while value > 0
    return bytes
  }

  private static func encode(_ field: Field) -> [UInt8] {
    switch field {
    case .number(let tag, let value): encode(tag) + encode(value)
    case .fixed(let tag, let bytes): encode(tag) + bytes
    case .bytes(let tag, let bytes): encode(tag) + encode(UInt64(bytes.count)) + bytes
    case .message(let tag, let fields):
      encode(.bytes(tag: tag, fields.flatMap(encode)))
    }
  }

  // MARK: Changes

  /// Goes down to some message and changes a field of it.
  private static func change(_ fields: inout [Field], _ generator: inout Generator) {
    guard !fields.isEmpty else { return }
    let place = generator.below(fields.count)
    if case .message(let tag, var inner) = fields[place], !generator.oneIn(5) {
      change(&inner, &generator)
      fields[place] = .message(tag: tag, inner)
      return
    }
    switch generator.below(10) {
    case 0: fields.remove(at: place)
    case 1: fields.insert(fields[place], at: generator.below(fields.count))
    case 2: fields.swapAt(place, generator.below(fields.count))
    case 3:
      // Another field's content of the same kind of message.
      let alike = fields.filter { $0.tag == fields[place].tag }
      fields[place] = generator.pick(alike)
    default: fields[place] = changed(fields[place], &generator)
    }
  }

  private static func changed(_ field: Field, _ generator: inout Generator) -> Field {
    switch field {
    case .number(let tag, let value):
      return .number(tag: tag, generator.oneIn(4) ? UInt64(generator.below(28)) : changed(value, &generator))
    case .fixed(let tag, let bytes):
      let special: [UInt32] = [0, 0x7FC0_0000, 0x7F80_0000, 0xFF80_0000, 0x0000_0001, 0x7F7F_FFFF, 0x3F80_0000]
      let bits = generator.pick(special)
      return .fixed(tag: tag, (0..<bytes.count).map { UInt8(truncatingIfNeeded: bits >> (8 * UInt32($0 % 4))) })
    case .bytes(let tag, var bytes):
      if bytes.count % 8 == 0, bytes.count > 0, generator.oneIn(2) {
        // Packed or raw integers of 64 bits.
        let start = 8 * generator.below(bytes.count / 8)
        let value = UInt64(bitPattern: generator.integer())
        for index in 0..<8 { bytes[start + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index))) }
        return .bytes(tag: tag, bytes)
      }
      if generator.oneIn(2) {
        // Packed integers of variable length.
        var numbers: [UInt64] = []
        var rest = bytes[...]
        while !rest.isEmpty, let value = varint(&rest) { numbers.append(value) }
        guard !numbers.isEmpty else { return field }
        numbers[generator.below(numbers.count)] = changed(0, &generator)
        if generator.oneIn(3) { numbers.append(generator.pick(numbers)) }
        if generator.oneIn(4) { numbers.removeLast() }
        return .bytes(tag: tag, numbers.flatMap(encode))
      }
      if generator.oneIn(3) { return .bytes(tag: tag, []) }
      return .bytes(tag: tag, ByteMutation.mutate(bytes, &generator, others: [bytes]))
    case .message(let tag, let fields): return .message(tag: tag, fields + fields)
    }
  }

  private static func changed(_ value: UInt64, _ generator: inout Generator) -> UInt64 {
    generator.oneIn(3)
      ? UInt64(bitPattern: Int64(bitPattern: value) &+ Int64(generator.below(5)) &- 2)
      : UInt64(bitPattern: generator.integer())
  }
}
