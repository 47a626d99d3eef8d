import IR

/// How a model's published evaluation turns a picture into its input: resize, centre crop, scale to [0, 1], subtract
/// the mean, divide by the standard deviation.
public struct ImagePreprocessing: Hashable, Sendable {
  /// One per channel, of values in [0, 1].
  public var mean: [Double]
  public var standardDeviation: [Double]
  /// What the shorter side becomes when the crop is `crop`; other crops change it in proportion.
  public var resize: Int
  public var crop: Int
  public var interpolation: Interpolation

  public init(
    mean: [Double], standardDeviation: [Double], resize: Int, crop: Int, interpolation: Interpolation
  ) {
    self.mean = mean
    self.standardDeviation = standardDeviation
    self.resize = resize
    self.crop = crop
    self.interpolation = interpolation
  }

  /// A picture as a float32 tensor [1, 3, height, width].
  ///
  /// The picture is made just large enough to hold a crop of `resize / crop` times the wanted size, so nothing is
  /// stretched; for a square input this is the usual "shorter side to `resize`".
  ///
  /// - Parameter normalizes: Whether mean and deviation are applied. False for a model that applies them itself and
  ///   takes values in [0, 1].
  /// - Precondition: three channels.
  public func tensor(_ image: RGBImage, height: Int, width: Int, normalizes: Bool = true) -> TensorData {
    precondition(mean.count == 3 && standardDeviation.count == 3, "a picture has three channels")
    let size = resizedSize(image, height: height, width: width)
    let cropped = image.resized(width: size.width, height: size.height, interpolation)
      .centerCropped(width: width, height: height)
    var floats = [Float](repeating: 0, count: 3 * height * width)
    for channel in 0..<3 {
      let mean = normalizes ? Float(mean[channel]) : 0
      let deviation = normalizes ? Float(standardDeviation[channel]) : 1
      for pixel in 0..<height * width {
        floats[channel * height * width + pixel] =
          (Float(cropped.pixels[3 * pixel + channel]) / 255 - mean) / deviation
      }
    }
    return TensorData(shape: [1, 3, height, width], floats: floats)
  }

  /// The size that a picture is resized to before the crop.
  func resizedSize(_ image: RGBImage, height: Int, width: Int) -> (width: Int, height: Int) {
    let target = (width: scaled(width), height: scaled(height))
    // The side that the picture has relatively less of decides. Integer division as in torchvision.
    return image.width * target.height <= image.height * target.width
      ? (width: target.width, height: max(1, image.height * target.width / image.width))
      : (width: max(1, image.width * target.height / image.height), height: target.height)
  }

  private func scaled(_ size: Int) -> Int { size == crop ? resize : size * resize / crop }
}
