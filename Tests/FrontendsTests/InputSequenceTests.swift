import Foundation
import IR
import Testing

@testable import Frontends

/// Many inputs out of files: how many runs they make, and what is said of wrong ones.
@Suite struct InputSequenceTests {
  private func slots(_ shape: [Int] = [1, 3, 4, 5], names: [String] = ["image"]) -> [InputSequence.Slot] {
    names.map { InputSequence.Slot(name: $0, type: TensorType(.f32, shape)) }
  }

  private func ramp(_ shape: [Int]) -> TensorData {
    TensorData(shape: shape, floats: (0..<shape.reduce(1, *)).map(Float.init))
  }

  private func message(_ source: String, _ slots: [InputSequence.Slot]) throws -> String? {
    let problem = #expect(throws: Diagnostic.self) {
      try InputSequenceSource(parsing: source).open(slots, preprocessing: nil)
    }
    return problem?.message.replacing(source, with: "FILE")
  }

  @Test func arraysAreCutIntoRuns() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/six.npy"
      try NumpyFile.write(ramp([6, 3, 4, 5]), to: path)
      let single = try InputSequenceSource(parsing: path).open(slots(), preprocessing: nil)
      #expect(single.count == 6)
      #expect(try single.tensors(2) == [TensorData(shape: [1, 3, 4, 5], floats: (120..<180).map(Float.init))])
      let pairs = try InputSequenceSource(parsing: path).open(slots([2, 3, 4, 5]), preprocessing: nil)
      #expect(pairs.count == 3)
      #expect(try pairs.tensors(1)[0].floats == (120..<240).map(Float.init))
      #expect(
        try message(path, slots([4, 3, 4, 5])) == "FILE holds 6 inputs, and a run takes 4: expected a multiple of that")
      #expect(
        try message(path, slots([1, 3, 5, 4]))
          == "FILE holds [6, 3, 4, 5], and the input image takes [N, 3, 5, 4]")
      #expect(
        try message(path, slots(names: ["a", "b"]))
          == "FILE is one array, and the model takes 2 inputs; give it a .npz file")
    }
  }

  @Test func numbersAreFinite() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/bad.npy"
      var floats = ramp([3, 3, 4, 5]).floats
      floats[2 * 60 + 1] = .nan
      try NumpyFile.write(TensorData(shape: [3, 3, 4, 5], floats: floats), to: path)
      #expect(try message(path, slots()) == "FILE: input 2 of image holds nan; expected finite numbers")
    }
  }

  @Test func archivesNameTheirArrays() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/set.npz"
      let labels = TensorData(.i64, shape: [2], [4, 1])
      try NumpyArchive.write([("images", ramp([2, 3, 4, 5])), ("labels", labels)], to: path)
      let archive = try InputArchive(path)
      #expect(try archive.inputs(slots()).count == 2)
      #expect(try archive.labels(count: 2) == [4, 1])
      #expect(throws: Diagnostic.self) { try archive.labels(count: 3) }
      #expect(try InputSequenceSource(parsing: path).open(slots(), preprocessing: nil).count == 2)
      #expect(try message(path, slots(names: ["a", "b"])) == "FILE has no array 'a'; it has images, labels")
      try NumpyArchive.write([("b", ramp([2, 3, 4, 5])), ("a", ramp([4, 3, 4, 5]))], to: path)
      #expect(
        try message(path, slots(names: ["a", "b"])) == "FILE holds other numbers of inputs for a, b: [4, 2]")
      #expect(try message(path, slots()) == "FILE has no array 'image' and no 'images'; it has a, b")
      let bytes = TensorData(element: .u8, shape: [2, 3, 4, 5], bytes: [UInt8](repeating: 1, count: 120))
      try NumpyArchive.write([("image", bytes)], to: path)
      #expect(
        try message(path, slots())
          == "FILE: the inputs are of u8, and f32 is needed: give them as the model takes them, normalised")
    }
  }

  @Test func foldersOfPictures() throws {
    try withTemporaryFolder { folder in
      #expect(try message(folder, slots()) == "FILE holds no picture (png, jpg, jpeg, ppm or pnm)")
      for (name, level) in [("b.ppm", UInt8(20)), ("a.ppm", 200), ("notes.txt", 0), (".hidden.ppm", 0)] {
        let bytes = Array("P6 8 8 255\n".utf8) + [UInt8](repeating: level, count: 192)
        try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
      }
      let preprocessing = ImagePreprocessing(
        mean: [0.5, 0.5, 0.5], standardDeviation: [0.5, 0.5, 0.5], resize: 4, crop: 4, interpolation: .bilinear)
      let source = try InputSequenceSource(parsing: folder)
      let pictures = try source.open(slots([1, 3, 4, 4]), preprocessing: preprocessing)
      #expect(pictures.count == 2)
      #expect(pictures.name(0).hasSuffix("/a.ppm"))
      #expect(try abs(pictures.tensors(0)[0].floats[0] - (200.0 / 255 - 0.5) / 0.5) < 1e-6)
      let both = try source.open(slots([2, 3, 4, 4]), preprocessing: preprocessing, normalizes: false)
      let floats = try both.tensors(0)[0].floats
      #expect(both.count == 1 && floats.count == 96)
      #expect(abs(floats[0] - 200.0 / 255) < 1e-6 && abs(floats[95] - 20.0 / 255) < 1e-6)
      #expect(try message(folder, slots())?.contains("the model does not say how to read one") == true)
    }
  }

  @Test func syntheticInputsAreThoseOfRuns() throws {
    let sequence = try InputSequenceSource(parsing: "synthetic:3").open(slots(), preprocessing: nil)
    #expect(sequence.count == 3)
    #expect(
      try sequence.tensors(2)[0] == InputSource.synthetic(seed: 2).load(shape: [1, 3, 4, 5], preprocessing: nil))
  }

  @Test func unknownSources() throws {
    for (text, message) in [
      ("synthetic", "'synthetic' does not say how many inputs; expected synthetic:N, like synthetic:16"),
      ("synthetic:0", "'synthetic:0' does not say how many inputs; expected synthetic:N, like synthetic:16"),
      ("no/such", "there is no folder 'no/such'; expected FILE.npy, FILE.npz, a folder of pictures, or synthetic:N"),
    ] {
      let problem = #expect(throws: Diagnostic.self) { try InputSequenceSource(parsing: text) }
      #expect(problem?.message == message)
    }
  }

  private func withTemporaryFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("vigc-inputs-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.path)
  }
}
