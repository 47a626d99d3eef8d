import IR

/// The data in a Python pickle, as far as `torch.save` needs it to write tensors in dictionaries.
///
/// A pickle is a program for a stack machine that may call anything. This machine calls nothing: it knows the names in
/// `Global`, which it treats as data, and refuses every other name and every opcode outside of `Opcode`. Containers lie
/// in a table and are referred to by number, so that one may be filled after others refer to it. When all is read, no
/// container may hold itself, however deep.
struct Pickle: Sendable {
  enum Value: Hashable, Sendable {
    case none
    case bool(Bool)
    case integer(Int)
    /// An integer that 64 bits do not hold, like the seed of a generator: skipped, never used.
    case longInteger
    case float(Double)
    case string(String)
    case global(Global)
    /// A number of `containers`.
    case container(Int)
    /// A number of `storages`.
    case storage(Int)
    /// A number of `tensors`.
    case tensor(Int)
    /// `argparse.Namespace`: the options that training scripts store beside the weights. Skipped, never used.
    case namespace
    /// Bytes, and NumPy's numbers, arrays and types: the best score, the state of a generator. Read past, never used.
    case passedOver
  }

  enum Container: Sendable {
    case tuple([Value])
    case list([Value])
    case dictionary([(key: Value, value: Value)])
  }

  /// The names that a pickle of tensors may use.
  enum Global: Hashable, Sendable {
    case orderedDictionary
    case namespace
    case rebuildTensor
    case rebuildParameter
    case storage(ElementType)
    /// What makes something that is read past, out of whatever it is given.
    case passedOver

    init?(module: String, name: String) {
      switch (module, name) {
      case ("collections", "OrderedDict"): self = .orderedDictionary
      case ("argparse", "Namespace"): self = .namespace
      case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
      case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
      case ("torch", _):
        guard let element = Self.storages[name] else { return nil }
        self = .storage(element)
      // How protocol 2 writes bytes.
      case ("_codecs", "encode"), ("__builtin__", "bytes"), ("builtins", "bytes"), ("builtins", "bytearray"):
        self = .passedOver
      // NumPy 2 has its parts under another name.
      case ("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"),
        ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"),
        ("numpy.core.numeric", "_frombuffer"), ("numpy._core.numeric", "_frombuffer"):
        self = .passedOver
      case ("numpy", _):
        guard Self.numpyTypes.contains(name) else { return nil }
        self = .passedOver
      default: return nil
      }
    }

    private static let numpyTypes: Set<String> = [
      "dtype", "ndarray", "bool", "bool_", "int8", "int16", "int32", "int64", "intc", "longlong", "uint8", "uint16",
      "uint32", "uint64", "uintc", "ulonglong", "float16", "float32", "float64", "longdouble", "complex64",
      "complex128", "str_", "bytes_", "datetime64", "timedelta64",
    ]

    private static let storages: [String: ElementType] = [
      "FloatStorage": .f32, "DoubleStorage": .f64, "HalfStorage": .f16, "BFloat16Storage": .bf16,
      "LongStorage": .i64, "IntStorage": .i32, "ShortStorage": .i16, "CharStorage": .i8, "ByteStorage": .u8,
      "BoolStorage": .bool,
    ]
  }

  /// Bytes that tensors view: an entry of the archive.
  struct Storage: Hashable, Sendable {
    var element: ElementType
    var key: String
    /// How many elements it holds.
    var count: Int
  }

  /// A view of a storage, in elements; nothing of it is checked yet.
  struct Tensor: Hashable, Sendable {
    var storage: Storage
    var offset: Int
    var shape: [Int]
    var strides: [Int]
  }

  var root = Value.none
  var containers: [Container] = []
  var tensors: [Tensor] = []
  var storages: [Storage] = []

  /// Real ones take less than 2 MB.
  static let longest = 1 << 24

  /// Reads a pickle; `file` only names it in diagnostics.
  init(parsing bytes: [UInt8], file: String) throws {
    var machine = PickleMachine(bytes: bytes, file: file)
    self = try machine.run()
    try checkNesting(file: file)
  }

  /// One that a machine is about to fill.
  init() {}

  /// The members of a dictionary whose keys are text, in their order; nil for anything else.
  func members(_ value: Value) -> [(key: String, value: Value)]? {
    guard case .container(let index) = value, case .dictionary(let pairs) = containers[index] else { return nil }
    return pairs.compactMap { pair in
      if case .string(let key) = pair.key { (key, pair.value) } else { nil }
    }
  }

  private static let deepest = 100

  /// Walks everything that can be reached from the root, without recursion: a hostile file may nest as deep as it
  /// likes.
  private func checkNesting(file: String) throws {
    enum State { case unseen, open, done }
    var states = [State](repeating: .unseen, count: containers.count)
    /// Containers that are being walked, from the outermost in, each with the containers inside it that are still to be
    /// walked.
    var path: [(index: Int, inside: [Int])] = []
    func inside(_ container: Container) -> [Int] {
      func index(_ value: Value) -> Int? { if case .container(let index) = value { index } else { nil } }
      switch container {
      case .tuple(let values), .list(let values): return values.compactMap(index)
      case .dictionary(let pairs): return pairs.compactMap { index($0.key) } + pairs.compactMap { index($0.value) }
      }
    }
    func enter(_ index: Int) throws {
      guard states[index] != .open else { throw Diagnostic("\(file): one of its values contains itself") }
      guard states[index] == .unseen else { return }
      guard path.count < Self.deepest else {
        throw Diagnostic("\(file): its values are nested more than \(Self.deepest) deep")
      }
      states[index] = .open
      path.append((index, inside(containers[index])))
    }
    if case .container(let index) = root { try enter(index) }
    while let last = path.indices.last {
      if let next = path[last].inside.popLast() {
        try enter(next)
      } else {
        states[path[last].index] = .done
        path.removeLast()
      }
    }
  }
}
