extension Target {
  /// Strict ISO C99 for any compiler, one lane at a time.
  public static let scalar = Target(
    name: "scalar", summary: "strict C99, one lane, no fused multiply-add", machine: .portable, lanes: 1, registers: 16,
    cache: Cache(l1: 32 << 10, l2: 256 << 10), fusesMultiplyAdd: false, compilerFlags: [],
    typeNames: [.mask(lanes: 1): "int"],
    spellings: ScalarSpellings.table(fusesMultiplyAdd: false), helpers: ScalarHelpers.all)
}
