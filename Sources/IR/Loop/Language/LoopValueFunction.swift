// Value functions: looking them up, making one of an op, and telling which are worth the name.

extension LoopProgram {
  public var valueFunctionsByName: [String: LoopValueFunction] {
    Dictionary(valueFunctions.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  }
}

extension LoopValueFunction {
  /// Operations that one application takes, inner ones as often as they are spelled.
  public var operationCount: Int {
    body.reduce(result.operationCount) { count, statement in
      if case .letValue(_, _, let value) = statement { count + value.operationCount } else { count }
    }
  }
}

extension LoopValue {
  fileprivate var operationCount: Int {
    let own =
      switch self {
      case .constant, .variable, .element, .load, .splat, .index, .firstLanes, .reinterpret: 0
      case .unary, .binary, .fma, .compare, .select, .convert, .shuffle, .permute, .compress, .gather, .reduce,
        .instruction, .apply:
        1
      }
    return operands.reduce(own) { $0 + $1.operationCount }
  }
}

extension ElementwiseOp {
  /// The op on vectors of float32 as a value function, called after both: `gelu_f32x8`.
  public func valueFunction(lanes: Int) -> LoopValueFunction {
    let type = LoopType(.f32, lanes: lanes)
    var builder = LoopBuilder()
    let names = (Self.arity == 1 ? ["x"] : ["a", "b"]).map { builder.fresh($0) }
    let result = buildValue(&builder, names.map { .variable($0) }, lanes: lanes)
    return LoopValueFunction(
      "\(mnemonic)_\(type)", names.map { .init($0, type) }, type, builder.statements, result)
  }
}
