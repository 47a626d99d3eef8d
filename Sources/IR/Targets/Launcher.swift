/// How code for a target is run on a machine that the target is not for.
public enum Launcher: Sendable {
  /// The architecture's cross compiler makes a program, and an emulator runs it.
  case emulator(Emulator)
  /// Another processor runs the code, through a C header that stands in for the target's own.
  case standIn(StandIn)

  public struct Emulator: Sendable {
    /// Name of the emulator: "qemu-aarch64".
    public var name: String
    /// Flags for building a program that the emulator runs, besides the target's: "-static", "-Tboard.ld".
    public var flags: [String]
    /// Files that the build needs, by name: a linker script, start code.
    public var files: [String: String]
    /// C and assembler sources among `files`, compiled with the program.
    public var sources: [String]
    /// The emulator's arguments, from the program's path and the program's arguments.
    public var arguments: @Sendable (_ program: String, _ arguments: [String]) -> [String]
    /// What a user installs to have it: "qemu-user".
    public var packages: [String]

    public init(
      name: String, flags: [String] = [], files: [String: String] = [:], sources: [String] = [],
      packages: [String], arguments: @escaping @Sendable (String, [String]) -> [String] = { [$0] + $1 }
    ) {
      self.name = name
      self.flags = flags
      self.files = files
      self.sources = sources
      self.packages = packages
      self.arguments = arguments
    }
  }

  public struct StandIn: Sendable {
    /// In messages: "an emulation on AVX2".
    public var summary: String
    /// The header's file name and its C.
    public var fileName: String
    public var header: @Sendable () -> String
    /// What the code is compiled with in place of the target's own flags.
    public var compilerFlags: [String]
    /// The machines that execute the header's code.
    public var machine: Target.Machine

    public init(
      summary: String, fileName: String, header: @escaping @Sendable () -> String, compilerFlags: [String],
      machine: Target.Machine
    ) {
      self.summary = summary
      self.fileName = fileName
      self.header = header
      self.compilerFlags = compilerFlags
      self.machine = machine
    }
  }
}
