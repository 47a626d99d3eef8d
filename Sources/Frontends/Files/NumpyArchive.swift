import IR

/// NumPy's `.npz` format: a zip archive, nothing compressed, of a `.npy` file for each tensor. The same tensors give the
/// same bytes.
public enum NumpyArchive {
  /// Sizes and offsets have 32 bits.
  private static let mostBytes = Int(UInt32.max)

  /// Writes tensors, whole or not at all: to a `.npz` file by their names, a single one also to a `.npy` file.
  public static func write(_ tensors: [(name: String, data: TensorData)], to path: String) throws {
    if path.hasSuffix(".npz") { return try writeFileAtomically(contents(tensors), to: path) }
    guard tensors.count == 1 else {
      throw Diagnostic("\(path) cannot hold \(tensors.count) outputs; give it a name that ends in .npz")
    }
    try NumpyFile.write(tensors[0].data, to: path)
  }

  /// The contents of a `.npz` file. If a name comes again, the later ones get a number.
  public static func contents(_ tensors: [(name: String, data: TensorData)]) throws -> [UInt8] {
    var files: [UInt8] = []
    var directory: [UInt8] = []
    var names: Set<String> = []
    for (given, data) in tensors {
      var name = given
      var number = 0
      while !names.insert(name).inserted {
        number += 1
        name = "\(given).\(number)"
      }
      let contents = NumpyFile.contents(data)
      let path = Array("\(name).npy".utf8)
      let offset = files.count
      guard offset + contents.count + directory.count <= mostBytes - (1 << 20), path.count < 1 << 16 else {
        throw Diagnostic("the outputs are larger than the 4 GiB that a .npz file holds")
      }
      let entry = header(contents, nameLength: path.count)
      files += little(0x0403_4B50, 4) + entry + path + contents
      // Written by format version 2.0; no comment, first disk, no attributes.
      directory += little(0x0201_4B50, 4) + little(20, 2) + entry
      directory += little(0, 2) + little(0, 2) + little(0, 2) + little(0, 4) + little(offset, 4) + path
    }
    let counts = little(tensors.count, 2) + little(tensors.count, 2)
    let place = little(directory.count, 4) + little(files.count, 4)
    return files + directory + little(0x0605_4B50, 4) + little(0, 4) + counts + place + little(0, 2)
  }

  /// What the header of a file and its entry in the directory share: version 2.0, names in UTF-8, stored uncompressed,
  /// dated the first of January 1980, which is the zero of these dates.
  private static func header(_ contents: [UInt8], nameLength: Int) -> [UInt8] {
    let date = 1 << 5 | 1
    let fixed = little(20, 2) + little(1 << 11, 2) + little(0, 2) + little(0, 2) + little(date, 2)
    let sizes = little(Int(ZipArchive.checksum(contents)), 4) + little(contents.count, 4) + little(contents.count, 4)
    return fixed + sizes + little(nameLength, 2) + little(0, 2)
  }

  private static func little(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}
