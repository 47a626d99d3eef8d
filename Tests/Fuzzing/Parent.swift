import Foundation

/// Starts children, a batch of files each, and counts what became of them.
struct Parent {
  let options: Options
  let readers: [Reader]
  private static let batch = 200

  private struct Tally {
    var next = 0
    var accepted = 0
    var ended: [Int] = []
    var slow: [Int] = []
    var defects: [Int] = []
  }

  /// False where something was found.
  func run() throws -> Bool {
    let readers = readers.filter { !$0.seeds(in: options.root, besides: options.seeds).isEmpty }
    try FileManager.default.createDirectory(atPath: options.output, withIntermediateDirectories: true)
    var tallies = readers.map { _ in Tally() }
    let end = Date.now.addingTimeInterval(60 * options.minutes)
    var isOpen = true
    while isOpen && Date.now < end {
      isOpen = false
      for place in readers.indices where tallies[place].next < options.inputs && Date.now < end {
        isOpen = true
        try batch(readers[place], &tallies[place])
      }
    }
    for (reader, tally) in zip(readers, tallies) {
      Child.say(
        "\(reader.name): \(tally.next) files, \(tally.accepted) accepted, \(tally.ended.count) ended the process, "
          + "\(tally.defects.count) defects, \(tally.slow.count) took longer than \(Child.seconds) s")
    }
    return tallies.allSatisfy { $0.ended.isEmpty && $0.defects.isEmpty }
  }

  private func batch(_ reader: Reader, _ tally: inout Tally) throws {
    let count = min(Self.batch, options.inputs - tally.next)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
    let folder = "\(options.output)/\(reader.name)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    var words = ["--reader", reader.name, "--first", "\(tally.next)", "--count", "\(count)", "--output", folder]
    words += ["--seed", "\(options.seed)", "--root", options.root] + (options.seeds.map { ["--seeds", $0] } ?? [])
    process.arguments = words
    process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    try process.run()
    let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    var last = tally.next
    var isDone = false
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      if let number = Int(line) {
        last = number
      } else if words.first == "done" {
        isDone = true
        tally.accepted += Int(words.last ?? "") ?? 0
      } else if words.first == "defect", let number = Int(words[1]) {
        tally.defects.append(number)
        keep(reader, number, "defect: \(words.dropFirst(2).joined(separator: " "))")
      }
    }
    if !isDone && tally.defects.last != last {
      if process.terminationStatus == SIGALRM {
        tally.slow.append(last)
        keep(reader, last, "slow")
      } else {
        tally.ended.append(last)
        keep(reader, last, "ended with \(process.terminationStatus)")
      }
    }
    tally.next = isDone ? tally.next + count : last + 1
  }

  /// Copies the file that was read last to the output folder.
  private func keep(_ reader: Reader, _ number: Int, _ what: String) {
    let path = "\(options.output)/\(reader.name)-\(options.seed)-\(number)\(reader.suffix)"
    try? FileManager.default.removeItem(atPath: path)
    try? FileManager.default.copyItem(atPath: "\(options.output)/\(reader.name)/input\(reader.suffix)", toPath: path)
    Child.say("\(path): \(what)")
  }
}
