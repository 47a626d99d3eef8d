import Foundation
import IR
import Testing

@testable import Frontends

/// Checkpoints and archives as PyTorch and NumPy write them; `Tests/Fixtures/weights/checkpoints.py` made the files.
@Suite struct WeightFileTests {
  /// The values of every tensor in the files.
  private let ramp: [Float] = (0..<6).map { (Float($0) - 4) / 8 }

  private func file(_ name: String, averaged: Bool = false) throws -> [String: StoredTensor] {
    try WeightFile(path: fixture("weights/\(name)"), averaged: averaged).tensors
  }

  @Test(arguments: ["types.pth", "protocol4.pth"]) func readsEveryTypeAndView(_ name: String) throws {
    let tensors = try file(name)
    #expect(tensors.count == 17)
    for name in ["float", "double", "half", "bfloat", "parameter", "transposed", "slice", "steps"] {
      let tensor = try #require(tensors[name])
      #expect(tensor.shape == [2, 3], "\(name)")
      #expect(try tensor.readFloat32()?.floats == ramp, "\(name)")
    }
    #expect(tensors["half"]?.element == .f16)
    #expect(tensors["bfloat"]?.element == .bf16)
    #expect(tensors["double"]?.element == .f64)
    #expect(try tensors["expanded"]?.read() == TensorData(shape: [2, 3], floats: [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]))
    #expect(try tensors["scalar"]?.read() == TensorData(shape: [], floats: [0.5]))
    #expect(try tensors["empty"]?.read() == TensorData(shape: [0, 3], floats: []))
    let counter = TensorData(element: .i64, shape: [], bytes: [7, 0, 0, 0, 0, 0, 0, 0])
    #expect(try tensors["norm.num_batches_tracked"]?.read() == counter)
    #expect(try tensors["norm.num_batches_tracked"]?.readFloat32() == nil)
    #expect(
      try tensors["int"]?.read() == TensorData(element: .i32, shape: [2], bytes: [1, 0, 0, 0, 254, 255, 255, 255]))
    #expect(try tensors["short"]?.read() == TensorData(element: .i16, shape: [2], bytes: [1, 0, 254, 255]))
    #expect(try tensors["char"]?.read() == TensorData(element: .i8, shape: [2], bytes: [1, 254]))
    #expect(try tensors["byte"]?.read() == TensorData(element: .u8, shape: [2], bytes: [1, 2]))
    #expect(try tensors["bool"]?.read() == TensorData(element: .bool, shape: [2], bytes: [1, 0]))
  }

  /// The same bytes read from memory, as they are when they come through a pipe.
  @Test func readsFromMemory() throws {
    let bytes = try readFile(fixture("weights/types.pth"))
    let tensors = try WeightFile(RandomAccessBytes(bytes, file: "piped")).tensors
    #expect(try tensors["transposed"]?.read().floats == ramp)
  }

  @Test func trainingCheckpointsHoldTheWeightsAndTheirAverages() throws {
    let entries = [WeightEntry("fc.weight", [2, 3]), WeightEntry("fc.bias", [2])]
    let path = fixture("weights/training.pth.tar")
    let trained = try WeightSource.file(path).load(entries, model: "m")
    #expect(trained.mapValues(\.floats) == ["fc.weight": ramp, "fc.bias": [-0.5, -0.375]])
    let averaged = try WeightSource.file(path, averaged: true).load(entries, model: "m")
    #expect(averaged.mapValues(\.floats) == ["fc.weight": ramp.map { $0 + 1 }, "fc.bias": [0.5, 0.625]])
  }

  /// What NumPy puts beside the weights is read past, by the names of either of its versions. `numpy_metadata.py` made
  /// the files, with PyTorch.
  @Test(arguments: ["numpy1.pth", "numpy2.pth", "numpy2_protocol5.pth"]) func readsPastNumpy(_ name: String) throws {
    let entries = [WeightEntry("fc.weight", [2, 3]), WeightEntry("fc.bias", [2])]
    let weights = try WeightSource.file(fixture("weights/\(name)")).load(entries, model: "m")
    #expect(weights.mapValues(\.floats) == ["fc.weight": ramp, "fc.bias": [-0.5, -0.375]])
  }

  @Test func averagesThatAreNotThere() {
    #expect(
      message { try file("types.pth", averaged: true) }
        == """
        \(fixture("weights/types.pth")) holds no EMA copy of the weights: leave out --ema
          its keys: float, double, half, bfloat, parameter, transposed, slice, steps, expanded, scalar, empty, \
        norm.num_batches_tracked and 5 more
        """)
    for name in ["stored.npz", "mixed.safetensors"] {
      #expect(
        message { try file(name, averaged: true) }
          == fixture("weights/\(name)")
          + " is not a PyTorch checkpoint, and only those hold EMA copies: leave out --ema")
    }
  }

  @Test(arguments: ["stored.npz", "deflated.npz"]) func readsNumpyArchives(_ name: String) throws {
    let tensors = try file(name)
    #expect(tensors.count == 7)
    for name in ["float", "half", "double", "big", "fortran"] {
      let tensor = try #require(tensors[name])
      #expect(tensor.shape == [2, 3], "\(name)")
      #expect(try tensor.readFloat32()?.floats == ramp, "\(name)")
    }
    #expect(tensors["norm.num_batches_tracked"]?.type == TensorType(.i64, []))
    #expect(try tensors["bytes"]?.read() == TensorData(element: .u8, shape: [2], bytes: [1, 2]))
  }

  /// What `vigc run --output FILE.npz` writes.
  @Test func readsItsOwnArchives() throws {
    let written = [
      (name: "stride4", data: TensorData(shape: [2, 3], floats: ramp)),
      (name: "a/b", data: TensorData(shape: [], floats: [7])),
    ]
    let bytes = RandomAccessBytes(try NumpyArchive.contents(written), file: "w.npz")
    let read = try WeightFile(bytes).tensors.mapValues { try $0.read() }
    #expect(read == ["stride4": written[0].data, "a/b": written[1].data])
  }

  /// The length at the start of a safetensors file may look like another format's magic number.
  @Test(arguments: [640, 0x0403_4B50]) func safetensorsAreToldByMoreThanALength(_ length: Int) throws {
    let header = #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
    let start = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8)
    let spaces = [UInt8](repeating: 0x20, count: 640 - header.utf8.count)
    let bytes = start + spaces + [0, 0, 0x80, 0x3F]
    let read = { try WeightFile(RandomAccessBytes(bytes, file: "w")).tensors["a"]?.read().floats }
    if length == 640 {
      #expect(try read() == [1])
    } else {
      #expect(message { try read() }.hasPrefix("w: not a safetensors file: a header of 67324752 bytes"))
    }
  }

  @Test func filesOfOtherKinds() throws {
    func problem(_ bytes: [UInt8], _ name: String = "w.pth") -> String {
      message { try WeightFile(RandomAccessBytes(bytes, file: name)) }
    }
    // torch.save before 1.6 begins with this number as a pickle of its own.
    #expect(
      problem([0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20])
        == """
        w.pth is a bare pickle, as PyTorch wrote before version 1.6; only its zip archives are read
          convert it, in Python: torch.save(torch.load("old.pth", weights_only=True), "new.pth")
        """)
    #expect(
      problem(Array("hello, world".utf8))
        == "w.pth is not a zip archive, as PyTorch and NumPy write them: damaged, or of another program")
    #expect(problem([], "w.npz").hasPrefix("w.npz is not a zip archive"))
    #expect(problem(Array("hello".utf8), "w").hasPrefix("w: not a safetensors file: 5 bytes"))
  }

  @Test func wrappersArePeeledOff() throws {
    let one = StoredTensor(TensorData(shape: [], floats: [1]))
    func names(_ found: [String], for names: [String] = ["a.b"]) -> Set<String> {
      Set(StateDictionary.unwrapped(Dictionary(uniqueKeysWithValues: found.map { ($0, one) }), for: names).keys)
    }
    #expect(names(["module.a.b", "module.c"]) == ["a.b", "c"])
    #expect(names(["module._orig_mod.a.b"]) == ["a.b"])
    #expect(names(["model.a.b", "model.c"]) == ["a.b", "c"])
    #expect(names(["n_averaged", "module.a.b"]) == ["a.b"])
    // Not of all names, or part of the model's own.
    #expect(names(["module.a.b", "c"]) == ["module.a.b", "c"])
    #expect(names(["module.a.b"], for: ["module.a.b"]) == ["module.a.b"])
    #expect(names(["module."]) == ["module."])
    #expect(names([]) == [])
  }

  @Test func pickledNumbers() throws {
    func value(_ bytes: UInt8...) throws -> Pickle.Value {
      try Pickle(parsing: [0x80, 2] + bytes + [0x2E], file: "w").root
    }
    #expect(try value(0x8A, 0) == .integer(0))
    #expect(try value(0x8A, 1, 0x7F) == .integer(127))
    #expect(try value(0x8A, 1, 0x80) == .integer(-128))
    #expect(try value(0x8A, 2, 0x80, 0) == .integer(128))
    #expect(try value(0x8A, 8, 0, 0, 0, 0, 0, 0, 0, 0x80) == .integer(.min))
    #expect(try value(0x8A, 9, 0, 0, 0, 0, 0, 0, 0, 0x80, 0) == .longInteger)
    #expect(try value(0x8B, 2, 0, 0, 0, 0, 0xFF) == .integer(-256))
    #expect(try value(0x4A, 0xFE, 0xFF, 0xFF, 0xFF) == .integer(-2))
    #expect(try value(0x4D, 0xFE, 0xFF) == .integer(0xFFFE))
    #expect(try value(0x47, 0x3F, 0xF8, 0, 0, 0, 0, 0, 0) == .float(1.5))
  }

  @Test(arguments: ["types.pth", "training.pth.tar", "deflated.npz"])
  func anyMutationSucceedsOrIsDiagnosed(_ name: String) throws {
    let whole = try readFile(fixture("weights/\(name)"))
    var generator = SeededGenerator(state: 5)
    for round in 0..<2000 {
      let bytes = mutated(whole, with: &generator)
      let fine = succeedsOrDiagnoses {
        for tensor in try WeightFile(RandomAccessBytes(bytes, file: "w")).tensors.values { _ = try tensor.read() }
        return true
      }
      #expect(fine, "round \(round)")
    }
  }

  /// Checksums keep most mutations of an archive from the pickle, so it has a turn of its own.
  @Test(arguments: ["types.pth", "protocol4.pth", "training.pth.tar", "numpy1.pth", "numpy2_protocol5.pth"])
  func anyMutationOfAPickleSucceedsOrIsDiagnosed(_ name: String) throws {
    let archive = try ZipArchive(RandomAccessBytes(path: fixture("weights/\(name)")))
    let entry = try #require(archive.entries.first { $0.name.hasSuffix("/data.pkl") })
    let whole = try archive.contents(of: entry, atMost: 1 << 16)
    var generator = SeededGenerator(state: 6)
    var successes = 0
    for round in 0..<4000 {
      let bytes = mutated(whole, with: &generator)
      let fine = succeedsOrDiagnoses {
        let pickle = try Pickle(parsing: bytes, file: "w")
        successes += 1
        return try StateDictionary.tensors(in: pickle, averaged: false, file: "w")
      }
      #expect(fine, "round \(round)")
    }
    #expect(successes > 0)
  }
}
