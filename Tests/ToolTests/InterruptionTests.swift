import Foundation
import Testing

/// A tool that is interrupted leaves nothing running and nothing behind.
@Suite struct InterruptionTests {
  @Test(arguments: [SIGTERM, SIGINT]) func endsCompilersAndCleansUp(_ number: Int32) async throws {
    try await withFolder { folder in
      // A compiler that does not get done, with a child of its own as GCC has.
      let script =
        "#!/bin/sh\nsleep 900 &\necho $! > \(folder)/child.tmp && mv \(folder)/child.tmp \(folder)/child\nwait\n"
      try script.write(toFile: "\(folder)/slow-cc", atomically: true, encoding: .utf8)
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(folder)/slow-cc")
      try FileManager.default.createDirectory(atPath: "\(folder)/tmp", withIntermediateDirectories: false)

      let process = Process()
      process.executableURL = URL(fileURLWithPath: Tool.path)
      process.arguments = ["run", tiny, "--weights", "synthetic", "--cc", "\(folder)/slow-cc"]
      process.environment = ProcessInfo.processInfo.environment.merging(["TMPDIR": "\(folder)/tmp"]) { $1 }
      let errors = Pipe()
      process.standardError = errors
      try process.run()
      let clock = ContinuousClock()
      let started = clock.now
      while !FileManager.default.fileExists(atPath: "\(folder)/child"), clock.now - started < .seconds(600) {
        try await Task.sleep(for: .milliseconds(20))
      }
      let child = try #require(
        pid_t(try String(contentsOfFile: "\(folder)/child", encoding: .utf8).trimmingCharacters(in: .newlines)))
      #expect(try names(in: "\(folder)/tmp").count == 1)
      kill(process.processIdentifier, number)
      process.waitUntilExit()
      #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == number)
      #expect(try names(in: "\(folder)/tmp").isEmpty)
      // Gone, or dead and not yet collected by whoever adopted it.
      let status = (try? String(contentsOfFile: "/proc/\(child)/stat", encoding: .utf8)) ?? "gone Z"
      #expect(status.split(separator: " ").contains("Z"), "\(status)")
      let said = String(decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
      #expect(!said.contains("error"), "\(said)")
    }
  }
}
