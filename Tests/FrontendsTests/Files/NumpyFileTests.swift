import Frontends
import IR
import Testing

@Suite struct NumpyFileTests {
  private let expected = (0..<24).map { Float($0) / 7 }

  @Test(arguments: ["f32", "f64", "big", "fortran", "v2", "v3"]) func reads(_ name: String) throws {
    let tensor = try NumpyFile.read(fixture("weights/\(name).npy"))
    #expect(tensor.shape == [2, 3, 4])
    #expect(tensor.floats == expected)
  }

  @Test func readsHalves() throws {
    let floats = try NumpyFile.read(fixture("weights/f16.npy")).floats
    #expect(zip(floats, expected).allSatisfy { abs($0 - $1) <= 0x1p-11 * abs($1) })
  }

  @Test(arguments: ["f32", "vector", "scalar"]) func writesWhatNumpyWrites(_ name: String) throws {
    let path = fixture("weights/\(name).npy")
    let tensor = try NumpyFile.read(path)
    try withTemporaryFolder { folder in
      try NumpyFile.write(tensor, to: "\(folder)/t.npy")
      #expect(try readFile("\(folder)/t.npy") == readFile(path))
    }
  }

  @Test func refusesWithAWayOut() throws {
    let type = message { try NumpyFile.read(fixture("weights/i32.npy")) }
    #expect(type.hasSuffix("has type <i4; expected float32 ('<f4'): convert it with .astype(numpy.float32)"))
    let whole = try readFile(fixture("weights/f32.npy"))
    #expect(
      message { try NumpyFile.parse(Array(whole.dropLast(3)), file: "x.npy") }
        == "x.npy: [2, 3, 4] needs 96 bytes of data, and the file has 93")
    for shape in ["(4611686018427387904, 4, 0)", "(99999999, 99999999)", "(123456789012345678,)"] {
      let header = Array("{'descr': '<f4', 'fortran_order': False, 'shape': \(shape), }".utf8)
      let bytes = whole[..<8] + [UInt8(header.count), 0] + header
      #expect(message { try NumpyFile.parse(Array(bytes), file: "x.npy") }.contains("needs more data"))
    }
    #expect(message { try NumpyFile.parse(Array("hello, world".utf8), file: "x.npy") } == "x.npy: not a .npy file")
  }

  @Test func anyMutationSucceedsOrIsDiagnosed() throws {
    let whole = try readFile(fixture("weights/f32.npy"))
    var generator = SeededGenerator(state: 3)
    for round in 0..<3000 {
      let bytes = mutated(whole, with: &generator)
      #expect(succeedsOrDiagnoses { try NumpyFile.parse(bytes, file: "x.npy") }, "round \(round)")
    }
  }
}
