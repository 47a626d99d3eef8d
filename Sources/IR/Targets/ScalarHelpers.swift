// Definitions of the functions that scalar spellings call.

enum ScalarHelpers {
  static let all: [String: String] = {
    var helpers = halves.merging(indices) { first, _ in first }
    for element in [ElementType.f32, .f64] + ElementType.integers {
      let name = element.rawValue
      let type = element.cName
      helpers["vigc_min_\(name)"] = function(type, "vigc_min_\(name)", two(type), "return a < b ? a : b;")
      helpers["vigc_max_\(name)"] = function(type, "vigc_max_\(name)", two(type), "return a > b ? a : b;")
      // Floats have fabs, and an unsigned number is its own absolute value.
      if element.isFloat || !element.isSigned { continue }
      helpers["vigc_abs_\(name)"] = function(
        type, "vigc_abs_\(name)", "\(type) a", "return a < 0 ? (\(type))(0u - (\(element.wrappingName))a) : a;")
    }
    for element in ElementType.integers {
      let type = element.cName
      let name = "vigc_div_\(element.rawValue)"
      let ofLeast =
        element.isSigned ? ["if (b == -1) {", "  return (\(type))(0u - (\(element.wrappingName))a);", "}"] : []
      let lines = ["if (b == 0) {", "  return 0;", "}"] + ofLeast + ["return (\(type))(a / b);"]
      helpers[name] =
        "static inline \(type) \(name)(\(two(type)))\n{\n" + lines.map { "  \($0)\n" }.joined() + "}"
    }
    for source in [ElementType.f32, .f64] + ElementType.integers {
      for result in ElementType.integers where result != source {
        let name = "vigc_saturate_\(source.rawValue)_\(result.rawValue)"
        helpers[name] = saturate(name, source, result)
      }
    }
    for a in [ElementType.f32, .f64] {
      for b in ElementType.integers where a.byteCount == b.byteCount {
        for (from, to) in [(a, b), (b, a)] {
          let name = "vigc_bits_\(from.rawValue)_\(to.rawValue)"
          helpers[name] = function(
            to.cName, name, "\(from.cName) a", "\(to.cName) b;", "memcpy(&b, &a, sizeof b);", "return b;")
        }
      }
    }
    return helpers
  }()

  /// `static inline`, with each statement of the body on a line of its own.
  static func function(_ type: String, _ name: String, _ parameters: String, _ body: String...) -> String {
    "static inline \(type) \(name)(\(parameters))\n{\n" + body.map { "  \($0)\n" }.joined() + "}"
  }

  private static func two(_ type: String) -> String { "\(type) a, \(type) b" }

  /// NaN becomes 0; floats truncate first.
  private static func saturate(_ name: String, _ source: ElementType, _ result: ElementType) -> String {
    let limit = result.cName.dropLast(2).uppercased()
    let low = result.isSigned ? "\(limit)_MIN" : "0"
    let type = result.cName
    let parameter = "\(source.cName) a"
    if source.isFloat {
      // Powers of two are exact in both float types; the largest integer may not be.
      let bits = result.byteCount * 8 - (result.isSigned ? 1 : 0)
      let top = "0x1p\(bits)" + (source == .f32 ? "f" : "")
      let bottom = result.isSigned ? "-\(top)" : (source == .f32 ? "0.0f" : "0.0")
      return function(
        type, name, parameter, "if (a != a) {", "  return 0;", "}", "if (a <= \(bottom)) {", "  return \(low);", "}",
        "return a >= \(top) ? \(limit)_MAX : (\(type))a;")
    }
    guard let from = source.integerRange, let to = result.integerRange else {
      preconditionFailure("\(source) and \(result) are integers")
    }
    var tests: [String] = []
    if source.isSigned && from.lowerBound < to.lowerBound {
      tests += ["if (a < \(low)) {", "  return \(low);", "}"]
    }
    // u64 does not fit an Int: its range is cut, and i64 to u64 has no upper limit.
    let exceeds = source == .u64 || (from.upperBound > to.upperBound && result != .u64)
    if exceeds && result != .u64 {
      let widened = source.isSigned == result.isSigned ? "" : "(\(source.wrappingName))"
      let limitName = source.isSigned ? "\(limit)_MAX" : "\(widened)\(limit)_MAX"
      tests += ["if (a > \(limitName)) {", "  return \(limit)_MAX;", "}"]
    }
    let lines = tests + ["return (\(type))a;"]
    return "static inline \(type) \(name)(\(parameter))\n{\n" + lines.map { "  \($0)\n" }.joined() + "}"
  }

  private static let indices: [String: String] = [
    "vigc_floor_div": function(
      "ptrdiff_t", "vigc_floor_div", "ptrdiff_t a, ptrdiff_t b", "return a / b - (a % b < 0);"),
    "vigc_floor_mod": function(
      "ptrdiff_t", "vigc_floor_mod", "ptrdiff_t a, ptrdiff_t b", "return a % b + (a % b < 0 ? b : 0);"),
    "vigc_min_index": function("ptrdiff_t", "vigc_min_index", "ptrdiff_t a, ptrdiff_t b", "return a < b ? a : b;"),
    "vigc_max_index": function("ptrdiff_t", "vigc_max_index", "ptrdiff_t a, ptrdiff_t b", "return a > b ? a : b;"),
  ]

  private static let halves: [String: String] = [
    "vigc_bf16_to_f32": function(
      "float", "vigc_bf16_to_f32", "uint16_t a", "return vigc_bits_u32_f32((uint32_t)a << 16);"),
    "vigc_f32_to_bf16": function(
      "uint16_t", "vigc_f32_to_bf16", "float a", "const uint32_t bits = vigc_bits_f32_u32(a);", "if (a != a) {",
      "  return (uint16_t)(bits >> 16 | 0x40u);", "}",
      "return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);"),
    // Subnormals and the rest differ only in the scale of the mantissa.
    "vigc_f16_to_f32": function(
      "float", "vigc_f16_to_f32", "uint16_t a", "const uint32_t sign = (uint32_t)(a & 0x8000u) << 16;",
      "const uint32_t magnitude = a & 0x7fffu;", "if (magnitude >= 0x7c00u) {",
      "  const uint32_t quiet = magnitude > 0x7c00u ? 0x400000u : 0u;",
      "  return vigc_bits_u32_f32(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13 | quiet);", "}",
      "if (magnitude < 0x400u) {", "  const float small = (float)magnitude * 0x1p-24f;",
      "  return sign != 0 ? -small : small;", "}",
      "return vigc_bits_u32_f32(sign | ((magnitude << 13) + 0x38000000u));"),
    "vigc_f32_to_f16": function(
      "uint16_t", "vigc_f32_to_f16", "float a", "const uint32_t bits = vigc_bits_f32_u32(a);",
      "const uint32_t sign = bits >> 16 & 0x8000u;", "const uint32_t magnitude = bits & 0x7fffffffu;",
      "if (magnitude > 0x7f800000u) {", "  return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));", "}",
      "if (magnitude >= 0x477ff000u) {", "  return (uint16_t)(sign | 0x7c00u);", "}",
      "if (magnitude < 0x38800000u) {", "  const float scaled = vigc_bits_u32_f32(magnitude) * 0x1p24f;",
      "  return (uint16_t)(sign | (uint32_t)rintf(scaled));", "}",
      "return (uint16_t)(sign | ((magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13));"),
  ]
}
