import IR

/// The arrays of NumPy's `.npz`, a zip archive of `.npy` files: what `numpy.savez` and `savez_compressed` write.
enum NumpyWeights {
  static let suffix = ".npy"

  /// The arrays by their names without the suffix.
  static func tensors(in archive: ZipArchive, file: String) throws -> [String: StoredTensor] {
    var result: [String: StoredTensor] = [:]
    for entry in archive.entries {
      let label = "\(file): '\(entry.name.shown)'"
      guard entry.name.hasSuffix(suffix) else { throw Diagnostic("\(label) is no .npy file") }
      let start = try archive.contents(of: entry, in: 0..<min(entry.count, NumpyHeader.longest))
      let header = try NumpyHeader(start, file: label)
      try header.check(dataCount: entry.count - header.dataStart, file: label)
      let name = String(entry.name.dropLast(suffix.count))
      result[name] = StoredTensor(element: header.element, shape: header.shape) {
        let bytes = try archive.contents(of: entry, in: 0..<entry.count)
        return header.tensor(Array(bytes[header.dataStart...]))
      }
    }
    return result
  }
}
