/// What every typing rule asks of its operands: their number, that they are tensors, their element types and shapes.
/// Each failure is a `Diagnostic` that names the operand, says what was found and what would be right.
struct OperandChecker {
  let mnemonic: String
  let names: [String]
  let operands: [ValueType]

  /// - Parameter names: The operands' names in order; the ones that end in `?` may be left out, last first.
  init(_ op: some Op, _ operands: [ValueType], _ names: [String]) throws {
    self.mnemonic = op.mnemonic
    self.names = names.map { $0.hasSuffix("?") ? String($0.dropLast()) : $0 }
    self.operands = operands
    let required = names.filter { !$0.hasSuffix("?") }.count
    guard (required...names.count).contains(operands.count) else {
      let list = self.names.joined(separator: ", ")
      let accepted = required == names.count ? "\(required)" : "\(required) to \(names.count)"
      throw Diagnostic("\(mnemonic) takes \(accepted) operands (\(list)), not \(operands.count)")
    }
  }

  /// For an op of any number of operands of one kind, at least one.
  init(_ op: some Op, variadic operands: [ValueType], name: String) throws {
    self.mnemonic = op.mnemonic
    self.names = operands.indices.map { "\(name) \($0)" }
    self.operands = operands
    if operands.isEmpty { throw Diagnostic("\(mnemonic) takes at least one operand") }
  }

  func has(_ index: Int) -> Bool { index < operands.count }

  func failure(_ index: Int, mustBe expected: String) -> Diagnostic {
    Diagnostic("\(mnemonic): operand \(index) (\(names[index])) is \(operands[index]), but must be \(expected)")
  }

  func problem(_ message: String) -> Diagnostic { Diagnostic("\(mnemonic): \(message)") }

  /// A tensor of any element type.
  func tensor(_ index: Int, rank: Int? = nil) throws -> TensorType {
    guard let type = operands[index].tensor else { throw failure(index, mustBe: "a tensor") }
    if let rank, type.rank != rank { throw failure(index, mustBe: "a tensor of rank \(rank)") }
    try checkShape(type.shape)
    return type
  }

  /// A tensor whose elements are what they are: not integers that stand for reals.
  func plain(_ index: Int, rank: Int? = nil) throws -> TensorType {
    let type = try tensor(index, rank: rank)
    if type.quantization != nil { throw failure(index, mustBe: "not quantised; dequantize it first") }
    return type
  }

  /// A tensor of reals.
  func real(_ index: Int, rank: Int? = nil) throws -> TensorType {
    let type = try tensor(index, rank: rank)
    if !type.element.isFloat { throw failure(index, mustBe: "a tensor of floats") }
    return type
  }

  /// A tensor of floats or integers.
  func number(_ index: Int) throws -> TensorType {
    let type = try plain(index)
    if type.element == .bool { throw failure(index, mustBe: "a tensor of numbers") }
    return type
  }

  /// A tensor of integers, not bools.
  func integers(_ index: Int) throws -> TensorType {
    let type = try plain(index)
    if type.element.isFloat || type.element == .bool { throw failure(index, mustBe: "a tensor of integers") }
    return type
  }

  /// A tensor of bools.
  func truths(_ index: Int) throws -> TensorType {
    let type = try tensor(index)
    if type.element != .bool { throw failure(index, mustBe: "a tensor of bool") }
    return type
  }

  /// A tensor of reals of the element type of operand 0, of exactly this shape.
  func real(_ index: Int, shape: [Int], meaning: String) throws -> TensorType {
    let type = try real(index)
    let element = try real(0).element
    if type.shape != shape || type.element != element {
      throw failure(index, mustBe: "\(TensorType(element, shape)): \(meaning)")
    }
    return type
  }

  func sameElement(_ index: Int, as type: TensorType) throws {
    if try tensor(index).element != type.element {
      throw failure(index, mustBe: "a tensor of \(type.element.rawValue), like operand 0")
    }
  }

  func neighborhood(_ index: Int) throws -> NeighborhoodType {
    guard let type = operands[index].neighborhood else { throw failure(index, mustBe: "a neighbourhood") }
    return type
  }

  /// Every extent positive, and not more axes and elements than can be computed with.
  func checkShape(_ shape: [Int]) throws {
    if let text = Extents.problem(shape) { throw problem(text) }
  }

  /// A parameter list of `count` integers of at least `minimum`, each small enough that sums and products cannot
  /// overflow.
  func check(_ name: String, _ values: [Int], count: Int, minimum: Int) throws {
    if values.count != count {
      throw problem("\(name) has \(values.count) numbers, [\(list(values))]; it needs \(count)")
    }
    for value in values where value < minimum || value > 1 << 24 {
      throw problem("\(name) holds \(value); it must be from \(minimum) to \(1 << 24)")
    }
  }

  /// An axis of a tensor of `rank`, counted from the front; negative ones count from the end.
  func axis(_ axis: Int, rank: Int) throws -> Int {
    guard (-rank..<rank).contains(axis) else {
      throw problem("axis \(axis) is not in a tensor of rank \(rank); axes run from \(-rank) to \(rank - 1)")
    }
    return axis < 0 ? axis + rank : axis
  }

  /// Distinct axes, in the order given, counted from the front.
  func axes(_ axes: [Int], rank: Int) throws -> [Int] {
    let resolved = try axes.map { try axis($0, rank: rank) }
    if Set(resolved).count != resolved.count { throw problem("the axes [\(list(axes))] name an axis twice") }
    return resolved
  }

  func list(_ values: [Int]) -> String { values.map(String.init).joined(separator: ",") }
}

extension TensorType {
  /// The type of a result of another shape. It has this element type. It keeps the layout if the rank stays, and the
  /// quantisation if that does not depend on an axis.
  func with(shape: [Int]) -> TensorType {
    TensorType(
      element, shape, layout: shape.count == rank ? layout : .rowMajor,
      quantization: quantization?.axis == nil ? quantization : nil)
  }
}

/// An axis counted from the front; `axis` is one that typing accepted.
func resolvedAxis(_ axis: Int, rank: Int) -> Int { axis < 0 ? axis + rank : axis }
