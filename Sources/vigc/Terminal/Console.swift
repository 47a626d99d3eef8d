import Foundation
import IR
import Synchronization

/// What the tool prints, and where: results on standard output, everything about them on standard error.
enum Console {
  /// Prints a result, unbuffered. Nothing is lost silently: if standard output goes to a full disk, that is an error.
  static func write(_ text: String) throws {
    let reason = put(text, STDOUT_FILENO)
    if reason != 0 { throw Diagnostic("cannot write to standard output: \(String(cString: strerror(reason)))") }
  }

  static func line(_ text: String) throws { try write(text + "\n") }

  /// One message on standard error: `vigc: warning: ...`.
  static func report(_ kind: String, _ text: String) { note("vigc: \(kind): \(text)\n") }

  static func warn(_ text: String) { report("warning", text) }

  /// Text on standard error as it is. There is nobody to tell if that fails.
  static func note(_ text: String) { _ = put(text, STDERR_FILENO) }

  /// Writes everything and returns 0, or the error's number.
  private static func put(_ text: String, _ descriptor: Int32) -> Int32 {
    let bytes = Array(text.utf8)
    var offset = 0
    while offset < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        Foundation.write(descriptor, buffer.baseAddress.map { $0 + offset }, buffer.count - offset)
      }
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { return errno }
      offset += count
    }
    return 0
  }

  /// Runs `body`; if it takes longer than a second on a terminal, a line says what is going on until it is done.
  static func progress<Result>(_ what: String, _ body: () async throws -> Result) async rethrows -> Result {
    if isatty(STDERR_FILENO) != 1 { return try await body() }
    let line = ProgressLine()
    let timer = Task {
      do { try await Task.sleep(for: .seconds(1)) } catch { return }
      line.show("vigc: \(what) ...")
    }
    defer {
      timer.cancel()
      line.clear()
    }
    return try await body()
  }
}

extension Console {
  /// Runs `body`, which says from time to time what it is doing; on a terminal a line shows that once a second is over.
  static func progress<Result>(_ body: (_ update: @escaping (String) -> Void) throws -> Result) rethrows -> Result {
    if isatty(STDERR_FILENO) != 1 { return try body { _ in } }
    let line = ProgressLine()
    let start = ContinuousClock.now
    var last = start
    defer { line.clear() }
    return try body { text in
      let now = ContinuousClock.now
      guard now - start > .seconds(1), now - last > .milliseconds(100) else { return }
      last = now
      line.update("vigc: \(text) ...")
    }
  }
}

/// A line that is there for a while. Once cleared it stays away, however late its timer fires.
private final class ProgressLine: Sendable {
  private enum State { case waiting, shown, done }

  private let state = Mutex(State.waiting)

  func show(_ text: String) {
    state.withLock { state in
      guard state == .waiting else { return }
      state = .shown
      Console.note(text)
    }
  }

  /// Shows a text in place of the one before.
  func update(_ text: String) {
    state.withLock { state in
      guard state != .done else { return }
      Console.note((state == .shown ? "\r\u{1B}[K" : "") + text)
      state = .shown
    }
  }

  func clear() {
    state.withLock { state in
      // Back to the line's start, and erase to its end.
      if state == .shown { Console.note("\r\u{1B}[K") }
      state = .done
    }
  }
}
