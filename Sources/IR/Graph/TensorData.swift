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

  /// Numbers as elements of a type, row-major: reals rounded to the nearest, integers whole and of the type.
  public init(_ element: ElementType, shape: [Int], _ numbers: [Double]) {
    var bytes: [UInt8] = []
    func append(_ word: some FixedWidthInteger) { withUnsafeBytes(of: word.littleEndian) { bytes += $0 } }
    for number in numbers {
      switch element {
      case .f32: append(Float(number).bitPattern)
      case .f64: append(number.bitPattern)
      case .f16: append(HalfFloat.f16(Float(number)))
      case .bf16: append(HalfFloat.bf16(Float(number)))
      case .i8, .u8, .bool: append(UInt8(truncatingIfNeeded: Int64(nearest: number)))
      case .i16, .u16: append(UInt16(truncatingIfNeeded: Int64(nearest: number)))
      case .i32, .u32: append(UInt32(truncatingIfNeeded: Int64(nearest: number)))
      case .i64: append(Int64(nearest: number))
      case .u64:
        append(number < 0x1p63 ? UInt64(bitPattern: Int64(nearest: number)) : UInt64(min(number, 0x1.fffffffffffffp63)))
      }
    }
    self.init(element: element, shape: shape, bytes: bytes)
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

extension Int64 {
  /// The integer part of a number, or the nearest integer of 64 bits; zero for NaN.
  public init(nearest number: Double) {
    self = number.isNaN ? 0 : number >= 0x1p63 ? .max : number <= -0x1p63 ? .min : Int64(number)
  }
}
