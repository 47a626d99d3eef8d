import ArgumentParser
import IR

/// `vigc targets`.
struct TargetsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "targets", abstract: "List the machines code can be generated for.")

  func run() throws {
    let features = Target.machineFeatures()
    var table = Table(["target", "lanes", "this machine", "what it is"], numbers: [1])
    for target in Target.all {
      let here =
        target.runs(on: features) ? "runs it" : target.isEmulated(on: features) ? "emulates it" : "cannot run it"
      table.add([target.name, "\(target.lanes)", here, target.summary])
    }
    let native = Target.native()
    table.add(["native", "\(native.lanes)", "runs it", "the best this machine has: \(native.name)"])
    try Console.write(table.text)
  }
}

extension Target {
  /// Whether `run` and `verify` execute the target's code through the AVX2 stand-in for AVX-512.
  func isEmulated(on features: Set<String>) -> Bool {
    name == Target.avx512.name && !runs(on: features) && Target.avx2.runs(on: features)
  }
}
