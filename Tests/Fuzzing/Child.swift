import Foundation
import Frontends
import IR

#if canImport(Glibc)
  import Glibc
#endif

/// What one process does: it reads files by number, says each number before it, and how many there were of each outcome.
struct Child {
  let reader: Reader
  let seeds: [[UInt8]]
  let seed: UInt64

  /// So long a file may take, and so much memory all of it.
  static let seconds: UInt32 = 30
  private static let bytes: UInt64 = 6 << 30

  /// The file of a number: a seed, changed.
  func input(_ number: Int) -> [UInt8] {
    var generator = Generator(seed: seed &+ UInt64(number) &* 0x1_0000_01B3)
    _ = generator.next()
    return reader.mutate(generator.pick(seeds), &generator, seeds)
  }

  static func limitMemory() {
    var limit = rlimit(rlim_cur: rlim_t(bytes), rlim_max: rlim_t(bytes))
    setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
  }

  static func say(_ text: String) {
    let bytes = Array("\(text)\n".utf8)
    _ = write(STDOUT_FILENO, bytes, bytes.count)
  }

  func run(_ numbers: Range<Int>, in folder: String) {
    let path = "\(folder)/input\(reader.suffix)"
    var accepted = 0
    for number in numbers {
      Self.say("\(number)")
      let bytes = input(number)
      guard FileManager.default.createFile(atPath: path, contents: Data(bytes)) else { exit(2) }
      if read(path, number: number) { accepted += 1 }
    }
    Self.say("done \(accepted)")
  }

  /// Whether a file is accepted.
  func read(_ path: String, number: Int) -> Bool {
    alarm(Self.seconds)
    defer { alarm(0) }
    do {
      try MemoryLimit.$current.withValue(MemoryLimit(gibibytes: 1)) { try reader.read(path) }
      return true
    } catch is Diagnostic {
    } catch is DiagnosticList {
    } catch {
      Self.say("defect \(number) \("\(error)".prefix(300).replacing("\n", with: " "))")
      // The parent keeps the last file: that of a defect ends the batch.
      exit(3)
    }
    return false
  }
}
