// How C names the element types in memory; half floats are their bits.

extension ElementType {
  /// The C type of one element.
  public var cName: String {
    switch self {
    case .f32: "float"
    case .f64: "double"
    case .f16, .bf16, .u16: "uint16_t"
    case .i8: "int8_t"
    case .u8, .bool: "uint8_t"
    case .i16: "int16_t"
    case .i32: "int32_t"
    case .u32: "uint32_t"
    case .i64: "int64_t"
    case .u64: "uint64_t"
    }
  }

  /// The unsigned C type of the same width, in which arithmetic wraps; `uint32_t` if C would promote to `int`.
  var wrappingName: String {
    switch self {
    case .i64, .u64: "uint64_t"
    case .f32, .f64, .f16, .bf16, .i8, .u8, .bool, .i16, .u16, .i32, .u32: "uint32_t"
    }
  }

  /// The integer types without `bool`.
  public static let integers: [ElementType] = [.i8, .u8, .i16, .u16, .i32, .u32, .i64, .u64]

  var isSigned: Bool {
    switch self {
    case .i8, .i16, .i32, .i64, .f32, .f64, .f16, .bf16: true
    case .u8, .u16, .u32, .u64, .bool: false
    }
  }
}
