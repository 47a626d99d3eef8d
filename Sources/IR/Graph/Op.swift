import RealModule

/// One operation of the graph: its name, parameters, typing rule, reference semantics and loop body, in one file.
///
/// A new op is one file in `Ops/` and one line in `OpRegistry`. The reference semantics are written on their own and
/// never derived from the loop body, so that one mistake cannot agree with itself.
public protocol Op: Sendable {
  /// The name in the text form, like `conv2d`.
  static var mnemonic: String { get }

  /// Reads the parameters out of the text form or an importer's node; throws a `Diagnostic` on a missing or badly typed
  /// one. `OpRegistry.make` complains about the ones left over.
  init(_ reader: inout AttributeReader) throws

  /// The parameters, in the order they print; `init` accepts exactly these.
  var attributes: [Attribute] { get }

  /// The nested graph of an op that has one.
  var region: Graph? { get }

  /// Types of the results, or a `Diagnostic` that says which operand is wrong and what would be right.
  func resultTypes(_ operands: [ValueType]) throws -> [ValueType]

  /// What the op means: exact up to the rounding of `T`.
  func evaluate<T: Real & BinaryFloatingPoint & Sendable>(_ operands: [RuntimeValue<T>]) throws -> [RuntimeValue<T>]

  /// Whether results are zero wherever all operands are. It decides whether channel padding stays zero through the op.
  var mapsZeroToZero: Bool { get }

  /// Plain loops for the op on row-major tensors, for a node that no kernel was built for. Throws a `Diagnostic` for
  /// an op that only exists to be folded or fused away.
  func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws

  /// Whether `buildLoops` reads back results that it has written.
  var readsResults: Bool { get }
}

extension Op {
  public var region: Graph? { nil }
  public var readsResults: Bool { false }
  public var mnemonic: String { Self.mnemonic }

  /// Types of the results, as `resultTypes` gives them, after checking that they can be computed with.
  public func checkedResultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    for operand in operands {
      if let problem = operand.problem { throw Diagnostic("\(mnemonic): an operand is \(operand): \(problem)") }
      if operand.tensor?.quantization?.axis != nil, !(self is Dequantize || self is BitCast) {
        throw Diagnostic("\(mnemonic): an operand is \(operand); scales along an axis only a dequantize reads")
      }
    }
    let results = try resultTypes(operands)
    for result in results {
      if let problem = result.problem { throw Diagnostic("\(mnemonic): \(problem)") }
    }
    return results
  }
}
