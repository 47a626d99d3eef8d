// Elements of any type in loops: half floats are computed with in float32, bools as bytes of 0 and 1.

extension ElementType {
  /// The type in which loops compute with elements of this one.
  var computing: ElementType {
    switch self {
    case .f16, .bf16: .f32
    case .bool: .u8
    case .f32, .f64, .i8, .u8, .i16, .u16, .i32, .u32, .i64, .u64: self
    }
  }

  /// `value` modulo 2 to the width of this integer type, as its elements are stored; a bool is 1 unless it is zero.
  func wrapped(_ value: Int64) -> Int64 {
    switch self {
    case .i8: Int64(Int8(truncatingIfNeeded: value))
    case .u8: Int64(UInt8(truncatingIfNeeded: value))
    case .i16: Int64(Int16(truncatingIfNeeded: value))
    case .u16: Int64(UInt16(truncatingIfNeeded: value))
    case .i32: Int64(Int32(truncatingIfNeeded: value))
    case .u32: Int64(UInt32(truncatingIfNeeded: value))
    case .i64, .u64: value
    case .bool: value == 0 ? 0 : 1
    case .f32, .f64, .f16, .bf16: preconditionFailure("\(rawValue) is no integer type")
    }
  }

  /// Whether stored integer `a` is less than `b`: unsigned ones of 64 bits are stored as their bits.
  func isLess(_ a: Int64, _ b: Int64) -> Bool {
    self == .u64 ? UInt64(bitPattern: a) < UInt64(bitPattern: b) : a < b
  }
}

extension LoopTensor {
  /// The type in which loops compute with the elements.
  var computingType: LoopType { LoopType(type.element.computing) }

  /// The element at a full index, in the type that is computed in.
  func loadComputing(_ index: [LoopIndex]) -> LoopValue { Self.widened(load(index), type.element) }

  /// The same with numpy's broadcasting.
  func loadComputingBroadcast(_ index: [LoopIndex]) -> LoopValue { Self.widened(loadBroadcast(index), type.element) }

  private static func widened(_ value: LoopValue, _ element: ElementType) -> LoopValue {
    element == element.computing ? value : .convert(value, LoopType(element.computing), saturating: false)
  }
}

extension LoopBuilder {
  /// Stores what was computed in the tensor's computing type; a bool is one unless it is zero.
  mutating func storeComputed(_ tensor: LoopTensor, _ index: [LoopIndex], _ value: LoopValue) {
    let element = tensor.type.element
    let stored: LoopValue =
      switch element {
      case .bool: .truth(.compare(.notEqual, value, .constant(0, LoopType(.u8))))
      case .f16, .bf16: .convert(value, LoopType(element), saturating: false)
      case .f32, .f64, .i8, .u8, .i16, .u16, .i32, .u32, .i64, .u64: value
      }
    store(tensor.buffer, tensor.offset(index), stored)
  }
}

extension LoopValue {
  /// A mask of one lane as an element of a tensor of bools.
  static func truth(_ mask: LoopValue) -> LoopValue {
    .select(mask, .constant(1, LoopType(.bool)), .constant(0, LoopType(.bool)))
  }

  /// The greater of two floats; NaN if either is NaN. Both are used twice.
  static func maximumOrNaN(_ a: LoopValue, _ b: LoopValue) -> LoopValue {
    .select(.compare(.notEqual, a, a), a, .maximum(a, b))
  }

  /// The lesser of two floats; NaN if either is NaN. Both are used twice.
  static func minimumOrNaN(_ a: LoopValue, _ b: LoopValue) -> LoopValue {
    .select(.compare(.notEqual, a, a), a, .minimum(a, b))
  }

  /// A literal of a type, rounded to float32 if that is the type.
  static func literal(_ value: Double, _ type: LoopType) -> LoopValue {
    .constant(type.element == .f32 ? Double(Float(value)) : value, type)
  }
}
