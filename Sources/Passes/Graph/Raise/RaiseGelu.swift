import IR

/// Makes a GELU of the operations that define it, in whichever order they multiply.
///
///     %d = divide(%x, 1.4142135)         or a multiplication by 0.70710677
///     %e = erf(%d)
///     %a = add(%e, 1.0)
///     %m = multiply(%x, %a)
///     %y = multiply(%m, 0.5)        =>   %y = gelu(%x) {approximation = "none"}
///
///     %y = 0.5 x (1 + tanh(0.7978846 (x + 0.044715 x^3)))        =>   %y = gelu(%x) {approximation = "tanh"}
///
/// Constants may be off by a rounding to float32. Values in between may have other readers.
public struct RaiseGelu: Pass {
  public static let name = "raise-gelu"
  public static let summary = "makes GELUs of the erf and tanh operations that define them"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    try GraphRewriter.rewrite(graph) { rewriter, node in
      guard node.op is Multiply else { return nil }
      var candidates: [ValueID] = []
      _ = factors(of: node, whole: nil, rewriter, visited: &candidates)
      for x in candidates where rewriter.graph.type(of: x) == rewriter.graph.type(of: node.results[0]) {
        var visited: [ValueID] = []
        let product = factors(of: node, whole: x, rewriter, visited: &visited)
        guard product.values.count == 2, isNear(product.constant, 0.5),
          let place = product.values.firstIndex(of: x),
          let sum = rewriter.definition(of: product.values[1 - place]), sum.op is Add,
          let inner = other(than: 1, in: sum, rewriter), let function = rewriter.definition(of: inner),
          let approximation = approximation(function, of: x, rewriter)
        else { continue }
        return try rewriter.add(Gelu(approximation: approximation), [x], name: rewriter.name(of: node), like: node)
      }
      return nil
    }
  }

  private func approximation(
    _ function: Node, of x: ValueID, _ rewriter: GraphRewriter
  ) -> Gelu.Approximation? {
    let argument = function.operands[0]
    if function.op is Erf {
      guard let scaled = rewriter.definition(of: argument) else { return nil }
      let product = factors(of: scaled, whole: x, rewriter)
      return product.values == [x] && isNear(product.constant, 0.5.squareRoot()) ? Gelu.Approximation.none : nil
    }
    guard function.op is Tanh, let scaled = rewriter.definition(of: argument), scaled.op is Multiply else { return nil }
    let product = factors(of: scaled, whole: x, rewriter)
    guard isNear(product.constant, (2 / Double.pi).squareRoot()) else { return nil }
    // Either the sum x + c x^3, or x times 1 + c x^2.
    if product.values.count == 1, let sum = rewriter.definition(of: product.values[0]), sum.op is Add {
      for (linear, cubic) in [(0, 1), (1, 0)].map({ (sum.operands[$0.0], sum.operands[$0.1]) }) where linear == x {
        if isPower(cubic, of: x, degree: 3, rewriter) { return .tanh }
      }
    }
    if product.values.count == 2, product.values.contains(x),
      let rest = product.values.first(where: { $0 != x }), let sum = rewriter.definition(of: rest), sum.op is Add,
      let square = other(than: 1, in: sum, rewriter), isPower(square, of: x, degree: 2, rewriter)
    {
      return .tanh
    }
    return nil
  }

  /// Whether a value is 0.044715 x^degree.
  private func isPower(_ value: ValueID, of x: ValueID, degree: Int, _ rewriter: GraphRewriter) -> Bool {
    guard let node = rewriter.definition(of: value) else { return false }
    let product = factors(of: node, whole: x, rewriter)
    var found = 0
    for factor in product.values {
      if factor == x {
        found += 1
      } else if let power = rewriter.definition(of: factor), power.op is Power, power.operands[0] == x,
        let exponent = rewriter.constant(power.operands[1]), exponent.count == 1, exponent[0] == exponent[0].rounded(),
        (1...3).contains(exponent[0])
      {
        found += Int(exponent[0])
      } else {
        return false
      }
    }
    return found == degree && isNear(product.constant, 0.044715)
  }

  private func factors(
    of node: Node, whole x: ValueID, _ rewriter: GraphRewriter
  ) -> (constant: Double, values: [ValueID]) {
    var visited: [ValueID] = []
    return factors(of: node, whole: x, rewriter, visited: &visited)
  }

  /// A tree of multiplications, and of divisions by constants, as its constant factor and the others. A value that is
  /// not a product is its own only factor, and so is `whole`, even if it is a product. `visited` gets all of the tree.
  private func factors(
    of node: Node, whole: ValueID?, _ rewriter: GraphRewriter, visited: inout [ValueID]
  ) -> (constant: Double, values: [ValueID]) {
    var constant = 1.0
    var values: [ValueID] = []
    var found: [ValueID] = []
    func collect(_ value: ValueID, depth: Int) {
      if let number = rewriter.constant(value), number.count == 1 {
        constant *= number[0]
        return
      }
      found.append(value)
      if value != whole, depth > 0, let producer = rewriter.definition(of: value), expand(producer, depth: depth) {
        return
      }
      values.append(value)
    }
    /// Whether a node is a product; if it is, its factors are collected.
    func expand(_ node: Node, depth: Int) -> Bool {
      if node.op is Multiply {
        for operand in node.operands { collect(operand, depth: depth - 1) }
        return true
      }
      guard node.op is Divide, let number = rewriter.constant(node.operands[1]), number.count == 1, number[0] != 0
      else {
        return false
      }
      constant /= number[0]
      collect(node.operands[0], depth: depth - 1)
      return true
    }
    // Trees are no deeper than these forms.
    if !expand(node, depth: 4) { values += node.results }
    visited += found
    return (constant, values)
  }

  /// The operand of an addition whose other operand is this number.
  private func other(than number: Double, in sum: Node, _ rewriter: GraphRewriter) -> ValueID? {
    for (place, operand) in sum.operands.enumerated() {
      if let values = rewriter.constant(operand), values.count == 1, values[0] == number {
        return sum.operands[1 - place]
      }
    }
    return nil
  }

  private func isNear(_ value: Double, _ expected: Double) -> Bool { abs(value - expected) <= 4e-7 * expected }
}
