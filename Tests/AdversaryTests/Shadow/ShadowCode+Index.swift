import IR

/// Indices, exactly: whatever leaves 32 bits on the way is a fault.
extension ShadowCode {
  @inline(__always)
  static func fitting(_ value: Int, _ what: () -> String) throws -> Int {
    guard value == Int(Int32(truncatingIfNeeded: value)) else {
      throw LoopFault(kind: .indexSize, details: "\(what()) is \(value)")
    }
    return value
  }

  // Long because it is one switch over all indices.
  func compile(_ index: LoopIndex) throws -> IndexCode {
    switch index {
    case .constant(let value):
      let isFitting = value == Int(Int32(truncatingIfNeeded: value))
      return isFitting ? { value } : { try Self.fitting(value) { "a constant" } }
    case .variable(let name):
      guard let slot = indices[name] else { throw Diagnostic("no index is called \(name)") }
      return { slot.value }
    case .add(let a, .constant(let n)) where abs(n) <= Int(Int32.max):
      let x = try compile(a)
      return { try Self.fitting(try x() + n) { "\(index)" } }
    case .add(let a, let b):
      let (x, y) = (try compile(a), try compile(b))
      return { try Self.fitting(try x() + y()) { "\(index)" } }
    case .subtract(let a, let b):
      let (x, y) = (try compile(a), try compile(b))
      return { try Self.fitting(try x() - y()) { "\(index)" } }
    case .multiply(let a, let n):
      let x = try compile(a)
      return {
        let (product, isLost) = try x().multipliedReportingOverflow(by: n)
        if isLost { throw LoopFault(kind: .indexSize, details: "\(index)") }
        return try Self.fitting(product) { "\(index)" }
      }
    case .divide(let a, let n):
      guard n > 0 else { throw Diagnostic("an index is divided by \(n)") }
      let x = try compile(a)
      return {
        let value = try x()
        return value >= 0 ? value / n : -((-value + n - 1) / n)
      }
    case .modulo(let a, let n):
      guard n > 0 else { throw Diagnostic("an index is divided by \(n)") }
      let x = try compile(a)
      return {
        let rest = try x() % n
        return try Self.fitting(rest < 0 ? rest + n : rest) { "\(index)" }
      }
    case .minimum(let a, let b):
      let (x, y) = (try compile(a), try compile(b))
      return { min(try x(), try y()) }
    case .maximum(let a, let b):
      let (x, y) = (try compile(a), try compile(b))
      return { max(try x(), try y()) }
    }
  }
}
