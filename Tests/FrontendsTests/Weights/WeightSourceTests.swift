import IR
import Testing

@testable import Frontends

@Suite struct WeightSourceTests {
  private let entries = [
    WeightEntry("fc.weight", [2, 3]), WeightEntry("fc.bias", [2]),
    WeightEntry("norm.running_mean", [2], role: .buffer),
    WeightEntry("norm.num_batches_tracked", [], role: .counter),
  ]

  @Test func parses() throws {
    #expect(try WeightSource(parsing: "synthetic") == .synthetic(seed: 0))
    #expect(try WeightSource(parsing: "synthetic:18446744073709551615") == .synthetic(seed: .max))
    #expect(try WeightSource(parsing: "dir/w.safetensors") == .file("dir/w.safetensors"))
    #expect(try WeightSource(parsing: "synthetic.safetensors") == .file("synthetic.safetensors"))
    #expect(
      message { try WeightSource(parsing: "synthetic:-1") }
        == "'-1' in 'synthetic:-1' is not a seed; expected a whole number from 0 to 18446744073709551615")
    #expect(message { try WeightSource(parsing: "") }.hasPrefix("no weights named"))
    #expect(WeightSource.synthetic(seed: 7).description == "synthetic:7")
    #expect(try WeightSource(parsing: "w.pth", averaged: true) == .file("w.pth", averaged: true))
    #expect(
      message { try WeightSource(parsing: "synthetic:1", averaged: true) }
        == "synthetic weights have no EMA copy: leave out --ema")
  }

  @Test func syntheticLeavesCountersOut() throws {
    let weights = try WeightSource.synthetic(seed: 3).load(entries, model: "m")
    #expect(Set(weights.keys) == ["fc.weight", "fc.bias", "norm.running_mean"])
    #expect(weights["fc.weight"] == SyntheticWeights(seed: 3).tensor("fc.weight", shape: [2, 3]))
  }

  @Test func computedEntriesAreNotSynthesised() throws {
    let computed = TensorData(shape: [1], floats: [5])
    let entry = WeightEntry("relative_pos", [1], computed: computed)
    #expect(try WeightSource.synthetic(seed: 0).load([entry], model: "m") == ["relative_pos": computed])
  }

  /// A checkpoint may hold the weights with the identity branch already added; two ways of saying it are one too many.
  @Test func identityIsTakenOutOfPreparedWeights() throws {
    let entries = [
      WeightEntry("pe.weight", [2, 1, 1, 3], withIdentity: "folded.weight"),
      WeightEntry("pe.bias", [2], withIdentity: "folded.bias"),
    ]
    let prepared = [
      "folded.weight": TensorData(shape: [2, 1, 1, 3], floats: [5, 1.25, 6, 7, 0.5, 8]),
      "folded.bias": TensorData(shape: [2], floats: [3, 4]),
    ]
    let weights = try WeightSource.match(prepared.mapValues(StoredTensor.init), to: entries, file: "f", model: "m")
    #expect(weights["pe.weight"]?.floats == [5, 0.25, 6, 7, -0.5, 8])
    #expect(weights["pe.bias"]?.floats == [3, 4])
    #expect(weights.count == 2)
    let both = prepared.merging(["pe.bias": TensorData(shape: [2], floats: [3, 4])]) { $1 }
    #expect(
      message { try WeightSource.match(both.mapValues(StoredTensor.init), to: entries, file: "f", model: "m") }
        .contains("unexpected: folded.bias"))
  }

  private func load(_ tensors: [String: TensorData]) throws -> [String: TensorData] {
    try withTemporaryFolder { folder in
      try Safetensors(tensors).write(to: "\(folder)/w")
      return try WeightSource.file("\(folder)/w").load(entries, model: "m")
    }
  }

  @Test func readsAnyFloatingPointType() throws {
    let double = TensorData(element: .f64, shape: [2], bytes: [0.5, -2].withUnsafeBytes { Array($0) })
    let tensors = [
      "fc.weight": TensorData(shape: [2, 3], floats: [1, 2, 3, 4, 5, 6]), "fc.bias": double,
      "norm.running_mean": TensorData(shape: [2], floats: [1, 2]),
    ]
    #expect(try load(tensors)["fc.bias"]?.floats == [0.5, -2])
    var withCounter = tensors
    withCounter["other.num_batches_tracked"] = SyntheticWeights().tensor("num_batches_tracked", shape: [])
    #expect(try load(withCounter).count == 3)
  }

  @Test func reportsEverythingThatDoesNotMatch() throws {
    let text = message {
      try load([
        "fc.wieght": TensorData(shape: [2, 3], floats: [1, 2, 3, 4, 5, 6]),
        "fc.bias": TensorData(shape: [3], floats: [1, 2, 3]),
        "norm.running_mean": TensorData(element: .i8, shape: [2], bytes: [1, 2]),
        "zebra_crossing_elsewhere": TensorData(shape: [1], floats: [1]),
      ])
    }
    let lines = text.split(separator: "\n").map(String.init)
    #expect(
      lines.first?.hasSuffix("does not hold the weights of m: 1 missing, 2 unexpected, 2 of the wrong shape or type")
        == true)
    #expect(
      Array(lines.dropFirst()) == [
        "  missing: fc.weight [2, 3]; the file has fc.wieght",
        "  unexpected: fc.wieght; the model has fc.weight",
        "  unexpected: zebra_crossing_elsewhere",
        "  wrong shape: fc.bias is [3], and the model needs [2]",
        "  wrong type: norm.running_mean is i8, and the model needs floating point",
      ])
  }

  @Test func aDozenOfEachKindIsListed() throws {
    let entries = (0..<40).map { WeightEntry("blocks.\($0).weight", [1]) }
    let found = (0..<40).map { ("layers.\($0).weight", StoredTensor(TensorData(shape: [1], floats: [1]))) }
    let text = message {
      try WeightSource.match(Dictionary(uniqueKeysWithValues: found), to: entries, file: "f", model: "m")
    }
    let lines = text.split(separator: "\n").map(String.init)
    #expect(lines.count == 27)
    #expect(lines[0].hasSuffix("40 missing, 40 unexpected"))
    #expect(lines[13] == "  and 28 more missing")
    #expect(lines[26] == "  and 28 more unexpected")
  }

  /// Names of another model are not compared one by one, and what a file calls things does not reach the terminal raw.
  @Test func hostileNames() throws {
    let entries = (0..<2000).map { WeightEntry("blocks.\($0).some.long.module.path.weight", [1]) }
    let one = StoredTensor(TensorData(shape: [1], floats: [1]))
    var found = Dictionary(uniqueKeysWithValues: (0..<20000).map { ("layer.\($0).other.path", one) })
    found["\u{1B}[2J\n" + String(repeating: "x", count: 1 << 20)] = one
    let clock = ContinuousClock()
    var text = ""
    let time = clock.measure { text = message { try WeightSource.match(found, to: entries, file: "f", model: "m") } }
    #expect(time < .seconds(1))
    #expect(!text.contains("\u{1B}"))
    #expect(text.utf8.count < 4096)
  }

  @Test func namesTheFile() throws {
    #expect(
      message { try WeightSource.file("/absent/w").load(entries, model: "m") }
        == "cannot read /absent/w: No such file or directory")
    #expect(message { try WeightSource.file("/").load(entries, model: "m") } == "cannot read /: it is a directory")
    #expect(
      message { try WeightSource.file("/dev/zero").load(entries, model: "m") }
        == "cannot read /dev/zero: it is a device")
  }
}
