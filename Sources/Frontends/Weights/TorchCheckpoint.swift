import IR

/// What `torch.save` of PyTorch 1.6 and later writes: a zip archive of a pickle and, an entry each, the storages that the
/// pickle's tensors view.
///
///     name/data.pkl      nested dictionaries; a tensor names a storage, an offset, a shape and strides
///     name/data/0 ...    the storages' bytes
///     name/byteorder     `little`, in newer ones
///
/// Nothing is executed: see `Pickle`. Tensors are checked when the checkpoint is opened and read one by one.
struct TorchCheckpoint: Sendable {
  /// The tensors of the state dict that was asked for, by name.
  let tensors: [String: StoredTensor]

  /// Whether an archive is one.
  static func recognizes(_ archive: ZipArchive) -> Bool { pickle(in: archive) != nil }

  private static func pickle(in archive: ZipArchive) -> ZipArchive.Entry? {
    archive.entries.first { $0.name.hasSuffix("/data.pkl") }
  }

  /// - Parameter averaged: Whether the moving averages are wanted that training keeps beside the weights.
  init(_ archive: ZipArchive, file: String, averaged: Bool) throws {
    guard let entry = Self.pickle(in: archive) else { preconditionFailure("not a checkpoint") }
    let folder = entry.name.dropLast("data.pkl".count)
    if let order = archive["\(folder)byteorder"] {
      let text = String(decoding: try archive.contents(of: order, atMost: 64), as: UTF8.self)
      guard text == "little" else {
        throw Diagnostic("\(file) was saved on a machine of the byte order '\(text.shown)'; only 'little' is read")
      }
    }
    let pickle = try Pickle(parsing: archive.contents(of: entry, atMost: Pickle.longest), file: file)
    var tensors: [String: StoredTensor] = [:]
    for (name, tensor) in try StateDictionary.tensors(in: pickle, averaged: averaged, file: file) {
      let storage = tensor.storage
      guard let entry = archive["\(folder)data/\(storage.key)"] else {
        throw Diagnostic("\(file): tensor '\(name.shown)' lies in 'data/\(storage.key.shown)', which is not there")
      }
      guard storage.count <= entry.count / storage.element.byteCount else {
        throw Diagnostic(
          "\(file): the storage of tensor '\(name.shown)' claims \(storage.count) elements of "
            + "\(storage.element.rawValue) and takes \(entry.count) bytes")
      }
      do {
        let view = try StridedView(
          offset: tensor.offset, shape: tensor.shape, strides: tensor.strides, available: storage.count)
        // The last of equal names wins, as in Python.
        tensors[name] = Self.stored(view, storage.element, in: entry, of: archive, name: name, file: file)
      } catch let problem as StridedView.Problem {
        throw Diagnostic("\(file): tensor '\(name.shown)' \(problem.text)")
      }
    }
    self.tensors = tensors
  }

  private static func stored(
    _ view: StridedView, _ element: ElementType, in entry: ZipArchive.Entry, of archive: ZipArchive, name: String,
    file: String
  ) -> StoredTensor {
    StoredTensor(element: element, shape: view.shape) {
      let width = element.byteCount
      // Guards against hostile files: a small view of a large storage, or a storage that takes much inflating.
      let most = 16 * view.count * width + 1 << 16
      let touched = entry.isDeflated ? entry.count : view.span * width
      guard touched <= most else {
        throw Diagnostic(
          "\(file): tensor '\(name.shown)' takes \(view.count * width) bytes, spread over \(touched) of its storage",
          notes: ["store it by itself, in Python: tensor.clone()"])
      }
      let bytes = try archive.contents(of: entry, in: view.offset * width..<(view.offset + view.span) * width)
      return TensorData(element: element, shape: view.shape, bytes: view.gathered(bytes, width: width))
    }
  }
}
