import IR

// The weights blob: a 64-byte header, then every `weights` buffer at a multiple of 64 bytes. All numbers little-endian.
//
//    0  magic "VIGCWTS" and a zero     16  target name, zero padded, 16 bytes     40  id
//    8  format version, 4 bytes        32  layout version, 4 bytes                48  bytes of the whole blob
//   12  byte order mark 0x01020304     36  zero, 4 bytes                          56  zero, 8 bytes
//
// The id hashes what follows the header, starting from a seed that hashes the layout, so it names both.

struct WeightsLayout: Sendable {
  static let headerBytes = 64
  static let formatVersion: UInt32 = 1
  static let layoutVersion: UInt32 = 1
  static let byteOrderMark: UInt32 = 0x0102_0304
  static let magic = Array("VIGCWTS".utf8) + [0]

  /// Byte offsets from the blob's start.
  let offsets: [String: Int]
  /// The whole blob.
  let byteCount: Int
  let seed: UInt64
  let id: UInt64
  let blob: [UInt8]

  /// Throws a `Diagnostic` if a buffer's contents are missing or have the wrong size.
  init(_ program: LoopProgram, target: Target) throws {
    let buffers = program.buffers.filter { $0.storage == .weights }
    var offsets: [String: Int] = [:]
    var position = WeightsLayout.headerBytes
    var description = target.name
    for buffer in buffers {
      position = roundUp(position, toMultipleOf: max(64, buffer.alignment))
      offsets[buffer.name] = position
      description += ";\(buffer.element.rawValue):\(buffer.count)@\(position)"
      position += buffer.byteCount
    }
    let byteCount = roundUp(position, toMultipleOf: 64)
    var blob = [UInt8](repeating: 0, count: byteCount)
    for buffer in buffers {
      guard let contents = program.constants[buffer.name] else {
        throw Diagnostic("the weights buffer \(buffer.name) has no contents")
      }
      guard contents.count == buffer.byteCount, let start = offsets[buffer.name] else {
        throw Diagnostic(
          "the weights buffer \(buffer.name) takes \(buffer.byteCount) bytes, its contents have \(contents.count)")
      }
      blob.replaceSubrange(start..<(start + contents.count), with: contents)
    }
    let seed = WeightsLayout.hash(Array(description.utf8)[...], seed: 0x5649_4743)
    let id = WeightsLayout.hash(blob[WeightsLayout.headerBytes...], seed: seed)
    var header = WeightsLayout.magic
    header += bytes(WeightsLayout.formatVersion) + bytes(WeightsLayout.byteOrderMark)
    let name = Array(target.name.utf8.prefix(15))
    header += name + [UInt8](repeating: 0, count: 16 - name.count)
    header += bytes(WeightsLayout.layoutVersion) + bytes(UInt32(0))
    header += bytes(id) + bytes(UInt64(byteCount)) + bytes(UInt64(0))
    blob.replaceSubrange(0..<WeightsLayout.headerBytes, with: header)
    self.offsets = offsets
    self.byteCount = byteCount
    self.seed = seed
    self.id = id
    self.blob = blob
  }

  /// Over little-endian 64-bit words, zero padded: `h = (h ^ word) * odd`, then the high half is mixed into the low
  /// one. `EmitModule` writes the same function in C.
  static func hash(_ data: ArraySlice<UInt8>, seed: UInt64) -> UInt64 {
    data.withUnsafeBytes { raw in
      var state = seed
      var position = 0
      while position + 8 <= raw.count {
        mix(&state, UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: position, as: UInt64.self)))
        position += 8
      }
      if position < raw.count {
        var last: UInt64 = 0
        for (shift, byte) in raw[position...].enumerated() { last |= UInt64(byte) << (8 * UInt64(shift)) }
        mix(&state, last)
      }
      return state
    }
  }

  static let multiplier: UInt64 = 0x9e37_79b9_7f4a_7c15

  private static func mix(_ state: inout UInt64, _ word: UInt64) {
    state = (state ^ word) &* multiplier
    state ^= state >> 32
  }
}

private func bytes<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}
