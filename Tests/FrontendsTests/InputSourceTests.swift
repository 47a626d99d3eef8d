import Frontends
import IR
import Testing

@Suite struct InputSourceTests {
  @Test func parses() throws {
    #expect(try InputSource(parsing: "synthetic") == .synthetic(seed: 0))
    #expect(try InputSource(parsing: "synthetic:4") == .synthetic(seed: 4))
    #expect(try InputSource(parsing: "synthetic.npy") == .numpy("synthetic.npy"))
    #expect(try InputSource(parsing: "a/b.JPEG") == .image("a/b.JPEG"))
    #expect(message { try InputSource(parsing: "synthetic:x") }.hasPrefix("'x' in 'synthetic:x' is not a seed"))
    #expect(message { try InputSource(parsing: "cat.gif") }.hasPrefix("cannot tell what input 'cat.gif' is; expected"))
  }

  @Test func loads() throws {
    let synthetic = try InputSource.synthetic(seed: 1).load(shape: [2, 3, 2, 2], preprocessing: nil)
    #expect(synthetic.floats == SyntheticWeights(seed: 1).uniform("input", count: 24))
    let path = fixture("weights/f32.npy")
    #expect(try InputSource.numpy(path).load(shape: [2, 3, 4], preprocessing: nil) == NumpyFile.read(path))
    #expect(
      message { try InputSource.numpy(path).load(shape: [1, 3, 4, 4], preprocessing: nil) }
        == "\(path) holds [2, 3, 4], and the model takes [1, 3, 4, 4]")
  }

  @Test func loadsAPicture() throws {
    let path = fixture("images/pattern.png")
    let preprocessing = try #require(Zoo.spec(named: "mobilevig_ti").preprocessing)
    let both = try InputSource.image(path).load(shape: [2, 3, 8, 9], preprocessing: preprocessing)
    let one = preprocessing.tensor(try RGBImage(path: path), height: 8, width: 9)
    #expect(both.bytes == one.bytes + one.bytes)
    let raw = try InputSource.image(path).load(shape: [1, 3, 8, 9], preprocessing: preprocessing, normalizes: false)
    #expect(raw.floats.allSatisfy { (0...1).contains($0) })
    #expect(zip(raw.floats, one.floats).prefix(72).allSatisfy { ($0 - 0.485) / 0.229 == $1 })
    #expect(
      message { try InputSource.image(path).load(shape: [1, 1, 8, 9], preprocessing: preprocessing) }
        .contains("is a picture, and the model does not say how to read one"))
  }
}
