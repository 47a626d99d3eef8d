import IR

/// The start of a `.npy` file: the type, order and shape of the array whose bytes follow.
struct NumpyHeader: Sendable {
  let element: ElementType
  let shape: [Int]
  /// Where the array's bytes begin.
  let dataStart: Int
  /// As the file spells the type: `<f4`.
  private let typeName: String
  private let isBigEndian: Bool
  private let isFortranOrder: Bool

  /// NumPy's header of a plain array takes 128 bytes.
  static let longest = 1 << 12
  /// The most axes that NumPy allows.
  private static let mostAxes = 64
  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  /// Reads the header of a file's contents, or of its first `longest` bytes.
  init(_ bytes: [UInt8], file: String) throws {
    func problem(_ what: String) -> Diagnostic { Diagnostic("\(file): \(what)") }
    guard bytes.count >= 10, bytes.starts(with: Self.magic) else { throw problem("not a .npy file") }
    let version = bytes[6]
    guard (1...3).contains(version) else { throw problem("an .npy file of version \(version); 1 to 3 are known") }
    var cursor = ByteCursor(bytes)
    guard cursor.skip(8), let length = cursor.integer(version > 1 ? 4 : 2), let header = cursor.take(length) else {
      throw problem("truncated in the header")
    }
    guard let text = String(validating: header, as: UTF8.self) else { throw problem("the .npy header is not text") }
    guard let type = Self.value(of: "descr", in: text), let order = Self.value(of: "fortran_order", in: text),
      let sizes = Self.value(of: "shape", in: text)
    else { throw problem("the .npy header lacks descr, fortran_order or shape") }
    dataStart = cursor.position
    typeName = type.filter { $0 != "'" && $0 != "\"" }
    isBigEndian = typeName.hasPrefix(">")
    guard let first = typeName.first, "<>|=".contains(first), let element = Self.types[String(typeName.dropFirst())]
    else {
      throw Self.wrongType(typeName, file: file)
    }
    self.element = element
    guard order == "True" || order == "False" else {
      throw problem("fortran_order is \(order.shown), not True or False")
    }
    isFortranOrder = order == "True"
    guard sizes.hasPrefix("("), sizes.hasSuffix(")") else { throw problem("the shape \(sizes.shown) is not a tuple") }
    shape = try sizes.dropFirst().dropLast().split(separator: ",").compactMap { size in
      let digits = size.filter { $0 != " " }
      if digits.isEmpty { return nil }
      guard let number = Int(digits), number >= 0 else {
        throw problem("the shape \(sizes.shown) is not a tuple of sizes")
      }
      return number
    }
    guard shape.count <= Self.mostAxes else { throw problem("its array has \(shape.count) axes") }
  }

  private static let types: [String: ElementType] = [
    "f2": .f16, "f4": .f32, "f8": .f64, "i1": .i8, "i2": .i16, "i4": .i32, "i8": .i64, "u1": .u8, "u2": .u16,
    "u4": .u32, "u8": .u64, "b1": .bool,
  ]

  /// How an element type is spelled, in little-endian order. bfloat16, which NumPy does not have, is spelled as
  /// float32.
  static func name(of element: ElementType) -> String {
    let name = types.first { $0.value == element }?.key ?? "f4"
    return (element.byteCount == 1 ? "|" : "<") + name
  }

  /// For an array of a type that its reader cannot use.
  func wrongType(file: String) -> Diagnostic { Self.wrongType(typeName, file: file) }

  private static func wrongType(_ name: String, file: String) -> Diagnostic {
    Diagnostic(
      "\(file): its array has type \(name.shown); expected float32 ('<f4'): convert it with .astype(numpy.float32)")
  }

  /// Throws unless this number of bytes is what the shape needs.
  func check(dataCount: Int, file: String) throws {
    guard let count = checkedProduct(shape), count <= dataCount else {
      throw Diagnostic("\(file): truncated: \(shape) needs more data than the file has")
    }
    guard dataCount == count * element.byteCount else {
      throw Diagnostic(
        "\(file): \(shape) needs \(count * element.byteCount) bytes of data, and the file has \(dataCount)")
    }
  }

  /// The array, from bytes that `check` has let pass.
  func tensor(_ data: [UInt8]) -> TensorData {
    let width = element.byteCount
    var bytes = data
    if isBigEndian { bytes = data.indices.map { data[$0 / width * width + (width - 1 - $0 % width)] } }
    if isFortranOrder {
      guard let view = try? StridedView.columnMajor(shape) else { preconditionFailure("a shape that was not checked") }
      bytes = view.gathered(bytes, width: width)
    }
    return TensorData(element: element, shape: shape, bytes: bytes)
  }

  /// The text after `'key':` up to the comma that ends it; a comma inside brackets does not end it.
  private static func value(of key: String, in text: String) -> String? {
    for quote in ["'", "\""] {
      guard let range = text.firstRange(of: "\(quote)\(key)\(quote):") else { continue }
      var value = ""
      var depth = 0
      for character in text[range.upperBound...] {
        if character == "(" || character == "[" { depth += 1 }
        if depth == 0 && (character == "," || character == "}") { break }
        if character == ")" || character == "]" { depth -= 1 }
        value.append(character)
      }
      return value.split(separator: " ").joined(separator: " ")
    }
    return nil
  }
}
