import IR

/// NumPy's `.npy` format, as far as tensors of floats need it.
///
/// Reads versions 1 to 3, either byte order, float32 as it is and float16 and float64 converted; refuses other types
/// and Fortran order with a message that says how to convert. Writes what `numpy.save` writes, byte for byte.
public enum NumpyFile {
  private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  /// The float32 tensor in a file.
  public static func read(_ path: String) throws -> TensorData {
    try parse(readFile(path), file: path)
  }

  /// The float32 tensor in a file's contents; `file` only names it in diagnostics.
  public static func parse(_ bytes: [UInt8], file: String) throws -> TensorData {
    func problem(_ what: String) -> Diagnostic { Diagnostic("\(file): \(what)") }
    guard bytes.count >= 10, bytes.starts(with: magic) else { throw problem("not a .npy file") }
    let version = bytes[6]
    guard (1...3).contains(version) else { throw problem("an .npy file of version \(version); 1 to 3 are known") }
    let wide = version > 1
    let start = wide ? 12 : 10
    guard bytes.count >= start else { throw problem("truncated in the header") }
    let length = (8..<start).reversed().reduce(0) { $0 << 8 | Int(bytes[$1]) }
    guard length <= bytes.count - start else { throw problem("truncated in the header") }
    guard let text = String(validating: bytes[start..<start + length], as: UTF8.self) else {
      throw problem("the .npy header is not text")
    }
    let header = try NumpyHeader(text, file: file)
    if header.isFortranOrder {
      throw problem("its array is in Fortran order; save it with numpy.ascontiguousarray")
    }
    guard let count = checkedProduct(header.shape), count <= bytes.count else {
      throw problem("truncated: \(header.shape) needs more data than the file has")
    }
    let data = Array(bytes[(start + length)...])
    guard data.count == count * header.element.byteCount else {
      throw problem(
        "\(header.shape) needs \(count * header.element.byteCount) bytes of data, and the file has \(data.count)")
    }
    let width = header.element.byteCount
    let little =
      header.isBigEndian ? (0..<data.count).map { data[$0 / width * width + (width - 1 - $0 % width)] } : data
    guard let floats = TensorData(element: header.element, shape: header.shape, bytes: little).convertedToFloat32()
    else { preconditionFailure("the header admits only floating point") }
    return floats
  }

  /// The contents of a `.npy` file of a float32 tensor.
  public static func contents(_ tensor: TensorData) -> [UInt8] {
    precondition(tensor.element == .f32, "only float32 is written")
    let sizes = tensor.shape.map(String.init).joined(separator: ", ")
    let shape = tensor.shape.count == 1 ? "(\(sizes),)" : "(\(sizes))"
    var header = Array("{'descr': '<f4', 'fortran_order': False, 'shape': \(shape), }".utf8)
    // The data starts at a multiple of 64, after a newline.
    let unpadded = magic.count + 4 + header.count + 1
    header += [UInt8](repeating: 0x20, count: (64 - unpadded % 64) % 64) + [0x0A]
    let length = [UInt8(truncatingIfNeeded: header.count), UInt8(truncatingIfNeeded: header.count >> 8)]
    return magic + [1, 0] + length + header + tensor.bytes
  }

  /// Writes a float32 tensor, whole or not at all.
  public static func write(_ tensor: TensorData, to path: String) throws {
    try writeFileAtomically(contents(tensor), to: path)
  }
}

/// The Python dictionary at the start of a `.npy` file.
private struct NumpyHeader {
  var element: ElementType = .f32
  var isBigEndian = false
  var isFortranOrder = false
  var shape: [Int] = []

  init(_ text: String, file: String) throws {
    func problem(_ what: String) -> Diagnostic { Diagnostic("\(file): \(what)") }
    guard let type = Self.value(of: "descr", in: text), let order = Self.value(of: "fortran_order", in: text),
      let sizes = Self.value(of: "shape", in: text)
    else { throw problem("the .npy header lacks descr, fortran_order or shape") }
    let name = type.filter { $0 != "'" && $0 != "\"" }
    isBigEndian = name.hasPrefix(">")
    switch name.dropFirst() {
    case "f4": element = .f32
    case "f8": element = .f64
    case "f2": element = .f16
    default:
      throw problem("its array has type \(name); expected float32 ('<f4'): convert it with .astype(numpy.float32)")
    }
    guard order == "True" || order == "False" else { throw problem("fortran_order is \(order), not True or False") }
    isFortranOrder = order == "True"
    guard sizes.hasPrefix("("), sizes.hasSuffix(")") else { throw problem("the shape \(sizes) is not a tuple") }
    for size in sizes.dropFirst().dropLast().split(separator: ",") {
      let digits = size.filter { $0 != " " }
      if digits.isEmpty { continue }
      guard let number = Int(digits), number >= 0 else { throw problem("the shape \(sizes) is not a tuple of sizes") }
      shape.append(number)
    }
  }

  /// The text after `'key':` up to the comma that ends it; one inside brackets does not.
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
