import Foundation
import IR

// `vigc-fuzz` by itself explains its options. A file that ends the process ends a child; the parent sees the number that
// the child said last, makes the file of it again, and keeps it.

/// The options, `--name value` each.
struct Options {
  var minutes = 1.0
  var inputs = Int.max
  var readers = Reader.all.map(\.name)
  var seed: UInt64 = 1
  var root = FileManager.default.currentDirectoryPath
  var seeds: String?
  var output = FileManager.default.temporaryDirectory.appendingPathComponent("vigc-fuzz").path
  /// Of a child: its numbers.
  var first: Int?
  var count = 0
  /// One file to read.
  var file: String?

  static let usage = """
    usage: vigc-fuzz [--minutes N] [--inputs N] [--reader NAME[,NAME]] [--seed N] [--root PACKAGE] [--seeds FOLDER]
                     [--output FOLDER] [--file FILE]

    Reads changed files of the tests for so many minutes, or so many files a reader, and keeps those that end the process
    or that show a bug in the output folder. --seeds are further files to change; --file reads one as it is.
    readers: \(Reader.all.map(\.name).joined(separator: ", "))
    """

  init(_ words: [String]) {
    var words = words[...]
    func fail() -> Never {
      FileHandle.standardError.write(Data("\(Self.usage)\n".utf8))
      exit(64)
    }
    while let word = words.popFirst() {
      guard let value = words.popFirst() else { fail() }
      switch word {
      case "--minutes": minutes = Double(value) ?? 1
      case "--inputs": inputs = Int(value) ?? 1
      case "--reader": readers = value.split(separator: ",").map(String.init)
      case "--seed": seed = UInt64(value) ?? 1
      case "--root": root = value
      case "--seeds": seeds = value
      case "--output": output = value
      case "--first": first = Int(value)
      case "--count": count = Int(value) ?? 0
      case "--file": file = value
      default: fail()
      }
    }
    if readers.contains(where: { name in !Reader.all.contains { $0.name == name } }) { fail() }
  }
}

#if COVERAGE
  exit(Coverage.run())
#else
  let options = Options(Array(CommandLine.arguments.dropFirst()))
  let chosen = Reader.all.filter { options.readers.contains($0.name) }

  if let file = options.file {
    let child = Child(reader: chosen[0], seeds: [], seed: 0)
    print(child.read(file, number: 0) ? "accepted" : "refused")
  } else if let first = options.first {
    Child.limitMemory()
    let child = Child(
      reader: chosen[0], seeds: chosen[0].seeds(in: options.root, besides: options.seeds), seed: options.seed)
    child.run(first..<first + options.count, in: options.output)
  } else {
    exit(try Parent(options: options, readers: chosen).run() ? 0 : 1)
  }
#endif
