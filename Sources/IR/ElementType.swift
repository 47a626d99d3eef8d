/// The scalar types a tensor, a loop buffer or a lane of a vector may have.
public enum ElementType: String, CaseIterable, Hashable, Sendable {
  case f32, f64, f16, bf16, i8, u8, i16, u16, i32, u32, i64, u64, bool

  /// Bytes one element takes in memory.
  public var byteCount: Int {
    switch self {
    case .i8, .u8, .bool: 1
    case .f16, .bf16, .i16, .u16: 2
    case .f32, .i32, .u32: 4
    case .f64, .i64, .u64: 8
    }
  }

  public var isFloat: Bool {
    switch self {
    case .f32, .f64, .f16, .bf16: true
    case .i8, .u8, .i16, .u16, .i32, .u32, .i64, .u64, .bool: false
    }
  }

  /// The values an integer type can hold, clamped to what an `Int` can say; nil for floats.
  public var integerRange: ClosedRange<Int>? {
    switch self {
    case .f32, .f64, .f16, .bf16: nil
    case .i8: -128...127
    case .u8: 0...255
    case .i16: -32768...32767
    case .u16: 0...65535
    case .i32: Int(Int32.min)...Int(Int32.max)
    case .u32: 0...Int(UInt32.max)
    case .i64: Int.min...Int.max
    case .u64: 0...Int.max
    case .bool: 0...1
    }
  }
}
