import ArgumentParser
import IR

/// `vigc targets`.
struct TargetsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "targets", abstract: "List the machines code can be generated for.")

  func run() throws {
    var table = Table(["target", "lanes", "this machine", "what it is"], numbers: [1])
    for target in Target.all {
      table.add([target.name, "\(target.lanes)", target.execution().description, target.summary])
    }
    let native = Target.native()
    table.add(["native", "\(native.lanes)", "runs it", "the best this machine has: \(native.name)"])
    try Console.write(table.text)
  }
}

extension Target.Execution {
  /// "runs it"; "emulates it: qemu-aarch64"; "cannot run it: ..." with what is missing.
  var description: String {
    switch self {
    case .native: "runs it"
    case .emulator, .standIn: "emulates it: \(substitute ?? "")"
    case .impossible(let missing): "cannot run it: \(missing.joined(separator: "; "))"
    }
  }
}
