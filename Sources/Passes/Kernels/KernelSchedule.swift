import IR

/// What a pass decided for a kernel: it prints as the attributes of the fuse, and parses from them.
protocol KernelSchedule: Sendable {
  /// - Throws: A `Diagnostic` if an attribute is missing or of the wrong type.
  init(_ reader: inout AttributeReader) throws
  var attributes: [Attribute] { get }
}

/// Nothing was decided.
struct NoSchedule: KernelSchedule {
  init(_ reader: inout AttributeReader) throws {}
  var attributes: [Attribute] { [] }
}

/// The lowerings of a kernel, by the names that `--lowering` takes.
protocol KernelLowering: RawRepresentable, CaseIterable, Sendable where RawValue == String {
  /// The lowering of a fuse that names none.
  static var usual: Self { get }
}

/// One of a kernel's lowerings, and why it was chosen.
struct LoweringSchedule<Lowering: KernelLowering>: KernelSchedule {
  var lowering: Lowering
  /// Nil if nobody chose: the text named the lowering alone, or not even that.
  var choice: LoweringChoice?

  init(_ reader: inout AttributeReader) throws {
    lowering = try reader.choice("lowering", default: Lowering.usual)
    choice = try LoweringChoice(of: lowering.rawValue, &reader)
  }

  var attributes: [Attribute] {
    choice?.attributes ?? [Attribute("lowering", .string(lowering.rawValue))]
  }
}
