/// ONNX models by hand, as bytes of protocol buffers: what no exporter would write.
enum ForgedModel {
  private static func varint(_ value: UInt64) -> [UInt8] {
    value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F) | 0x80] + varint(value >> 7)
  }

  private static func field(_ number: UInt64, _ bytes: [UInt8]) -> [UInt8] {
    varint(number << 3 | 2) + varint(UInt64(bytes.count)) + bytes
  }

  private static func field(_ number: UInt64, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }

  private static func field(_ number: UInt64, _ value: Int) -> [UInt8] {
    varint(number << 3) + varint(UInt64(bitPattern: Int64(value)))
  }

  /// An attribute of one integer, or of several.
  static func attribute(_ name: String, _ value: Int) -> [UInt8] { field(1, name) + field(3, value) + field(20, 2) }
  static func attribute(_ name: String, _ values: [Int]) -> [UInt8] {
    field(1, name) + values.flatMap { field(8, $0) } + field(20, 7)
  }
  static func attribute(_ name: String, _ text: String) -> [UInt8] { field(1, name) + field(4, text) + field(20, 3) }

  /// A tensor of integers of 64 bits, or of zeros in single precision.
  static func tensor(_ name: String, _ values: [Int], dimensions: [Int]? = nil) -> [UInt8] {
    (dimensions ?? [values.count]).flatMap { field(1, $0) } + field(2, 7) + values.flatMap { field(7, $0) } + field(8, name)
  }
  static func zeros(_ name: String, _ dimensions: [Int]) -> [UInt8] {
    let bytes = [UInt8](repeating: 0, count: 4 * dimensions.reduce(1, *))
    return dimensions.flatMap { field(1, $0) } + field(2, 1) + field(8, name) + field(9, bytes)
  }

  static func node(
    _ type: String, _ inputs: [String], _ outputs: [String], _ attributes: [[UInt8]] = []
  ) -> [UInt8] {
    inputs.flatMap { field(1, $0) } + outputs.flatMap { field(2, $0) } + field(4, type)
      + attributes.flatMap { field(5, $0) }
  }

  /// A model of one float input `x`.
  static func model(
    x: [Int], _ nodes: [[UInt8]], initializers: [[UInt8]] = [], outputs: [String] = ["y"], version: Int = 18
  ) -> [UInt8] {
    func value(_ name: String, _ type: [UInt8]) -> [UInt8] { field(1, name) + field(2, type) }
    let shape = x.flatMap { field(1, field(1, $0)) }
    let input = value("x", field(1, field(1, 1) + field(2, shape)))
    let graph =
      nodes.flatMap { field(1, $0) } + field(2, "g") + initializers.flatMap { field(5, $0) } + field(11, input)
      + outputs.flatMap { field(12, value($0, [])) }
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, version))
  }
}
