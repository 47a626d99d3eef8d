import CZlib
import IR

/// A zip archive, for reading: its directory, and the contents of entries that are stored or deflated, in parts if need
/// be. Large archives (zip64) are read, encrypted and split ones are not.
///
/// Nothing a file says about itself is believed: every place lies inside the file, entries do not overlap and have
/// different names, and none claims to hold more than deflate can make of its bytes. What is read whole is held against
/// the directory's checksum.
struct ZipArchive: Sendable {
  struct Entry: Hashable, Sendable {
    var name: String
    var isDeflated: Bool
    /// Where its local header begins.
    var offset: Int
    /// The bytes it takes in the archive.
    var storedCount: Int
    /// The bytes of its contents.
    var count: Int
    var checksum: UInt32
  }

  /// In the order of the directory.
  let entries: [Entry]
  private let bytes: RandomAccessBytes
  private let places: [String: Int]
  /// Where the directory begins. All contents end before it.
  private let end: Int

  static let magic: [UInt8] = [0x50, 0x4B, 3, 4]
  /// Some 30,000 entries; a checkpoint has hundreds.
  private static let longestDirectory = 1 << 21
  /// Deflate makes at most 1032 bytes of one.
  private static let mostExpansion = 1032

  init(_ bytes: RandomAccessBytes) throws {
    self.bytes = bytes
    let file = bytes.file
    func problem(_ what: String) -> Diagnostic { Diagnostic("\(file): \(what)") }
    let directory = try ZipDirectory(bytes)
    guard directory.range.count <= Self.longestDirectory else {
      throw problem(
        "its zip directory takes \(directory.range.count) bytes; at most \(Self.longestDirectory) are read")
    }
    end = directory.range.lowerBound
    var cursor = ByteCursor(try bytes.read(directory.range))
    var entries: [Entry] = []
    var places: [String: Int] = [:]
    for index in 0..<directory.entries {
      guard let entry = try Entry(&cursor, file: file) else {
        throw problem("entry \(index) of its zip directory is damaged")
      }
      guard entry.offset <= end, entry.storedCount <= end - entry.offset else {
        throw problem("truncated: '\(entry.name.shown)' lies outside of the file")
      }
      guard entry.isDeflated || entry.count == entry.storedCount else {
        throw problem(
          "'\(entry.name.shown)' claims \(entry.count) bytes of the \(entry.storedCount) it takes uncompressed")
      }
      guard entry.count / Self.mostExpansion <= entry.storedCount else {
        throw problem(
          "'\(entry.name.shown)' claims \(entry.count) bytes out of \(entry.storedCount), more than deflate can make")
      }
      guard places.updateValue(index, forKey: entry.name) == nil else {
        throw problem("two entries are called '\(entry.name.shown)'")
      }
      entries.append(entry)
    }
    let ordered = entries.sorted { $0.offset < $1.offset }
    for (entry, next) in zip(ordered, ordered.dropFirst())
    where entry.offset + Self.localHeader + entry.storedCount > next.offset {
      throw problem("'\(entry.name.shown)' overlaps '\(next.name.shown)'")
    }
    self.entries = entries
    self.places = places
  }

  subscript(name: String) -> Entry? { places[name].map { entries[$0] } }

  /// All of an entry, if it is not longer than `most` bytes.
  func contents(of entry: Entry, atMost most: Int) throws -> [UInt8] {
    guard entry.count <= most else {
      throw problem(entry, "takes \(entry.count) bytes; at most \(most) are read")
    }
    return try contents(of: entry, in: 0..<entry.count)
  }

  /// A part of an entry's contents. If the part is all of them, their checksum is checked.
  ///
  /// - Precondition: the range lies inside.
  func contents(of entry: Entry, in range: Range<Int>) throws -> [UInt8] {
    precondition(range.lowerBound >= 0 && range.upperBound <= entry.count, "a range outside of the entry")
    let start = try dataStart(of: entry)
    let result =
      entry.isDeflated
      ? try inflate(entry, from: start, range)
      : try bytes.read(start + range.lowerBound..<start + range.upperBound)
    if range.count == entry.count && Self.checksum(result) != entry.checksum {
      throw problem(entry, "has another checksum than it should: the file is damaged")
    }
    return result
  }

  private static let localHeader = 30

  /// Reads the local header, which has a length of its own.
  private func dataStart(of entry: Entry) throws -> Int {
    guard entry.offset + Self.localHeader <= end else { throw problem(entry, "lies outside of the file") }
    var cursor = ByteCursor(try bytes.read(entry.offset..<entry.offset + Self.localHeader))
    guard let magic = cursor.take(4), magic.elementsEqual(Self.magic), cursor.skip(22),
      let nameLength = cursor.integer(2), let extraLength = cursor.integer(2)
    else { throw problem(entry, "has no header where the zip directory says") }
    let name = entry.offset + Self.localHeader
    let start = name + nameLength + extraLength
    guard start <= end, entry.storedCount <= end - start else { throw problem(entry, "lies outside of the file") }
    guard String(decoding: try bytes.read(name..<name + nameLength), as: UTF8.self) == entry.name else {
      throw problem(entry, "has another name where it lies than in the zip directory")
    }
    return start
  }

  /// Inflates up to the end of the range and keeps the range.
  private func inflate(_ entry: Entry, from start: Int, _ range: Range<Int>) throws -> [UInt8] {
    let inflater = Inflater()
    var result: [UInt8] = []
    result.reserveCapacity(range.count)
    var consumed = 0
    var produced = 0
    let step = 1 << 16
    while produced < range.upperBound || (range.upperBound == entry.count && !inflater.isFinished) {
      if inflater.needsInput && consumed < entry.storedCount {
        let length = min(step, entry.storedCount - consumed)
        inflater.input(try bytes.read(start + consumed..<start + consumed + length))
        consumed += length
      }
      guard let piece = inflater.next(), !piece.isEmpty || inflater.isFinished || consumed < entry.storedCount else {
        throw problem(entry, "cannot be inflated: the file is damaged")
      }
      guard piece.count <= entry.count - produced else {
        throw problem(entry, "inflates to more than the \(entry.count) bytes it claims")
      }
      let wanted = range.clamped(to: produced..<produced + piece.count)
      if !wanted.isEmpty { result += piece[wanted.lowerBound - produced..<wanted.upperBound - produced] }
      produced += piece.count
      if inflater.isFinished && produced < range.upperBound {
        throw problem(entry, "inflates to \(produced) of the \(entry.count) bytes it claims")
      }
    }
    return result
  }

  /// The CRC-32 that zip archives hold of each file.
  static func checksum(_ bytes: [UInt8]) -> UInt32 {
    // The length is 32 bits wide on some systems.
    stride(from: 0, to: bytes.count, by: 1 << 30).reduce(0) { sum, start in
      let length = min(1 << 30, bytes.count - start)
      return bytes.withUnsafeBufferPointer { buffer in
        UInt32(crc32(uLong(sum), buffer.baseAddress.map { $0 + start }, uInt(length)))
      }
    }
  }

  private func problem(_ entry: Entry, _ what: String) -> Diagnostic {
    Diagnostic("\(bytes.file): '\(entry.name.shown)' \(what)")
  }
}

extension ZipArchive.Entry {
  /// Takes the next entry of a directory; nil if there is none.
  fileprivate init?(_ cursor: inout ByteCursor, file: String) throws {
    guard cursor.word(4) == 0x0201_4B50, cursor.skip(4), let flags = cursor.word(2), let method = cursor.word(2),
      cursor.skip(4), let checksum = cursor.word(4), let stored = cursor.integer(4), let full = cursor.integer(4),
      let nameLength = cursor.integer(2), let extraLength = cursor.integer(2), let commentLength = cursor.integer(2),
      cursor.skip(8), let place = cursor.integer(4), let name = cursor.take(nameLength),
      let extra = cursor.take(extraLength), cursor.skip(commentLength)
    else { return nil }
    self.name = String(decoding: name, as: UTF8.self)
    guard flags & 1 == 0 else { throw Diagnostic("\(file): '\(self.name.shown)' is encrypted") }
    guard method == 0 || method == 8 else {
      throw Diagnostic(
        "\(file): '\(self.name.shown)' is compressed by method \(method); only stored and deflated entries are read")
    }
    isDeflated = method == 8
    self.checksum = UInt32(checksum)
    storedCount = stored
    count = full
    offset = place
    // A number that does not fit is in the zip64 field, which leaves out those that fit.
    let tooLarge = Int(UInt32.max)
    guard full == tooLarge || stored == tooLarge || place == tooLarge else { return }
    var fields = ByteCursor(Array(extra))
    while let id = fields.word(2), let length = fields.integer(2), let field = fields.take(length) {
      guard id == 1 else { continue }
      var numbers = ByteCursor(Array(field))
      func number(_ short: Int) -> Int? { short == tooLarge ? numbers.integer(8) : short }
      guard let count = number(full), let storedCount = number(stored), let offset = number(place) else { return nil }
      self.count = count
      self.storedCount = storedCount
      self.offset = offset
      return
    }
  }
}

/// Where an archive's directory lies, from the records at its end.
private struct ZipDirectory {
  var range: Range<Int>
  var entries: Int

  private static let record = 22
  private static let longestComment = 0xFFFF

  init(_ bytes: RandomAccessBytes) throws {
    let file = bytes.file
    let tailStart = max(0, bytes.count - Self.record - Self.longestComment)
    let tail = try bytes.read(tailStart..<bytes.count)
    // Of the records whose comment ends at the end of the file, the last one counts.
    let found = stride(from: tail.count - Self.record, through: 0, by: -1).first { place in
      tail[place] == 0x50 && tail[place + 1] == 0x4B && tail[place + 2] == 5 && tail[place + 3] == 6
        && place + Self.record + Int(tail[place + 20]) + Int(tail[place + 21]) << 8 == tail.count
    }
    guard let found else {
      throw Diagnostic("\(file): truncated, or not a whole zip archive: it has no directory at its end")
    }
    var cursor = ByteCursor(Array(tail[found...]))
    guard cursor.skip(4), let disk = cursor.word(2), let firstDisk = cursor.word(2), cursor.skip(2),
      let entries = cursor.integer(2), let size = cursor.integer(4), let start = cursor.integer(4)
    else { preconditionFailure("the record is whole") }
    self.entries = entries
    var end = tailStart + found
    var (size64, start64) = (size, start)
    if let large = try Self.large(bytes, before: end) {
      self.entries = large.entries
      (size64, start64) = (large.size, large.start)
      end = large.end
    } else if disk != 0 || firstDisk != 0 {
      throw Diagnostic("\(file): it is a part of a split zip archive")
    }
    guard start64 <= end, size64 <= end - start64, self.entries <= size64 / 46 else {
      throw Diagnostic("\(file): truncated, or damaged: its zip directory lies outside of the file")
    }
    range = start64..<start64 + size64
  }

  /// What the zip64 records say, if there are any before the last record.
  private static func large(
    _ bytes: RandomAccessBytes, before end: Int
  ) throws -> (entries: Int, size: Int, start: Int, end: Int)? {
    let locator = 20
    guard end >= locator else { return nil }
    var cursor = ByteCursor(try bytes.read(end - locator..<end))
    guard cursor.word(4) == 0x0706_4B50 else { return nil }
    let record = 56
    guard cursor.skip(4), let place = cursor.integer(8), place <= end - locator, record <= end - locator - place else {
      throw Diagnostic("\(bytes.file): damaged: its zip64 record lies outside of the file")
    }
    var fields = ByteCursor(try bytes.read(place..<place + record))
    guard fields.word(4) == 0x0606_4B50, fields.skip(28), let entries = fields.integer(8),
      let size = fields.integer(8), let start = fields.integer(8)
    else { throw Diagnostic("\(bytes.file): damaged: its zip64 record is none") }
    return (entries, size, start, place)
  }
}

/// zlib's inflate over raw deflate data, a piece at a time.
private final class Inflater {
  /// zlib keeps its address, so it must not move.
  private let stream: UnsafeMutablePointer<z_stream>
  private var pending: UnsafeMutableBufferPointer<UInt8>
  private var buffer = [UInt8](repeating: 0, count: 1 << 16)
  private(set) var isFinished = false

  init() {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    pending = .allocate(capacity: 0)
    let status = inflateInit2_(stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    precondition(status == Z_OK, "zlib cannot start")
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
    pending.deallocate()
  }

  var needsInput: Bool { stream.pointee.avail_in == 0 }

  func input(_ bytes: [UInt8]) {
    pending.deallocate()
    pending = .allocate(capacity: bytes.count)
    _ = pending.initialize(from: bytes)
    stream.pointee.next_in = pending.baseAddress
    stream.pointee.avail_in = uInt(bytes.count)
  }

  /// What comes out next, perhaps nothing; nil if the data is damaged.
  func next() -> ArraySlice<UInt8>? {
    let capacity = buffer.count
    let status = buffer.withUnsafeMutableBufferPointer { buffer in
      stream.pointee.next_out = buffer.baseAddress
      stream.pointee.avail_out = uInt(capacity)
      return inflate(stream, Z_NO_FLUSH)
    }
    isFinished = status == Z_STREAM_END
    guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else { return nil }
    return buffer[..<(capacity - Int(stream.pointee.avail_out))]
  }
}
