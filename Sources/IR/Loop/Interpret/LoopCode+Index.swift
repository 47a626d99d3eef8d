// Indices as closures: sums of scaled variables are one closure, the rest a closure an operation.

extension LoopCode {
  /// A sum of products, flattened.
  private struct Sum {
    var constant = 0
    var variables: [(slot: UnsafeMutablePointer<Int>, factor: Int)] = []
    var others: [(code: IndexCode, factor: Int)] = []
  }

  func compile(_ index: LoopIndex) throws -> IndexCode {
    var sum = Sum()
    try flatten(index, 1, into: &sum)
    let constant = sum.constant
    if !sum.others.isEmpty {
      let terms = sum.others
      let variables = sum.variables
      return {
        var value = constant
        for variable in variables { value += variable.slot.pointee * variable.factor }
        for term in terms { value += term.code() * term.factor }
        return value
      }
    }
    switch sum.variables.count {
    case 0: return { constant }
    case 1:
      let (a, m) = sum.variables[0]
      return { constant + a.pointee * m }
    case 2:
      let (a, m) = sum.variables[0]
      let (b, n) = sum.variables[1]
      return { constant + a.pointee * m + b.pointee * n }
    case 3:
      let (a, m) = sum.variables[0]
      let (b, n) = sum.variables[1]
      let (c, o) = sum.variables[2]
      return { constant + a.pointee * m + b.pointee * n + c.pointee * o }
    default:
      let variables = sum.variables
      return {
        var value = constant
        for variable in variables { value += variable.slot.pointee * variable.factor }
        return value
      }
    }
  }

  private func flatten(_ index: LoopIndex, _ factor: Int, into sum: inout Sum) throws {
    switch index {
    case .constant(let value): sum.constant += value * factor
    case .variable(let name):
      guard let slot = indices[name] else { throw Diagnostic("no index is called \(name)") }
      sum.variables.append((slot, factor))
    case .add(let a, let b):
      try flatten(a, factor, into: &sum)
      try flatten(b, factor, into: &sum)
    case .subtract(let a, let b):
      try flatten(a, factor, into: &sum)
      try flatten(b, -factor, into: &sum)
    case .multiply(let a, let n): try flatten(a, factor * n, into: &sum)
    case .divide(let a, let n):
      let code = try compile(a)
      sum.others.append(({ floorDivide(code(), n) }, factor))
    case .modulo(let a, let n):
      let code = try compile(a)
      sum.others.append(
        (
          {
            let remainder = code() % n
            return remainder < 0 ? remainder + n : remainder
          }, factor
        ))
    case .minimum(let a, let b):
      let (x, y) = (try compile(a), try compile(b))
      sum.others.append(({ min(x(), y()) }, factor))
    case .maximum(let a, let b):
      let (x, y) = (try compile(a), try compile(b))
      sum.others.append(({ max(x(), y()) }, factor))
    }
  }
}
