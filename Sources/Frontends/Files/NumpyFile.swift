import IR

/// NumPy's `.npy` format, as far as tensors need it.
///
/// Reads versions 1 to 3, either byte order, rows or columns first. If float32 is wanted, float16 and float64 are
/// converted, and other types are refused with a message that says how to convert. Writes what `numpy.save` writes,
/// byte for byte. NumPy does not have bfloat16, which is written as float32.
public enum NumpyFile {
  /// The float32 tensor in a file.
  public static func read(_ path: String) throws -> TensorData {
    try parse(readFile(path), file: path)
  }

  /// The float32 tensor in a file's contents; `file` only names it in diagnostics.
  public static func parse(_ bytes: [UInt8], file: String) throws -> TensorData {
    let header = try NumpyHeader(bytes, file: file)
    try header.check(dataCount: bytes.count - header.dataStart, file: file)
    guard let floats = header.tensor(Array(bytes[header.dataStart...])).convertedToFloat32() else {
      throw header.wrongType(file: file)
    }
    return floats
  }

  /// The tensor in a file, for a model's own element type. The file must have that type, except that other floats are
  /// converted to float32 and bfloat16.
  public static func read(_ path: String, as element: ElementType) throws -> TensorData {
    if element == .f32 { return try read(path) }
    if element == .bf16 {
      let single = try read(path)
      return TensorData(.bf16, shape: single.shape, single.floats.map(Double.init))
    }
    let bytes = try readFile(path)
    let header = try NumpyHeader(bytes, file: path)
    try header.check(dataCount: bytes.count - header.dataStart, file: path)
    guard header.element == element else {
      throw Diagnostic(
        "\(path): its array is of \(header.element.rawValue), and \(element.rawValue) is needed: "
          + "convert it with .astype('\(NumpyHeader.name(of: element))')")
    }
    return header.tensor(Array(bytes[header.dataStart...]))
  }

  /// The contents of a `.npy` file of a tensor.
  public static func contents(_ tensor: TensorData) -> [UInt8] {
    var tensor = tensor
    if tensor.element == .bf16, let single = tensor.convertedToFloat32() { tensor = single }
    let sizes = tensor.shape.map(String.init).joined(separator: ", ")
    let shape = tensor.shape.count == 1 ? "(\(sizes),)" : "(\(sizes))"
    var header = Array(
      "{'descr': '\(NumpyHeader.name(of: tensor.element))', 'fortran_order': False, 'shape': \(shape), }".utf8)
    // The data starts at a multiple of 64, after a newline.
    let unpadded = NumpyHeader.magic.count + 4 + header.count + 1
    header += [UInt8](repeating: 0x20, count: (64 - unpadded % 64) % 64) + [0x0A]
    let length = [UInt8(truncatingIfNeeded: header.count), UInt8(truncatingIfNeeded: header.count >> 8)]
    return NumpyHeader.magic + [1, 0] + length + header + tensor.bytes
  }

  /// Writes a tensor, whole or not at all.
  public static func write(_ tensor: TensorData, to path: String) throws {
    try writeFileAtomically(contents(tensor), to: path)
  }
}
