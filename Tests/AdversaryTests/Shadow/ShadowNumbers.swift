import IR

/// Numbers as the shadow keeps them: integers as themselves, u64 and floats as their bits, masks and bools as 0 and 1.
enum ShadowNumbers {
  /// The low bytes of `bits` as an element.
  static func integer(bits: UInt64, _ element: ElementType) -> Int {
    switch element {
    case .i8: Int(Int8(truncatingIfNeeded: bits))
    case .i16: Int(Int16(truncatingIfNeeded: bits))
    case .i32: Int(Int32(truncatingIfNeeded: bits))
    case .i64, .u64, .f64: Int(truncatingIfNeeded: bits)
    case .u8, .bool: Int(UInt8(truncatingIfNeeded: bits))
    case .u16, .f16, .bf16: Int(UInt16(truncatingIfNeeded: bits))
    case .u32, .f32: Int(UInt32(truncatingIfNeeded: bits))
    }
  }

  /// What an integer is, u64 included.
  static func exact(_ value: Int, _ element: ElementType) -> Int128 {
    element == .u64 ? Int128(UInt64(bitPattern: Int64(value))) : Int128(value)
  }

  static func isInside(_ value: Int, _ element: ElementType, _ range: ClosedRange<Int>) -> Bool {
    // No range can name what a u64 beyond Int is.
    element == .u64 && value < 0 ? false : range.contains(value)
  }

  /// All that the type can hold.
  static func limits(_ element: ElementType) -> (low: Int128, high: Int128) {
    if element == .u64 { return (0, Int128(UInt64.max)) }
    let range = element.integerRange ?? 0...0
    return (Int128(range.lowerBound), Int128(range.upperBound))
  }

  static func real(_ value: Int, _ element: ElementType) -> Double {
    switch element {
    case .f32: Double(Float(bitPattern: UInt32(truncatingIfNeeded: value)))
    case .f64: Double(bitPattern: UInt64(bitPattern: Int64(value)))
    case .bf16: Double(Float(bitPattern: UInt32(truncatingIfNeeded: value) << 16))
    case .f16: Double(float(f16: UInt16(truncatingIfNeeded: value)))
    case .u64: Double(UInt64(bitPattern: Int64(value)))
    case .i8, .u8, .i16, .u16, .i32, .u32, .i64, .bool: Double(value)
    }
  }

  static func bits(_ value: Double, _ element: ElementType) -> Int {
    switch element {
    case .f32: Int(Float(value).bitPattern)
    case .f64: Int(bitPattern: UInt(value.bitPattern))
    case .bf16: Int(bf16(Float(value)))
    case .f16: Int(f16(Float(value)))
    case .i8, .u8, .i16, .u16, .i32, .u32, .i64, .u64, .bool: preconditionFailure("\(element) is no float")
    }
  }

  private static func float(f16 bits: UInt16) -> Float {
    let magnitude = Int(bits & 0x7FFF)
    let sign: Float = bits & 0x8000 == 0 ? 1 : -1
    if magnitude >= 0x7C00 { return magnitude == 0x7C00 ? sign * .infinity : .nan }
    let (exponent, fraction) = (magnitude >> 10, magnitude & 0x3FF)
    if exponent == 0 { return sign * Float(fraction) * 0x1p-24 }
    return sign * Float(sign: .plus, exponent: exponent - 25, significand: Float(fraction + 1024))
  }

  /// To the nearest, ties to even, by looking for it.
  private static func f16(_ value: Float) -> UInt16 {
    let sign: UInt16 = value.sign == .minus ? 0x8000 : 0
    if value.isNaN { return sign | 0x7E00 }
    let magnitude = value.magnitude
    if magnitude >= 65520 { return sign | 0x7C00 }
    var (low, high) = (0, 0x7C00)
    while high - low > 1 {
      let middle = (low + high) / 2
      if float(f16: UInt16(middle)) <= magnitude { low = middle } else { high = middle }
    }
    // Beyond the largest number comes what would be the next one.
    let above: Float = high == 0x7C00 ? 65536 : float(f16: UInt16(high))
    let (down, up) = (magnitude - float(f16: UInt16(low)), above - magnitude)
    return sign | UInt16(down < up || (down == up && low.isMultiple(of: 2)) ? low : high)
  }

  private static func bf16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    if value.isNaN { return UInt16(bits >> 16) | 0x40 }
    return UInt16((UInt64(bits) + 0x7FFF + UInt64(bits >> 16 & 1)) >> 16)
  }

  // MARK: conversions

  /// One lane from a type to another. What a float that does not fit becomes without saturating is nobody's to say: see `fits`.
  static func converter(
    _ from: ElementType, _ to: ElementType, isSaturating: Bool
  ) -> (Int) -> Int {
    if to.isFloat {
      if from.isFloat { return { bits(real($0, from), to) } }
      if to == .f64 { return { bits(real($0, from), .f64) } }
      // Straight to Float: by way of Double it would round twice.
      return { value in
        let single = from == .u64 ? Float(UInt64(bitPattern: Int64(value))) : Float(value)
        return bits(Double(single), to)
      }
    }
    let (low, high) = limits(to)
    if from.isFloat {
      return { value in
        let number = real(value, from).rounded(.towardZero)
        if number.isNaN { return 0 }
        if number < Double(low) { return integer(low, to) }
        return integer(number >= Double(high) ? high : Int128(number), to)
      }
    }
    if to == .bool { return { $0 == 0 ? 0 : 1 } }
    if isSaturating { return { integer(min(max(exact($0, from), low), high), to) } }
    return { integer(Int128($0), to) }
  }

  /// Whether a float, towards zero, is an integer of the type.
  static func fits(_ value: Int, _ from: ElementType, _ to: ElementType) -> Bool {
    let number = real(value, from).rounded(.towardZero)
    guard number.isFinite, number.magnitude < 0x1p100 else { return false }
    let (low, high) = limits(to)
    return (low...high).contains(Int128(number))
  }

  /// Wrapped into the type.
  private static func integer(_ value: Int128, _ element: ElementType) -> Int {
    integer(bits: UInt64(truncatingIfNeeded: value), element)
  }
}
