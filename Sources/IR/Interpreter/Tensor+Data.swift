import RealModule

extension Tensor {
  /// A constant's contents as the interpreter computes with them.
  public init(_ data: TensorData) {
    func decode<Stored, Result>(_ type: Stored.Type, _ convert: (Stored) -> Result) -> [Result] {
      data.bytes.withUnsafeBytes { raw in
        (0..<data.count).map { convert(raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Stored>.size, as: type)) }
      }
    }
    func reals(_ values: [T]) -> Tensor { Tensor(element: data.element, shape: data.shape, real: values) }
    func integers(_ values: [Int64]) -> Tensor { Tensor(element: data.element, shape: data.shape, integer: values) }
    switch data.element {
    case .f32: self = reals(decode(Float.self) { T($0) })
    case .f64: self = reals(decode(Double.self) { T($0) })
    case .f16: self = reals(decode(Float16.self) { T($0) })
    case .bf16: self = reals(decode(UInt16.self) { T(Float(bitPattern: UInt32($0) << 16)) })
    case .i8: self = integers(decode(Int8.self) { Int64($0) })
    case .u8, .bool: self = integers(decode(UInt8.self) { Int64($0) })
    case .i16: self = integers(decode(Int16.self) { Int64($0) })
    case .u16: self = integers(decode(UInt16.self) { Int64($0) })
    case .i32: self = integers(decode(Int32.self) { Int64($0) })
    case .u32: self = integers(decode(UInt32.self) { Int64($0) })
    case .i64: self = integers(decode(Int64.self) { $0 })
    case .u64: self = integers(decode(UInt64.self) { Int64(truncatingIfNeeded: $0) })
    }
  }
}
