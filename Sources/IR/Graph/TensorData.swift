/// A constant tensor's contents: its type and its little-endian bytes, row-major.
public struct TensorData: Hashable, Sendable {
  public var element: ElementType
  public var shape: [Int]
  public var bytes: [UInt8]

  /// - Precondition: `bytes` holds exactly the shape's elements.
  public init(element: ElementType, shape: [Int], bytes: [UInt8]) {
    precondition(bytes.count == shape.reduce(1, *) * element.byteCount, "bytes do not fill the shape")
    self.element = element
    self.shape = shape
    self.bytes = bytes
  }

  /// float32 values, row-major.
  public init(shape: [Int], floats: [Float]) {
    self.init(element: .f32, shape: shape, bytes: floats.withUnsafeBytes { Array($0) })
  }

  public var count: Int { shape.reduce(1, *) }
  public var type: TensorType { TensorType(element, shape) }

  /// The contents as float32; a bug of ours when they are not float32.
  public var floats: [Float] {
    precondition(element == .f32, "not a float32 constant")
    return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(buffer).copyMemory(from: $0) }
      initialized = count
    }
  }
}
