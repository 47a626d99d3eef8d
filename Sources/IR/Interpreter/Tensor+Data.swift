import RealModule

extension Tensor {
  /// A constant's contents as the interpreter computes with them.
  public init(_ data: TensorData) {
    if data.element.isFloat {
      self.init(element: data.element, shape: data.shape, real: decodeReals(data))
    } else {
      self.init(element: data.element, shape: data.shape, integer: decodeIntegers(data))
    }
  }
}

// Specialised by hand: a network has millions of weights, and through the generic type each costs a quarter of a
// microsecond.
@specialized(where T == Float)
@specialized(where T == Double)
private func decodeReals<T: Real & BinaryFloatingPoint & Sendable>(_ data: TensorData) -> [T] {
  switch data.element {
  case .f32: decode(data) { (stored: Float) in T(stored) }
  case .f64: decode(data) { (stored: Double) in T(stored) }
  case .f16: decode(data) { (stored: Float16) in T(stored) }
  case .bf16: decode(data) { (stored: UInt16) in T(Float(bitPattern: UInt32(stored) << 16)) }
  case .i8, .u8, .i16, .u16, .i32, .u32, .i64, .u64, .bool: preconditionFailure("not a float tensor")
  }
}

private func decodeIntegers(_ data: TensorData) -> [Int64] {
  switch data.element {
  case .i8: decode(data) { (stored: Int8) in Int64(stored) }
  case .u8, .bool: decode(data) { (stored: UInt8) in Int64(stored) }
  case .i16: decode(data) { (stored: Int16) in Int64(stored) }
  case .u16: decode(data) { (stored: UInt16) in Int64(stored) }
  case .i32: decode(data) { (stored: Int32) in Int64(stored) }
  case .u32: decode(data) { (stored: UInt32) in Int64(stored) }
  case .i64: decode(data) { (stored: Int64) in stored }
  case .u64: decode(data) { (stored: UInt64) in Int64(truncatingIfNeeded: stored) }
  case .f32, .f64, .f16, .bf16: preconditionFailure("not an integer tensor")
  }
}

@inline(__always)
private func decode<Stored: BitwiseCopyable, Result>(_ data: TensorData, _ convert: (Stored) -> Result) -> [Result] {
  data.bytes.withUnsafeBytes { raw in
    (0..<data.count).map {
      convert(raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Stored>.size, as: Stored.self))
    }
  }
}

extension TensorData {
  /// The contents of a tensor in its element type: reals rounded to the nearest, integers as they are.
  public init(encoding tensor: Tensor<Double>) {
    var bytes: [UInt8] = []
    func append(_ word: some FixedWidthInteger) { withUnsafeBytes(of: word.littleEndian) { bytes += $0 } }
    switch tensor.storage {
    case .real(let values):
      for value in values {
        switch tensor.element {
        case .f32: append(Float(value).bitPattern)
        case .f64: append(value.bitPattern)
        case .f16: append(HalfFloat.f16(Float(value)))
        case .bf16: append(HalfFloat.bf16(Float(value)))
        case .i8, .u8, .i16, .u16, .i32, .u32, .i64, .u64, .bool: preconditionFailure("reals are floats")
        }
      }
    case .integer(let values):
      for value in values {
        switch tensor.element.byteCount {
        case 1: append(UInt8(truncatingIfNeeded: value))
        case 2: append(UInt16(truncatingIfNeeded: value))
        case 4: append(UInt32(truncatingIfNeeded: value))
        default: append(value)
        }
      }
    }
    self.init(element: tensor.element, shape: tensor.shape, bytes: bytes)
  }
}
