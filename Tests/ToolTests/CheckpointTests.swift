import Foundation
import Frontends
import IR
import Testing

/// The same weights out of any file: the same result, bit for bit.
@Suite struct CheckpointTests {
  /// The state dict of synthetic weights, counters and all, with a storage for each tensor.
  private func stateDict(seed: UInt64, prefix: String = "", keys: String) throws -> (
    value: [UInt8], storages: [(String, [UInt8])]
  ) {
    var members: [(String, [UInt8])] = []
    var storages: [(String, [UInt8])] = []
    for entry in try ModelLoader.load(model: tiny).entries {
      let data = SyntheticWeights(seed: seed).tensor(entry.name, shape: entry.shape)
      let strides = entry.shape.indices.map { entry.shape[($0 + 1)...].reduce(1, *) }
      let key = "\(keys)\(storages.count)"
      let type = entry.role == .counter ? "LongStorage" : "FloatStorage"
      let tensor = Forgery.tensor(key: key, count: data.count, type: type, shape: entry.shape, strides: strides)
      members.append((prefix + entry.name, tensor))
      storages.append((key, data.bytes))
    }
    return (Forgery.dictionary(members), storages)
  }

  /// What the model makes of the synthetic input.
  private func output(_ arguments: String..., engine: String = "graph", in folder: String) async throws -> [UInt8] {
    let path = "\(folder)/output.npy"
    expectSuccess(try await Tool.run(Tool.path, ["run", tiny, "--output", path, "--engine", engine] + arguments))
    return try bytes(path)
  }

  /// Each field of a safetensors file changed, and each border of one as its length: one line, and no library.
  @Test func compilesNoDamagedWeights() async throws {
    let weights = try ModelLoader.load(model: tiny, weights: .synthetic(seed: 3)).graph.weights
    let whole = Safetensors(weights).fileContents
    let length = whole.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    let header = String(decoding: whole[8..<(8 + length)], as: UTF8.self)
    func file(_ header: String) -> [UInt8] {
      let size = header.utf8.count
      return (0..<8).map { UInt8(truncatingIfNeeded: size >> (8 * $0)) } + header.utf8 + whole[(8 + length)...]
    }
    var damaged: [(what: String, bytes: [UInt8])] = [
      0, 1, 7, 8, 9, 7 + length, 8 + length, 9 + length, whole.count - 1,
    ].map {
      ("\($0) bytes", Array(whole[..<$0]))
    }
    damaged.append(("a byte more", whole + [0]))
    for (what, field) in [("no length", 0), ("the longest", -1), ("one more", length + 1), ("one less", length - 1)] {
      damaged.append((what, (0..<8).map { UInt8(truncatingIfNeeded: field >> (8 * $0)) } + whole[8...]))
    }
    for (old, new) in [
      ("F32", "F16"), ("F32", "I32"), ("F32", "XYZ"), ("\"shape\":[", "\"shape\":[1,"), ("\"shape\":[", "\"shape\":[-"),
      ("_offsets\":[", "_offsets\":[1"), ("weight", "wieght"), ("{", "["), ("}}", "}"),
    ] {
      guard let place = header.range(of: old) else {
        Issue.record("the header has no \(old)")
        continue
      }
      damaged.append(("\(new) for \(old)", file(header.replacingCharacters(in: place, with: new))))
    }
    try await withFolder { folder in
      let path = "\(folder)/w.safetensors"
      for (what, bytes) in damaged {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let outcome = try await Tool.run("compile", tiny, "--weights", path, "-o", "\(folder)/out")
        #expect(outcome.status == 1, "\(what): \(outcome.errors)")
        #expect(outcome.firstError.hasPrefix("vigc: error: \(path)"), "\(what): \(outcome.errors)")
        #expect(try names(in: folder) == ["w.safetensors"], "\(what)")
      }
    }
  }

  @Test func everyFormatGivesTheSameBits() async throws {
    try await withFolder { folder in
      func path(_ name: String, _ bytes: [UInt8]) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        return "\(folder)/\(name)"
      }
      let weights = try ModelLoader.load(model: tiny, weights: .synthetic(seed: 3)).graph.weights
      let safetensors = "\(folder)/w.safetensors"
      try Safetensors(weights).write(to: safetensors)
      let expected = try await output("--weights", safetensors, in: folder)
      #expect(try await output("--weights", "synthetic:3", in: folder) == expected)
      #expect(try await output("--weights", "synthetic:4", in: folder) != expected)

      let plain = try stateDict(seed: 3, keys: "")
      let pth = try path("w.pth", Forgery.checkpoint(plain.value, storages: plain.storages))
      #expect(try await output("--weights", pth, in: folder) == expected)
      #expect(
        try await output("--weights", pth, engine: "c", in: folder)
          == output("--weights", safetensors, engine: "c", in: folder))

      let wrapped = try stateDict(seed: 3, prefix: "module.", keys: "a")
      let averages = try stateDict(seed: 4, keys: "b")
      let training = Forgery.dictionary([
        ("epoch", Forgery.integer(7)), ("state_dict", wrapped.value), ("state_dict_ema", averages.value),
      ])
      let tar = try path("w.pth.tar", Forgery.checkpoint(training, storages: wrapped.storages + averages.storages))
      #expect(try await output("--weights", tar, in: folder) == expected)
      #expect(
        try await output("--weights", tar, "--ema", in: folder)
          == output("--weights", "synthetic:4", in: folder))

      let arrays = weights.sorted { $0.key < $1.key }.map {
        Forgery.Entry(name: "\($0.key).npy", contents: NumpyFile.contents($0.value), isDeflated: true)
      }
      #expect(try await output("--weights", path("w.npz", Forgery.archive(arrays)), in: folder) == expected)
    }
  }

  /// A graph file takes its constants from any of them, too.
  @Test func graphFiles() async throws {
    try await withFolder { folder in
      let graph = "\(folder)/tiny.vir"
      expectSuccess(try await Tool.run("opt", tiny, "--weights", "synthetic:3", "--passes", "fold-scale", "-o", graph))
      let state = try stateDict(seed: 3, prefix: "module.", keys: "")
      let pth = "\(folder)/w.pth"
      try Data(Forgery.checkpoint(state.value, storages: state.storages)).write(to: URL(fileURLWithPath: pth))
      let outcome = try await Tool.run("run", graph, "--weights", pth, "--engine", "graph")
      expectSuccess(outcome)
      let expected = try await Tool.run("run", tiny, "--weights", "synthetic:3", "--engine", "graph")
      #expect(outcome.output == expected.output)
    }
  }

  @Test func averagesThatCannotBe() async throws {
    let outcome = try await Tool.run("run", tiny, "--ema")
    #expect(outcome.status == 64)
    #expect(outcome.firstError.contains("--ema is about a checkpoint: name it with --weights"), "\(outcome.errors)")
    let synthetic = try await Tool.run("run", tiny, "--ema", "--weights", "synthetic")
    #expect(synthetic.status == 1)
    #expect(synthetic.firstError == "vigc: error: synthetic weights have no EMA copy: leave out --ema")
    let absent = try await Tool.run("run", tiny, "--ema", "--weights", fixture("weights/types.pth"))
    #expect(absent.status == 1)
    #expect(absent.firstError.hasSuffix("holds no EMA copy of the weights: leave out --ema"))
    #expect(absent.errors.contains("\n  its keys: float, double, half, "))
  }
}
