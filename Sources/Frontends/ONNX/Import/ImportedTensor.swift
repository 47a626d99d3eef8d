import Foundation
import IR

// Tensors of an ONNX file as contents: in the file, typed or raw, or in a file beside it.

extension ElementType {
  /// Nil for what the graph has no type for, like strings and complex numbers.
  init?(onnx: Int32) {
    guard let type = ElementType.allCases.first(where: { Int32($0.onnx.rawValue) == onnx }) else { return nil }
    self = type
  }
}

/// Reads the tensors of one model.
struct ImportedTensors {
  /// The model's folder; external data lies in it or below.
  let directory: String
  private var files: [String: [UInt8]] = [:]

  init(directory: String) {
    self.directory = directory
  }

  /// A tensor has a shape and no contents, as in files whose weights were taken out.
  struct Empty: Error {}

  /// The contents of a tensor.
  ///
  /// - Throws: `Empty`, or a `Diagnostic` that does not say which tensor it is about.
  mutating func read(_ proto: Onnx_TensorProto) throws -> TensorData {
    guard let element = ElementType(onnx: proto.dataType) else {
      throw Diagnostic("it has elements of type \(proto.dataType), which is no number that the graph knows")
    }
    if proto.hasSegment { throw Diagnostic("it is one segment of a tensor; only whole ones are read") }
    let shape = try extents(proto.dims)
    let count = shape.reduce(1, *)
    let isExternal = proto.dataLocation == .external
    if count == 0 { return TensorData(element: element, shape: shape, bytes: []) }
    try MemoryLimit.require(count * element.byteCount, for: "its contents")
    let bytes: [UInt8]
    if isExternal {
      bytes = try external(proto.externalData, byteCount: count * element.byteCount)
    } else if proto.hasRawData && !proto.rawData.isEmpty {
      bytes = Array(proto.rawData)
    } else {
      bytes = typed(proto, element)
      if bytes.isEmpty { throw Empty() }
    }
    guard bytes.count == count * element.byteCount else {
      throw Diagnostic(
        "its contents are \(bytes.count) bytes, and \(TensorType(element, shape)) takes \(count * element.byteCount)")
    }
    return TensorData(element: element, shape: shape, bytes: bytes)
  }

  private func extents(_ dims: [Int64]) throws -> [Int] {
    var count = 1
    for extent in dims {
      if extent < 0 { throw Diagnostic("it has an extent of \(extent)") }
      let (product, overflow) = count.multipliedReportingOverflow(by: max(1, Int(extent)))
      if overflow || product > ImportBuilder.mostElements {
        throw Diagnostic("it has more than \(ImportBuilder.mostElements) elements")
      }
      count = product
    }
    return dims.map { Int($0) }
  }

  /// The contents of the field that goes with the element type.
  private func typed(_ proto: Onnx_TensorProto, _ element: ElementType) -> [UInt8] {
    var bytes: [UInt8] = []
    func append(_ word: some FixedWidthInteger) { withUnsafeBytes(of: word.littleEndian) { bytes += $0 } }
    switch element {
    case .f32: for value in proto.floatData { append(value.bitPattern) }
    case .f64: for value in proto.doubleData { append(value.bitPattern) }
    case .i64: for value in proto.int64Data { append(value) }
    case .u64: for value in proto.uint64Data { append(value) }
    case .u32: for value in proto.uint64Data { append(UInt32(truncatingIfNeeded: value)) }
    case .i32: for value in proto.int32Data { append(value) }
    case .i16, .u16, .f16, .bf16: for value in proto.int32Data { append(UInt16(truncatingIfNeeded: value)) }
    case .i8, .u8, .bool: for value in proto.int32Data { append(UInt8(truncatingIfNeeded: value)) }
    }
    return bytes
  }

  private mutating func external(_ entries: [Onnx_StringStringEntryProto], byteCount: Int) throws -> [UInt8] {
    let fields = Dictionary(entries.map { ($0.key, $0.value) }) { first, _ in first }
    guard let location = fields["location"], !location.isEmpty else {
      throw Diagnostic("its contents are in another file, which it does not name")
    }
    func number(_ key: String, default fallback: Int) throws -> Int {
      guard let text = fields[key] else { return fallback }
      guard let value = Int(text), value >= 0 else { throw Diagnostic("its '\(key)' is '\(text)', which is no size") }
      return value
    }
    let contents = try file(location)
    let offset = try number("offset", default: 0)
    let length = try number("length", default: byteCount)
    guard offset <= contents.count, length <= contents.count - offset else {
      throw Diagnostic(
        "its contents are \(length) bytes from \(offset) of \(location), which has \(contents.count)")
    }
    return Array(contents[offset..<offset + length])
  }

  /// A file in the model's folder or below, after links are followed: nothing else is read for a model.
  private mutating func file(_ location: String) throws -> [UInt8] {
    if let known = files[location] { return known }
    let outside = Diagnostic("its contents are in '\(location)', which is not in the model's own folder")
    if location.hasPrefix("/") || location.split(separator: "/").contains("..") { throw outside }
    let root = URL(fileURLWithPath: directory).resolvingSymlinksInPath().path
    let path = URL(fileURLWithPath: "\(directory)/\(location)").resolvingSymlinksInPath().path
    guard path.hasPrefix(root.hasSuffix("/") ? root : root + "/") else { throw outside }
    let contents = try readFile(path)
    files[location] = contents
    return contents
  }
}
