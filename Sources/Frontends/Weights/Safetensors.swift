import IR

/// A safetensors file: a header length (u64, little-endian), a JSON header of names, types, shapes and byte ranges,
/// then the bytes.
///
/// Reading checks everything before any tensor is made: ranges must lie inside the file, fit the shape and type, and
/// tile the data without overlap or hole. Writing is deterministic (the same tensors, the same bytes) and atomic.
public struct Safetensors: Sendable {
  /// Names in the order their bytes have in the file.
  public private(set) var names: [String] = []
  public private(set) var tensors: [String: TensorData] = [:]
  /// The free-form strings some writers keep under `__metadata__`.
  public private(set) var metadata: [String: String] = [:]

  /// The headers of some 80,000 tensors: a corrupt length must not ask for an absurd allocation.
  static let longestHeader = 1 << 23
  private static let metadataKey = "__metadata__"

  /// Reads a file; a `Diagnostic` names the file and, if there is one, the tensor that is wrong.
  public init(path: String) throws {
    try self.init(RandomAccessBytes(path: path))
  }

  /// Reads a file's contents; `file` only names it in diagnostics.
  public init(bytes: [UInt8], file: String) throws {
    try self.init(RandomAccessBytes(bytes, file: file))
  }

  private init(_ bytes: RandomAccessBytes) throws {
    let (entries, metadata) = try Self.entries(of: bytes)
    self.metadata = metadata
    for entry in entries {
      names.append(entry.name)
      tensors[entry.name] = try entry.read(from: bytes)
    }
  }

  /// The tensors of a file, to be read one by one.
  static func stored(in bytes: RandomAccessBytes) throws -> [String: StoredTensor] {
    let stored = try entries(of: bytes).entries.map { entry in
      (entry.name, StoredTensor(element: entry.element, shape: entry.shape) { try entry.read(from: bytes) })
    }
    return Dictionary(stored) { _, last in last }
  }

  /// What the header says, checked, in the order of the bytes.
  private static func entries(of bytes: RandomAccessBytes) throws -> (entries: [Entry], metadata: [String: String]) {
    let file = bytes.file
    func problem(_ what: String) -> Diagnostic { Diagnostic("\(file): \(what)") }
    var cursor = ByteCursor(try bytes.prefix(8))
    guard let length = cursor.word(8) else {
      throw problem("not a safetensors file: \(bytes.count) bytes, and the header's length alone takes 8")
    }
    guard length <= UInt64(longestHeader) else {
      throw problem("not a safetensors file: a header of \(length) bytes, where at most \(longestHeader) are allowed")
    }
    let start = 8 + Int(length)
    guard start <= bytes.count else {
      throw problem("truncated: the header takes \(length) bytes, and \(bytes.count - 8) are left")
    }
    let header: JSON
    do {
      header = try JSON(parsing: try bytes.read(8..<start))
    } catch let error as Diagnostic {
      throw problem("the safetensors header is \(error.message)")
    }
    guard case .object(let members) = header else { throw problem("the safetensors header is not a JSON object") }

    var metadata: [String: String] = [:]
    var entries: [Entry] = []
    for member in members {
      if member.key == metadataKey {
        metadata = try Self.metadata(member.value, file: file)
      } else {
        entries.append(try Entry(member, dataStart: start, dataBytes: bytes.count - start, file: file))
      }
    }
    entries.sort { ($0.begin, $0.end, $0.name) < ($1.begin, $1.end, $1.name) }
    var position = 0
    for (index, entry) in entries.enumerated() {
      guard entry.begin >= position else {
        throw problem("tensor '\(entry.name)' overlaps '\(entries[index - 1].name)' at data byte \(entry.begin)")
      }
      guard entry.begin == position else {
        throw problem("tensor '\(entry.name)' starts at data byte \(entry.begin), after a hole from \(position)")
      }
      position = entry.end
    }
    guard start + position == bytes.count else {
      throw problem("\(bytes.count - start - position) bytes follow the last tensor")
    }
    return (entries, metadata)
  }

  /// A file of these tensors, for writing.
  public init(_ tensors: [String: TensorData], metadata: [String: String] = [:]) {
    self.tensors = tensors
    self.metadata = metadata
    // Putting wide types first keeps every tensor aligned. The name breaks ties, so that the order is the same each
    // time.
    names = tensors.sorted { a, b in
      (-a.value.element.byteCount, a.key) < (-b.value.element.byteCount, b.key)
    }.map(\.key)
  }

  /// The file's contents, the header padded so that the data starts at a multiple of 8.
  public var fileContents: [UInt8] {
    var fields: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map { "\(Self.quoted($0.key)):\(Self.quoted($0.value))" }
      fields.append("\(Self.quoted(Self.metadataKey)):{\(pairs.joined(separator: ","))}")
    }
    var position = 0
    var data: [UInt8] = []
    for name in names {
      guard let tensor = tensors[name] else { preconditionFailure("a name without its tensor") }
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      let end = position + tensor.bytes.count
      let type = tensor.element.safetensorsName
      fields.append(
        "\(Self.quoted(name)):{\"dtype\":\"\(type)\",\"shape\":[\(shape)],\"data_offsets\":[\(position),\(end)]}")
      data.append(contentsOf: tensor.bytes)
      position = end
    }
    var header = Array("{\(fields.joined(separator: ","))}".utf8)
    while header.count % 8 != 0 { header.append(0x20) }
    let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
    return length + header + data
  }

  public func write(to path: String) throws {
    try writeFileAtomically(fileContents, to: path)
  }

  private static func metadata(_ value: JSON, file: String) throws -> [String: String] {
    guard case .object(let members) = value else {
      throw Diagnostic("\(file): '\(metadataKey)' must be an object of strings")
    }
    var result: [String: String] = [:]
    for member in members {
      guard let text = member.value.string else {
        throw Diagnostic("\(file): '\(member.key)' in '\(metadataKey)' must be a string")
      }
      result[member.key] = text
    }
    return result
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case "\u{0}"..."\u{1F}":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

/// One tensor of the header, checked on its own; offsets count from the start of the data.
private struct Entry: Sendable {
  var name: String
  var element: ElementType
  var shape: [Int]
  var begin: Int
  var end: Int
  /// Where the data begins in the file.
  var dataStart: Int

  init(_ member: JSON.Member, dataStart: Int, dataBytes: Int, file: String) throws {
    func problem(_ what: String) -> Diagnostic { Diagnostic("\(file): tensor '\(member.key)': \(what)") }
    guard case .object(let fields) = member.value else { throw problem("its entry is not a JSON object") }
    if let unknown = fields.first(where: { !["dtype", "shape", "data_offsets"].contains($0.key) }) {
      throw problem("unknown key '\(unknown.key)'; an entry has dtype, shape and data_offsets")
    }
    guard let type = member.value["dtype"]?.string else { throw problem("no dtype") }
    guard let element = ElementType.allCases.first(where: { $0.safetensorsName == type }) else {
      let known = ElementType.allCases.map(\.safetensorsName).joined(separator: ", ")
      throw problem("the dtype '\(type)' is not one of \(known)")
    }
    guard let sizes = member.value["shape"]?.array, let shape = Self.counts(sizes) else {
      throw problem("its shape must be a list of integers of at least 0")
    }
    guard let ends = member.value["data_offsets"]?.array, let offsets = Self.counts(ends), offsets.count == 2,
      offsets[0] <= offsets[1]
    else { throw problem("data_offsets must be two integers, the first at most the second") }
    guard offsets[1] <= dataBytes else {
      throw problem(
        "truncated or out of range: its bytes are \(offsets[0]) to \(offsets[1]), and the file holds \(dataBytes)")
    }
    guard let size = Self.byteCount(element, shape), size == offsets[1] - offsets[0] else {
      throw problem("\(type) of shape \(shape) does not take the \(offsets[1] - offsets[0]) bytes it is given")
    }
    self.name = member.key
    self.element = element
    self.shape = shape
    self.begin = offsets[0]
    self.end = offsets[1]
    self.dataStart = dataStart
  }

  func read(from bytes: RandomAccessBytes) throws -> TensorData {
    TensorData(element: element, shape: shape, bytes: try bytes.read(dataStart + begin..<dataStart + end))
  }

  private static func counts(_ values: [JSON]) -> [Int]? {
    let integers = values.compactMap(\.integer)
    return integers.count == values.count && integers.allSatisfy { $0 >= 0 } ? integers : nil
  }

  private static func byteCount(_ element: ElementType, _ shape: [Int]) -> Int? {
    checkedProduct(shape + [element.byteCount])
  }
}

/// The product from left to right; nil if it leaves `Int`, as a hostile file's shape may, even if a later factor is
/// zero.
func checkedProduct(_ factors: [Int]) -> Int? {
  var product = 1
  for factor in factors {
    let (next, overflow) = product.multipliedReportingOverflow(by: factor)
    if overflow { return nil }
    product = next
  }
  return product
}

extension ElementType {
  /// How a safetensors header spells the type.
  var safetensorsName: String {
    switch self {
    case .f32: "F32"
    case .f64: "F64"
    case .f16: "F16"
    case .bf16: "BF16"
    case .i8: "I8"
    case .u8: "U8"
    case .i16: "I16"
    case .u16: "U16"
    case .i32: "I32"
    case .u32: "U32"
    case .i64: "I64"
    case .u64: "U64"
    case .bool: "BOOL"
    }
  }
}
