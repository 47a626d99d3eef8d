// One lane in strict C99: the spellings every target shares, because a vector target has scalars too.
//
// Integers wrap, so their arithmetic goes through an unsigned type. `min` and `max` are functions because their operands
// are used twice.

enum ScalarSpellings {
  /// Everything, with `fma` as the target has it.
  static func table(fusesMultiplyAdd: Bool) -> [String: String] {
    var table: [String: String] = [
      "and.mask": "{0} & {1}", "or.mask": "{0} | {1}", "xor.mask": "{0} ^ {1}", "not.mask": "!{0}",
      "prefetch": "",
    ]
    for element in [ElementType.f32, .f64] { addFloat(element, fusesMultiplyAdd, &table) }
    for element in ElementType.integers { addInteger(element, &table) }
    for operation in ["and", "or", "xor"] { table["\(operation).bool"] = "{0} \(infix[operation] ?? "") {1}" }
    addConversions(&table)
    return table
  }

  private static let infix = [
    "add": "+", "sub": "-", "mul": "*", "div": "/", "and": "&", "or": "|", "xor": "^", "shl": "<<", "shr": ">>",
    "lt": "<", "le": "<=", "eq": "==", "ne": "!=", "ge": ">=", "gt": ">",
  ]

  private static func addComparisons(_ element: ElementType, _ table: inout [String: String]) {
    for compare in LoopCompare.allCases {
      table["\(compare.rawValue).\(element.rawValue)"] = "{0} \(infix[compare.rawValue] ?? "") {1}"
    }
    for operation in ["min", "max"] {
      table["\(operation).\(element.rawValue)"] = "vigc_\(operation)_\(element.rawValue)({0}, {1})"
    }
  }

  private static func addFloat(_ element: ElementType, _ fuses: Bool, _ table: inout [String: String]) {
    let name = element.rawValue
    let suffix = element == .f32 ? "f" : ""
    for operation in ["add", "sub", "mul", "div"] {
      table["\(operation).\(name)"] = "{0} \(infix[operation] ?? "") {1}"
    }
    table["neg.\(name)"] = "-{0}"
    table["abs.\(name)"] = "fabs\(suffix)({0})"
    table["sqrt.\(name)"] = "sqrt\(suffix)({0})"
    table["floor.\(name)"] = "floor\(suffix)({0})"
    table["ceil.\(name)"] = "ceil\(suffix)({0})"
    table["round.\(name)"] = "rint\(suffix)({0})"
    table["fma.\(name)"] = fuses ? "fma\(suffix)({0}, {1}, {2})" : "{0} * {1} + {2}"
    addComparisons(element, &table)
  }

  private static func addInteger(_ element: ElementType, _ table: inout [String: String]) {
    let name = element.rawValue
    let type = element.cName
    let wide = element.wrappingName
    for operation in ["add", "sub", "mul", "shl"] {
      let count = operation == "shl" ? "{1}" : "(\(wide)){1}"
      table["\(operation).\(name)"] = "(\(type))((\(wide)){0} \(infix[operation] ?? "") \(count))"
    }
    for operation in ["and", "or", "xor", "shr"] {
      table["\(operation).\(name)"] = "(\(type))({0} \(infix[operation] ?? "") {1})"
    }
    table["div.\(name)"] = "vigc_div_\(name)({0}, {1})"
    table["not.\(name)"] = "(\(type))~{0}"
    table["neg.\(name)"] = "(\(type))(0u - (\(wide)){0})"
    table["abs.\(name)"] = element.isSigned ? "vigc_abs_\(name)({0})" : "{0}"
    addComparisons(element, &table)
  }

  private static func addConversions(_ table: inout [String: String]) {
    let computing = [ElementType.f32, .f64] + ElementType.integers
    for source in computing + [.bool] {
      for result in computing {
        let pair = "\(source.rawValue).\(result.rawValue)"
        table["convert.\(pair)"] = source == result ? "{0}" : "(\(result.cName)){0}"
        let fits = source == result || result.isFloat || source == .bool
        table["saturate.\(pair)"] =
          fits ? table["convert.\(pair)"] : "vigc_saturate_\(source.rawValue)_\(result.rawValue)({0})"
      }
    }
    for half in ["f16", "bf16"] {
      table["convert.\(half).f32"] = "vigc_\(half)_to_f32({0})"
      table["convert.f32.\(half)"] = "vigc_f32_to_\(half)({0})"
    }
    for (a, b) in sameSize {
      table["bits.\(a.rawValue).\(b.rawValue)"] =
        a.isFloat == b.isFloat || a.cName == b.cName
        ? "(\(b.cName)){0}" : "vigc_bits_\(a.rawValue)_\(b.rawValue)({0})"
    }
  }

  /// Pairs of types of one size, in both directions; half floats are bits already.
  private static var sameSize: [(ElementType, ElementType)] {
    let all = ElementType.allCases.filter { $0 != .bool }
    return all.flatMap { a in
      all.filter { b in
        a != b && a.byteCount == b.byteCount && !(a.byteCount == 2 && a.isFloat && b.isFloat)
          && !(a.byteCount == 2 && (a == .i16 || b == .i16) && (a.isFloat || b.isFloat))
      }.map { (a, $0) }
    } + [(.f16, .bf16), (.bf16, .f16), (.f16, .i16), (.i16, .f16), (.bf16, .i16), (.i16, .bf16)]
  }
}
