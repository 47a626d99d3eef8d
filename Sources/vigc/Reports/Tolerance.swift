import IR

/// How far a result may be from the interpreter's, as relative L2 error, if the user sets no tolerance.
///
/// Rounding to float32 is far below 1e-5. A half float is rounded by up to 2^-11 of it (`bf16`: 2^-8) after every operator,
/// and the interpreter, which computes in double, does not. Errors of n roundings in a row that go in any direction add up
/// to the square root of n of them. In a quantised model a sum in another order may round to the next integer, which
/// everything after it reads.
struct Tolerance {
  var value = 1e-5
  /// Why it is another than for float32.
  var reason: String?

  init(of graph: Graph) {
    if graph.isQuantized {
      value = 1e-2
      reason = "tolerance \(short(value)), since a sum in another order may round to the next integer"
      return
    }
    var unit = 0.0
    var element = ElementType.f32
    var depths: [ValueID: Int] = [:]
    for node in graph.nodes {
      let before = node.operands.map { depths[$0] ?? 0 }.max() ?? 0
      for result in node.results {
        let type = graph.type(of: result).tensor?.element
        // Constants are what they are.
        let isRounded = (type == .f16 || type == .bf16) && !node.operands.isEmpty
        depths[result] = before + (isRounded ? 1 : 0)
        guard isRounded, let type, Self.unit(type) > unit else { continue }
        (unit, element) = (Self.unit(type), type)
      }
    }
    let count = graph.outputs.map { depths[$0] ?? 0 }.max() ?? 0
    if count == 0 { return }
    value = max(value, unit * Double(count).squareRoot())
    reason = "tolerance \(short(value)), since up to \(count) results in a row are rounded to \(element.rawValue)"
  }

  private static func unit(_ element: ElementType) -> Double { element == .bf16 ? 0x1p-8 : 0x1p-11 }
}
