import CZlib
import Foundation

/// Pickles and zip archives by hand, right or wrong: what no writer would write.
enum Forgery {
  static func little(_ value: Int, _ width: Int) -> [UInt8] {
    (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  // MARK: Pickles

  static let mark: [UInt8] = [0x28]
  static let emptyList: [UInt8] = [0x5D]
  static let emptyTuple: [UInt8] = [0x29]
  static let reduce: [UInt8] = [0x52]

  static func text(_ text: String) -> [UInt8] { [0x58] + little(text.utf8.count, 4) + Array(text.utf8) }
  static func integer(_ value: Int) -> [UInt8] { [0x8A, 8] + little(value, 8) }
  static func global(_ module: String, _ name: String) -> [UInt8] { Array("c\(module)\n\(name)\n".utf8) }
  static func tuple(_ values: [UInt8]...) -> [UInt8] { mark + values.flatMap { $0 } + [0x74] }
  static func integers(_ values: [Int]) -> [UInt8] { mark + values.flatMap(integer) + [0x74] }

  static func dictionary(_ pairs: [(String, [UInt8])]) -> [UInt8] {
    [0x7D] + mark + pairs.flatMap { text($0.0) + $0.1 } + [0x75]
  }

  static func tensor(
    key: String = "0", count: Int, type: String = "FloatStorage", offset: Int = 0, shape: [Int], strides: [Int]
  ) -> [UInt8] {
    let storage = tuple(text("storage"), global("torch", type), text(key), text("cpu"), integer(count)) + [0x51]
    let arguments = tuple(
      storage, integer(offset), integers(shape), integers(strides), [0x89],
      global("collections", "OrderedDict") + emptyTuple + reduce)
    return global("torch._utils", "_rebuild_tensor_v2") + arguments + reduce
  }

  static func pickle(_ value: [UInt8]) -> [UInt8] { [0x80, 2] + value + [0x2E] }

  // MARK: Archives

  struct Entry {
    var name: String
    var contents: [UInt8]
    var isDeflated = false
    /// What the directory says, where it lies.
    var claimed: Int?
    var checksum: UInt32?
    var flags = 0
    var method: Int?
    var nameInPlace: String?
    var offset: Int?
  }

  static func archive(_ entries: [Entry]) -> [UInt8] {
    var out: [UInt8] = []
    var directory: [UInt8] = []
    for entry in entries {
      let stored = entry.isDeflated ? deflated(entry.contents) : entry.contents
      let offset = entry.offset ?? out.count
      let method = entry.method ?? (entry.isDeflated ? 8 : 0)
      let sum = entry.checksum ?? checksum(entry.contents)
      let sizes = little(Int(sum), 4) + little(stored.count, 4) + little(entry.claimed ?? entry.contents.count, 4)
      let common = little(20, 2) + little(entry.flags, 2) + little(method, 2) + little(0, 4) + sizes
      let name = Array((entry.nameInPlace ?? entry.name).utf8)
      out += little(0x0403_4B50, 4) + common + little(name.count, 2) + little(0, 2) + name + stored
      directory += little(0x0201_4B50, 4) + little(20, 2) + common + little(entry.name.utf8.count, 2)
      directory += little(0, 12) + little(offset, 4) + Array(entry.name.utf8)
    }
    let counts = little(entries.count, 2) + little(entries.count, 2)
    let place = little(directory.count, 4) + little(out.count, 4)
    return out + directory + little(0x0605_4B50, 4) + little(0, 4) + counts + place + little(0, 2)
  }

  /// A checkpoint of a pickle and storages by their keys.
  static func checkpoint(_ value: [UInt8], storages: [(String, [UInt8])] = [("0", [UInt8](repeating: 0, count: 16))])
    -> [UInt8]
  {
    archive(
      [Entry(name: "a/data.pkl", contents: pickle(value))]
        + storages.map { Entry(name: "a/data/\($0.0)", contents: $0.1) })
  }

  /// What `compress` of zlib makes, without its two bytes of header and four of checksum.
  static func deflated(_ bytes: [UInt8]) -> [UInt8] {
    var length = compressBound(uLong(bytes.count))
    var result = [UInt8](repeating: 0, count: Int(length))
    let status = compress2(&result, &length, bytes, uLong(bytes.count), 6)
    precondition(status == Z_OK, "zlib cannot compress")
    return Array(result[2..<Int(length) - 4])
  }

  static func checksum(_ bytes: [UInt8]) -> UInt32 { UInt32(crc32(0, bytes, uInt(bytes.count))) }
}
