import IR

/// Identifiers of one C function: no two alike, no keyword, nothing that a standard header or the library itself uses.
struct CNames {
  private var taken: Set<String>

  init(reserved: some Sequence<String> = []) {
    taken = CNames.words.union(reserved)
  }

  /// `hint`, or `hint_1`, `hint_2`, ... if it is taken.
  mutating func fresh(_ hint: String) -> String {
    let base = CNames.identifier(hint)
    var name = base
    var count = 0
    while !taken.insert(name).inserted {
      count += 1
      name = "\(base)_\(count)"
    }
    return name
  }

  /// `text` with everything that C does not allow in a name replaced.
  static func identifier(_ text: String) -> String {
    let allowed = text.unicodeScalars.map { scalar -> String in
      let isLetter = ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || scalar == "_"
      return isLetter || ("0"..."9").contains(scalar) ? String(scalar) : "_"
    }.joined()
    guard let first = allowed.first else { return "x" }
    return first.isNumber || first == "_" ? "x" + allowed : allowed
  }

  private static let words: Set<String> = [
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "float",
    "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed", "sizeof",
    "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while", "asm", "typeof",
    "linux", "unix", "near", "far", "errno", "NULL", "INFINITY", "NAN", "I", "m", "worker", "task", "arguments",
    "fabs", "fabsf", "sqrt", "sqrtf", "floor", "floorf", "ceil", "ceilf", "rint", "rintf", "fma", "fmaf", "memcpy",
    "y0", "y1", "yn", "j0", "j1", "jn", "exp", "log", "pow", "sin", "cos", "gamma", "index", "round", "div", "abs",
    "acos", "asin", "atan", "atan2", "tan", "acosh", "asinh", "atanh", "cosh", "sinh", "tanh", "erf", "erfc", "exp2",
    "expm1", "log1p", "log2", "log10", "logb", "ilogb", "lgamma", "tgamma", "modf", "fmod", "hypot", "cbrt", "trunc",
    "nearbyint", "copysign", "nan", "nextafter", "fdim", "fmax", "fmin", "frexp", "ldexp", "scalb", "lround", "lrint",
    "isnan", "isinf", "signbit", "conj", "free", "malloc", "exit", "abort", "memset", "memmove", "strlen",
    "remainder", "signal", "select", "min", "max", "main",
  ]
}
