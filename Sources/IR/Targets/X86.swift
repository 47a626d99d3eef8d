extension Architecture {
  /// x86-64. GCC's and Clang's own library asks the processor for its features.
  static let x86 = Architecture(
    names: ["x86_64", "amd64"], triple: "x86_64-linux-gnu",
    hostFeatures: { HostMachine.processorWords(ofLine: "flags") },
    question: Question(condition: "defined(__GNUC__)", statements: ["__builtin_cpu_init();"]),
    crossCompiler: CrossCompiler(
      name: "x86_64-linux-gnu-gcc", headers: "/usr/x86_64-linux-gnu/include", packages: ["gcc-x86-64-linux-gnu"]))
}

extension Architecture.Feature {
  /// A feature that `/proc/cpuinfo` and GCC call by the same name.
  static func x86(_ name: String) -> Self { Self(name, test: "__builtin_cpu_supports(\"\(name)\")") }

  /// Came before FMA on every CPU that has FMA, and older Clangs do not know its name.
  static let f16c = Self("f16c", test: nil)
}

extension Target.Machine {
  static let avx2 = Self.processor(.x86, features: [.x86("avx2"), .x86("fma"), .f16c])
}

extension Target.Headers {
  /// The intrinsics of x86.
  static let x86 = Self(["immintrin.h"], functionPrefixes: ["_mm"])
}
