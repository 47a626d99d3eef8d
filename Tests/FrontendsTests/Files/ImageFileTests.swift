import Frontends
import IR
import Testing

/// Pictures and hashes come from Pillow and NumPy, an independent implementation of the same pipeline.
@Suite struct ImageFileTests {
  private static let pixels: UInt64 = 0x66d1_59b8_4f3c_5447

  @Test(arguments: ["png", "ppm"]) func readsLossless(_ type: String) throws {
    let image = try RGBImage(path: fixture("images/pattern.\(type)"))
    #expect((image.width, image.height) == (67, 41))
    #expect(fnv1a64(image.pixels) == Self.pixels)
  }

  @Test func readsJPEG() throws {
    let exact = try RGBImage(path: fixture("images/pattern.png"))
    let image = try RGBImage(path: fixture("images/pattern.jpg"))
    let error = zip(exact.pixels, image.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
    #expect(Double(error) / Double(exact.pixels.count) < 8)
  }

  @Test func greyBecomesRGB() throws {
    let exact = try RGBImage(path: fixture("images/pattern.png"))
    let grey = try RGBImage(path: fixture("images/grey.png"))
    for pixel in 0..<67 * 41 {
      #expect(grey.pixels[3 * pixel..<3 * pixel + 3].allSatisfy { $0 == exact.pixels[3 * pixel] })
    }
  }

  @Test(arguments: [
    (Interpolation.bilinear, 24, 16, UInt64(0xaea2_871b_1522_8c99)), (.bilinear, 150, 90, 0xa8c1_bf08_ee61_3f64),
    (.bilinear, 67, 20, 0x01fa_f536_da06_cde4), (.bilinear, 30, 41, 0x3a14_d0e2_97b8_0932),
    (.bilinear, 3, 5, 0xbae1_17ee_610b_e616), (.bicubic, 24, 16, 0x27e5_6300_7b06_7603),
    (.bicubic, 150, 90, 0x6649_1cfd_f304_1f05), (.bicubic, 67, 20, 0x0b33_8da2_b63d_0225),
    (.bicubic, 30, 41, 0xaa08_d41c_09a7_9f0d), (.bicubic, 3, 5, 0xbe04_728f_19ad_e4d9),
  ]) func resizesAsPillow(_ interpolation: Interpolation, width: Int, height: Int, hash: UInt64) throws {
    let image = try RGBImage(path: fixture("images/pattern.png"))
    #expect(fnv1a64(image.resized(width: width, height: height, interpolation).pixels) == hash)
  }

  private func preprocessing(resize: Int, crop: Int, _ interpolation: Interpolation) -> ImagePreprocessing {
    ImagePreprocessing(
      mean: [0.485, 0.456, 0.406], standardDeviation: [0.229, 0.224, 0.225], resize: resize, crop: crop,
      interpolation: interpolation)
  }

  @Test func preprocesses() throws {
    let expected = try NumpyFile.read(fixture("images/pattern_16.npy"))
    let tensor = try preprocessing(resize: 18, crop: 16, .bicubic)
      .tensor(RGBImage(path: fixture("images/pattern.png")), height: 16, width: 16)
    #expect(tensor == expected)
  }

  @Test func preprocessesATallPicture() throws {
    let wide = try RGBImage(path: fixture("images/pattern.png"))
    var pixels: [UInt8] = []
    for x in 0..<wide.width {
      for y in 0..<wide.height { pixels += (0..<3).map { wide[x: x, y: y, channel: $0] } }
    }
    let tall = RGBImage(width: wide.height, height: wide.width, pixels: pixels)
    let tensor = preprocessing(resize: 24, crop: 21, .bilinear).tensor(tall, height: 21, width: 21)
    #expect(fnv1a64(tensor.bytes) == 0xc3d4_294f_0bc3_dcfc)
  }

  @Test func otherSizesKeepTheProportions() throws {
    let image = try RGBImage(path: fixture("images/pattern.png"))
    let tensor = preprocessing(resize: 256, crop: 224, .bilinear).tensor(image, height: 20, width: 33)
    #expect(tensor.shape == [1, 3, 20, 33])
    // A crop of a picture large enough has no black border.
    let black = Float(0 - Float(0.485)) / Float(0.229)
    #expect(tensor.floats[..<(20 * 33)].filter { $0 == black }.count < 20)
  }

  @Test func refusesWhatIsNoPicture() throws {
    #expect(
      message { try RGBImage(path: fixture("weights/f32.npy")) }.contains("is not a PNG, JPEG or PPM image"))
    #expect(message { try RGBImage(path: "/absent.png") } == "cannot read /absent.png: No such file or directory")
    try withTemporaryFolder { folder in
      let bytes = try readFile(fixture("images/pattern.png"))
      try writeFileAtomically(Array(bytes.prefix(1000)), to: "\(folder)/cut.png")
      #expect(message { try RGBImage(path: "\(folder)/cut.png") }.contains("cannot be decoded"))
    }
  }

  @Test(arguments: ["png", "jpg", "ppm"]) func anyMutationSucceedsOrIsDiagnosed(_ type: String) throws {
    let whole = try readFile(fixture("images/pattern.\(type)"))
    var generator = SeededGenerator(state: 8)
    try withTemporaryFolder { folder in
      for round in 0..<300 {
        try writeFileAtomically(mutated(whole, with: &generator), to: "\(folder)/x")
        #expect(succeedsOrDiagnoses { try RGBImage(path: "\(folder)/x") }, "round \(round)")
      }
    }
  }
}
