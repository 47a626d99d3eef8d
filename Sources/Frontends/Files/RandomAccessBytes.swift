import IR

#if canImport(Glibc)
  import Glibc
#endif

/// Bytes of which any part can be read by itself: a file on disk, or an array.
///
/// A training checkpoint holds several times what a model needs of it; only that is read.
final class RandomAccessBytes: Sendable {
  private enum Place {
    case memory([UInt8])
    case descriptor(Int32)
  }

  /// What diagnostics call it.
  let file: String
  let count: Int
  private let place: Place

  init(_ bytes: [UInt8], file: String) {
    self.file = file
    count = bytes.count
    place = .memory(bytes)
  }

  /// Opens a file. What comes through a pipe is read to its end first.
  init(path: String) throws {
    file = path
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw cannot("read", path, errno) }
    var information = stat()
    guard fstat(descriptor, &information) == 0 else {
      let reason = errno
      _ = close(descriptor)
      throw cannot("read", path, reason)
    }
    switch information.st_mode & S_IFMT {
    case S_IFREG:
      count = Int(information.st_size)
      place = .descriptor(descriptor)
    case S_IFIFO, S_IFSOCK:
      _ = close(descriptor)
      let bytes = try readFile(path)
      count = bytes.count
      place = .memory(bytes)
    case S_IFDIR:
      _ = close(descriptor)
      throw Diagnostic("cannot read \(path): it is a directory")
    default:
      _ = close(descriptor)
      throw Diagnostic("cannot read \(path): it is a device")
    }
  }

  deinit {
    switch place {
    case .memory: break
    case .descriptor(let descriptor): _ = close(descriptor)
    }
  }

  /// - Precondition: the range lies inside.
  func read(_ range: Range<Int>) throws -> [UInt8] {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "a range outside of the bytes")
    switch place {
    case .memory(let bytes): return Array(bytes[range])
    case .descriptor(let descriptor):
      return try [UInt8](unsafeUninitializedCapacity: range.count) { buffer, filled in
        while filled < range.count {
          let target = buffer.baseAddress.map { $0 + filled }
          let read = pread(descriptor, target, range.count - filled, off_t(range.lowerBound + filled))
          if read < 0 && errno == EINTR { continue }
          guard read >= 0 else { throw cannot("read", file, errno) }
          guard read > 0 else { throw Diagnostic("\(file) became shorter while it was read") }
          filled += read
        }
      }
    }
  }

  /// As much of the range as there is.
  func prefix(_ length: Int) throws -> [UInt8] { try read(0..<min(length, count)) }
}

/// Takes little-endian numbers and runs of bytes one after another, never past the end.
struct ByteCursor {
  let bytes: [UInt8]
  private(set) var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var remaining: Int { bytes.count - position }

  /// The next `length` bytes; nil if fewer are left.
  mutating func take(_ length: Int) -> ArraySlice<UInt8>? {
    guard length >= 0, length <= remaining else { return nil }
    defer { position += length }
    return bytes[position..<position + length]
  }

  mutating func skip(_ length: Int) -> Bool { take(length) != nil }

  /// The next number of `width` bytes, at most 8; nil if fewer bytes are left.
  mutating func word(_ width: Int) -> UInt64? {
    take(width)?.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// The next number, if it is not negative as an `Int`.
  mutating func integer(_ width: Int) -> Int? { word(width).flatMap(Int.init(exactly:)) }
}

extension String {
  /// A name from a file as a message can show it: it may be long, or hold control characters.
  var shown: String {
    let most = 120
    let safe = unicodeScalars.prefix(most).map { scalar -> Character in
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse: "?"
      default: Character(scalar)
      }
    }
    return String(safe) + (unicodeScalars.dropFirst(most).isEmpty ? "" : "...")
  }
}
