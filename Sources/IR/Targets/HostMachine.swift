import Foundation

/// The machine that vigc runs on. It decides how a target's code can be run here.
public struct HostMachine: Sendable {
  /// As `uname -m` says it.
  public var architecture: String
  /// What its processor has, in the words of an architecture. Nil: ask the machine.
  private var features: Set<String>?
  /// Folders in which programs are looked for.
  public var path: [String]

  /// A machine that a test makes up.
  public init(architecture: String, features: Set<String>, path: [String]) {
    self.architecture = architecture
    self.features = features
    self.path = path
  }

  private init() {
    var names = utsname()
    uname(&names)
    architecture = withUnsafeBytes(of: names.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
  }

  /// The machine itself.
  public static let current = HostMachine()

  public func isOne(of architecture: Architecture) -> Bool { architecture.names.contains(self.architecture) }

  /// What this machine lacks to be one of `machine`; empty if it is one. Names of features, or of the architecture.
  public func lacks(_ machine: Target.Machine) -> [String] {
    switch machine {
    case .portable: return []
    case .processor(let architecture, let needed):
      guard isOne(of: architecture) else { return [architecture.triple] }
      let own = features ?? architecture.hostFeatures()
      return needed.map(\.name).filter { !own.contains($0) }
    }
  }

  /// Whether there is a program of this name or path.
  public func has(program: String) -> Bool {
    let manager = FileManager.default
    if program.contains("/") { return manager.isExecutableFile(atPath: program) }
    return path.contains { manager.isExecutableFile(atPath: "\($0)/\(program)") }
  }

  /// The words of a line of `/proc/cpuinfo` that starts with `name`; empty if there is no such line.
  public static func processorWords(ofLine name: String) -> Set<String> {
    guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else { return [] }
    let line = text.split(separator: "\n").first { line in
      line.prefix { $0 != ":" }.trimmingCharacters(in: .whitespaces) == name
    }
    guard let list = line?.split(separator: ":", maxSplits: 1).last else { return [] }
    return Set(list.split(separator: " ").map(String.init))
  }
}

extension Target {
  /// How a machine executes a target's code.
  public enum Execution: Sendable {
    /// Itself: it is one of the machines that the target is for.
    case native
    case emulator(Launcher.Emulator)
    case standIn(Launcher.StandIn)
    /// Not at all; each line says what is missing.
    case impossible([String])
  }

  /// How `host` executes the target's code.
  ///
  /// - Parameter compiler: The C compiler that the user named; nil for the architecture's cross compiler.
  public func execution(on host: HostMachine = .current, compiler: String? = nil) -> Execution {
    let lacking = host.lacks(machine)
    if lacking.isEmpty { return .native }
    let isForeign = architecture.map { !host.isOne(of: $0) } ?? false
    var missing = [
      isForeign ? "it is a \(host.architecture)" : "its CPU lacks \(lacking.joined(separator: ", "))"
    ]
    switch launcher {
    case nil: missing.append("and nothing emulates \(name)")
    case .standIn(let standIn):
      let rest = host.lacks(standIn.machine)
      if rest.isEmpty { return .standIn(standIn) }
      missing.append("\(standIn.summary) needs \(rest.joined(separator: ", "))")
    case .emulator(let emulator):
      let known = architecture?.crossCompiler
      let needed = (compiler ?? known?.name).map { [($0, compiler == nil ? known?.packages ?? [] : [])] } ?? []
      let absent = (needed + [(emulator.name, emulator.packages)]).filter { !host.has(program: $0.0) }
      if needed.isEmpty { missing.append("no cross compiler is known: name one with --cc") }
      if absent.isEmpty && !needed.isEmpty { return .emulator(emulator) }
      for (program, packages) in absent {
        let hint = packages.isEmpty ? "" : ": install \(packages.joined(separator: " "))"
        missing.append("there is no \(program)\(hint)")
      }
    }
    return .impossible(missing)
  }
}

extension Target.Execution {
  /// What runs the code in the machine's place: "qemu-aarch64"; nil if nothing has to.
  public var substitute: String? {
    switch self {
    case .native, .impossible: nil
    case .emulator(let emulator): emulator.name
    case .standIn(let standIn): standIn.summary
    }
  }
}
