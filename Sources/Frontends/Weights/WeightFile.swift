import IR

/// A file of weights: a PyTorch checkpoint, a safetensors file or NumPy's `.npz`, told apart by what is in it.
///
/// Opening one reads what it says of its tensors, and checks that. Their contents come later, one by one.
struct WeightFile: Sendable {
  let tensors: [String: StoredTensor]
  /// With its article.
  let format: String

  /// - Parameter averaged: Whether the moving averages are wanted that a training checkpoint may hold.
  init(path: String, averaged: Bool = false) throws {
    try self.init(RandomAccessBytes(path: path), averaged: averaged)
  }

  init(_ bytes: RandomAccessBytes, averaged: Bool = false) throws {
    let file = bytes.file
    let start = try bytes.prefix(9)
    // This format is recognised first: the length of a header may look like another format's magic number.
    let isSafetensors = start.count == 9 && start[4..<8].allSatisfy { $0 == 0 } && start[8] == UInt8(ascii: "{")
    let archive = !isSafetensors && start.starts(with: ZipArchive.magic) ? try ZipArchive(bytes) : nil
    if let archive, TorchCheckpoint.recognizes(archive) {
      tensors = try TorchCheckpoint(archive, file: file, averaged: averaged).tensors
      format = "a PyTorch checkpoint"
      return
    }
    // A pickle of protocol 2 or later.
    if !isSafetensors, start.count >= 2, start[0] == 0x80, (2...5).contains(start[1]) {
      throw Diagnostic(
        "\(file) is a bare pickle, as PyTorch wrote before version 1.6; only its zip archives are read",
        notes: ["convert it, in Python: torch.save(torch.load(\"old.pth\", weights_only=True), \"new.pth\")"])
    }
    if averaged {
      throw Diagnostic("\(file) is not a PyTorch checkpoint, and only those hold EMA copies: leave out --ema")
    }
    if let archive {
      guard archive.entries.contains(where: { $0.name.hasSuffix(NumpyWeights.suffix) }) else {
        throw Diagnostic("\(file) is a zip archive, but neither a PyTorch checkpoint nor .npz")
      }
      tensors = try NumpyWeights.tensors(in: archive, file: file)
      format = "an .npz archive"
      return
    }
    if !isSafetensors && Self.zipSuffixes.contains(where: file.hasSuffix) {
      throw Diagnostic("\(file) is not a zip archive, as PyTorch and NumPy write them: damaged, or of another program")
    }
    tensors = try Safetensors.stored(in: bytes)
    format = "a safetensors file"
  }

  private static let zipSuffixes = [".pth", ".pt", ".pth.tar", ".npz"]
}
