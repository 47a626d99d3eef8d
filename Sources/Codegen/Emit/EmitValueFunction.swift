import IR

// Value functions: one inline C function each, called where they are applied. If an operand or the result takes several
// C values on the target, the body is written out at each place instead, as a target instruction's meaning is.

extension FunctionEmitter {
  /// A value function as a C function; nil if it can only be written out.
  static func valueFunction(
    _ function: LoopValueFunction, of program: LoopProgram, target: Target, functionNames: [String: String]
  ) throws -> CFunction? {
    var emitter = FunctionEmitter(program, target: target, functionNames: functionNames)
    guard emitter.isCallable(function) else { return nil }
    var parameters: [CParameter] = []
    for parameter in function.parameters {
      let name = emitter.names.fresh(parameter.name)
      parameters.append(CParameter(emitter.layout(parameter.type).type, name))
      emitter.bindings[parameter.name] = .parts([name], parameter.type)
    }
    let body = try emitter.block { emitter in
      try emitter.emit(function.body)
      emitter.append(.giveBack(try emitter.lower(function.result).parts[0]))
    }
    return CFunction(
      linkage: "VIGC_INLINE", result: emitter.layout(function.type).type,
      name: functionNames[function.name] ?? function.name, parameters: parameters,
      body: readingAll(parameters, in: body))
  }

  private func isCallable(_ function: LoopValueFunction) -> Bool {
    (function.parameters.map(\.type) + [function.type]).allSatisfy { layout($0).parts == 1 }
  }

  mutating func apply(_ name: String, _ operands: [LoopValue]) throws -> LoweredValue {
    guard let function = valueFunctions[name] else { throw Diagnostic("no value function is called \(name)") }
    let values = try operands.map { try lower($0) }
    if isCallable(function) {
      let call = CExpression.call(functionNames[name] ?? name, values.map { $0.parts[0] })
      return LoweredValue(type: function.type, lanes: layout(function.type).lanes, parts: [call])
    }
    let outer = bindings
    defer { bindings = outer }
    bindings = [:]
    for (parameter, value) in zip(function.parameters, values) {
      let type = CType.constant(layout(value.type).type)
      bindings[parameter.name] = .parts(declare(parameter.name, type, value.parts), value.type)
    }
    try emit(function.body)
    return try lower(function.result)
  }
}
