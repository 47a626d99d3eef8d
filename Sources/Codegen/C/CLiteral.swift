import IR

/// Numbers as C writes them: exact, and no longer than that takes.
enum CLiteral {
  static func expression(_ value: Double, _ element: ElementType) -> CExpression {
    switch element {
    case .f32: return float(value, suffix: "f", digits: 23)
    case .f64: return float(value, suffix: "", digits: 52)
    case .f16: return .literal("0x\(String(UInt32(halfBits(Float(value))), radix: 16))")
    case .bf16: return .literal("0x\(String(Float(value).bitPattern >> 16, radix: 16))")
    case .i8, .u8, .i16, .u16, .i32, .u32, .i64, .u64, .bool: return integer(value, element)
    }
  }

  /// A C string; what is not printable ASCII becomes `?`.
  static func string(_ text: String) -> String {
    let safe = text.unicodeScalars.map { scalar -> String in
      if scalar == "\"" || scalar == "\\" { return "\\\(scalar)" }
      return (32..<127).contains(scalar.value) ? String(scalar) : "?"
    }
    return "\"\(safe.joined())\""
  }

  private static func integer(_ value: Double, _ element: ElementType) -> CExpression {
    let suffix =
      switch element {
      case .u32: "u"
      case .i64: "LL"
      case .u64: "uLL"
      case .i8, .u8, .i16, .u16, .i32, .bool, .f32, .f64, .f16, .bf16: ""
      }
    // C reads -2147483648 as a minus and 2147483648, which does not fit an int.
    if value == -2_147_483_648 && element == .i32 { return .name("INT32_MIN") }
    if value == -9_223_372_036_854_775_808 { return .name("INT64_MIN") }
    if value < 0 { return .prefix("-", .literal("\(UInt64(-value))\(suffix)")) }
    return .literal("\(UInt64(value))\(suffix)")
  }

  private static func float(_ value: Double, suffix: String, digits: Int) -> CExpression {
    if value.isNaN { return .name("NAN") }
    if value.isInfinite { return value < 0 ? .prefix("-", .name("INFINITY")) : .name("INFINITY") }
    if value.sign == .minus { return .prefix("-", float(-value, suffix: suffix, digits: digits)) }
    // Small multiples of 1/64 are exact in decimal and easier to read.
    if value < 1_000_000, (value * 64).rounded() == value * 64 { return .literal("\(value)\(suffix)") }
    return .literal(hexadecimal(value) + suffix)
  }

  /// `0x1.8p+3`.
  private static func hexadecimal(_ value: Double) -> String {
    if value == 0 { return "0x0p+0" }
    let significand = value.significand
    let bits = (significand - 1) * 0x1p52
    var digits = ""
    if bits != 0 {
      let text = String(UInt64(bits), radix: 16)
      digits = String(repeating: "0", count: 13 - text.count) + text
      while digits.hasSuffix("0") { digits.removeLast() }
    }
    let exponent = value.exponent
    return "0x1" + (digits.isEmpty ? "" : "." + digits) + "p" + (exponent < 0 ? "" : "+") + "\(exponent)"
  }

  /// IEEE half bits of `value`, rounded to nearest, ties to even.
  static func halfBits(_ value: Float) -> UInt16 {
    let sign = UInt16(truncatingIfNeeded: value.bitPattern >> 16) & 0x8000
    let size = value.magnitude
    if size.isNaN { return sign | 0x7e00 }
    if size >= 65520 { return sign | 0x7c00 }
    if size < 0x1p-14 { return sign | UInt16((size * 0x1p24).rounded(.toNearestOrEven)) }
    let bits = size.bitPattern - 0x3800_0000
    return sign | UInt16((bits + 0xfff + (bits >> 13 & 1)) >> 13)
  }
}
