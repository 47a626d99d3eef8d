import Foundation
import IR

#if canImport(Glibc)
  import Glibc
#endif

/// The bytes of a file, or a diagnostic that names it and says why not.
public func readFile(_ path: String) throws -> [UInt8] {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { throw cannot("read", path, errno) }
  defer { _ = close(descriptor) }
  var information = stat()
  guard fstat(descriptor, &information) == 0 else { throw cannot("read", path, errno) }
  if information.st_mode & S_IFMT == S_IFDIR { throw Diagnostic("cannot read \(path): it is a directory") }
  var bytes: [UInt8] = []
  bytes.reserveCapacity(max(0, Int(information.st_size)))
  // The size is only a hint: pipes have none, and a file may change while it is read.
  let chunk = 1 << 20
  var buffer = [UInt8](repeating: 0, count: chunk)
  while true {
    let count = read(descriptor, &buffer, chunk)
    if count < 0 && errno == EINTR { continue }
    guard count >= 0 else { throw cannot("read", path, errno) }
    if count == 0 { return bytes }
    bytes.append(contentsOf: buffer[..<count])
  }
}

/// The text of a UTF-8 file, or a diagnostic that names it and says why not.
public func readText(_ path: String) throws -> String {
  let bytes = try readFile(path)
  guard let text = String(validating: bytes, as: UTF8.self) else { throw Diagnostic("\(path) is not UTF-8 text") }
  return text
}

/// Writes a whole file or leaves what was there: the bytes go to a temporary file beside it, which is then renamed.
///
/// What is not a regular file (a device, a pipe) cannot be replaced by a rename and is written directly.
public func writeFileAtomically(_ bytes: [UInt8], to path: String) throws {
  var information = stat()
  if stat(path, &information) == 0 {
    let kind = information.st_mode & S_IFMT
    if kind == S_IFDIR { throw Diagnostic("cannot write \(path): it is a directory") }
    if kind != S_IFREG {
      let descriptor = open(path, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw cannot("write", path, errno) }
      return try writeAll(bytes, to: descriptor, path: path)
    }
  }
  // A rename would replace a symbolic link itself, so the link is followed to its file.
  let target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
  let temporary = "\(target).\(getpid()).\(UInt64.random(in: 0 ... .max)).tmp"
  let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
  guard descriptor >= 0 else { throw cannot("write", path, errno) }
  do {
    try writeAll(bytes, to: descriptor, path: path)
    guard rename(temporary, target) == 0 else { throw cannot("write", path, errno) }
  } catch {
    unlink(temporary)
    throw error
  }
}

/// Writes and closes; a full disk may show only when the file is closed.
private func writeAll(_ bytes: [UInt8], to descriptor: Int32, path: String) throws {
  var offset = 0
  while offset < bytes.count {
    let count = bytes.withUnsafeBytes { buffer in
      write(descriptor, buffer.baseAddress.map { $0 + offset }, buffer.count - offset)
    }
    if count < 0 && errno == EINTR { continue }
    guard count > 0 else {
      let reason = errno
      _ = close(descriptor)
      throw cannot("write", path, reason)
    }
    offset += count
  }
  guard close(descriptor) == 0 else { throw cannot("write", path, errno) }
}

func cannot(_ verb: String, _ path: String, _ code: Int32) -> Diagnostic {
  Diagnostic("cannot \(verb) \(path): \(String(cString: strerror(code)))")
}
