import CImage
import IR

/// 8-bit RGB pixels, row by row, the three channels of a pixel together.
public struct RGBImage: Hashable, Sendable {
  public var width: Int
  public var height: Int
  public var pixels: [UInt8]

  /// More than cameras make. The number of pixels that one pixel of a resized picture is made of grows with the side.
  private static let largestSide = 1 << 16

  /// - Precondition: three bytes a pixel, at least one pixel.
  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(width > 0 && height > 0 && pixels.count == 3 * width * height, "not an RGB image")
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  /// Reads a PNG, JPEG or PPM file. Grey becomes RGB, transparency is dropped, 16 bits become 8.
  public init(path: String) throws {
    let bytes = try readFile(path)
    guard let length = Int32(exactly: bytes.count), length > 0 else {
      throw Diagnostic("\(path) is not a PNG, JPEG or PPM image: \(bytes.count) bytes")
    }
    var width: Int32 = 0
    var height: Int32 = 0
    var channels: Int32 = 0
    // Asking first keeps a hostile header from allocating gigabytes.
    guard stbi_info_from_memory(bytes, length, &width, &height, &channels) != 0 else {
      throw Diagnostic("\(path) is not a PNG, JPEG or PPM image\(Self.reason())")
    }
    guard width > 0, height > 0, Int(width) * Int(height) <= 1 << 28 else {
      throw Diagnostic("\(path) is \(width) x \(height) pixels; at most \(1 << 28) are read")
    }
    guard max(width, height) <= Self.largestSide else {
      throw Diagnostic("\(path) is \(width) x \(height) pixels; a side has at most \(Self.largestSide)")
    }
    guard let data = stbi_load_from_memory(bytes, length, &width, &height, &channels, 3) else {
      throw Diagnostic("\(path) cannot be decoded\(Self.reason())")
    }
    defer { stbi_image_free(data) }
    let count = 3 * Int(width) * Int(height)
    self.init(
      width: Int(width), height: Int(height), pixels: Array(UnsafeBufferPointer(start: data, count: count)))
  }

  private static func reason() -> String {
    stbi_failure_reason().map { " (\(String(cString: $0)))" } ?? ""
  }

  public subscript(x x: Int, y y: Int, channel channel: Int) -> UInt8 {
    pixels[3 * (y * width + x) + channel]
  }

  /// The `size` in the middle; what lies outside the image is black.
  public func centerCropped(width newWidth: Int, height newHeight: Int) -> RGBImage {
    // Halves round to even, as torchvision's center crop rounds them.
    let left = Int((Double(width - newWidth) / 2).rounded(.toNearestOrEven))
    let top = Int((Double(height - newHeight) / 2).rounded(.toNearestOrEven))
    var result = [UInt8](repeating: 0, count: 3 * newWidth * newHeight)
    for y in 0..<newHeight where (0..<height).contains(y + top) {
      for x in 0..<newWidth where (0..<width).contains(x + left) {
        for channel in 0..<3 {
          result[3 * (y * newWidth + x) + channel] = self[x: x + left, y: y + top, channel: channel]
        }
      }
    }
    return RGBImage(width: newWidth, height: newHeight, pixels: result)
  }
}
