import IR

/// NumPy's `.npy` format, as far as tensors of floats need it.
///
/// Reads versions 1 to 3, either byte order, rows or columns first, float32 as it is and float16 and float64 converted;
/// refuses other types with a message that says how to convert. Writes what `numpy.save` writes, byte for byte.
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

  /// The contents of a `.npy` file of a float32 tensor.
  public static func contents(_ tensor: TensorData) -> [UInt8] {
    precondition(tensor.element == .f32, "only float32 is written")
    let sizes = tensor.shape.map(String.init).joined(separator: ", ")
    let shape = tensor.shape.count == 1 ? "(\(sizes),)" : "(\(sizes))"
    var header = Array("{'descr': '<f4', 'fortran_order': False, 'shape': \(shape), }".utf8)
    // The data starts at a multiple of 64, after a newline.
    let unpadded = NumpyHeader.magic.count + 4 + header.count + 1
    header += [UInt8](repeating: 0x20, count: (64 - unpadded % 64) % 64) + [0x0A]
    let length = [UInt8(truncatingIfNeeded: header.count), UInt8(truncatingIfNeeded: header.count >> 8)]
    return NumpyHeader.magic + [1, 0] + length + header + tensor.bytes
  }

  /// Writes a float32 tensor, whole or not at all.
  public static func write(_ tensor: TensorData, to path: String) throws {
    try writeFileAtomically(contents(tensor), to: path)
  }
}
