/// The identifiers in a piece of C text, in order of appearance.
public struct CIdentifiers: Sequence, IteratorProtocol {
  /// What needs <math.h>.
  public static let mathNames: Set<String> = [
    "fabs", "fabsf", "sqrt", "sqrtf", "floor", "floorf", "ceil", "ceilf", "rint", "rintf", "fma", "fmaf", "INFINITY",
    "NAN",
  ]

  private var rest: Substring.UTF8View

  public init(_ text: String) { rest = Substring(text).utf8 }

  public mutating func next() -> String? {
    while let first = rest.first {
      let isStart = CIdentifiers.isLetter(first)
      let isDigit = CIdentifiers.isDigit(first)
      guard isStart || isDigit else {
        rest.removeFirst()
        continue
      }
      let word = rest.prefix { CIdentifiers.isLetter($0) || CIdentifiers.isDigit($0) }
      rest = rest[word.endIndex...]
      if isStart { return String(Substring(word)) }
    }
    return nil
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
      || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
