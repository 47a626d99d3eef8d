import IR

extension ShadowCode {
  /// Compiles `value` so that it ends up at `place`.
  mutating func compile(_ value: LoopValue, into place: Place, _ type: LoopType) throws {
    let result = try compile(value)
    steps.append { place.update(from: result, count: type.lanes) }
  }

  /// Compiles `value`; the result is there once the steps have run.
  // Long because it is one switch over all values.
  mutating func compile(_ value: LoopValue) throws -> Place {
    let type = try scope.type(of: value)
    let lanes = type.lanes
    let result = library.place(lanes)
    switch value {
    case .constant(let number, _):
      guard let element = type.element else { throw Diagnostic("a mask is no constant") }
      let bits = element.isFloat ? ShadowNumbers.bits(number, element) : Int(number)
      result.update(repeating: bits, count: lanes)
    case .variable(let name): return try place(of: name)
    case .element(let name, let index): try compileElement(name, index, lanes, result)
    case .load(let buffer, let index, _, let mask):
      let flags = try mask.map { try compile($0) }
      let (window, address, machine) = (try window(buffer), try compile(index), machine)
      steps.append {
        let i = try address()
        for lane in 0..<lanes {
          result[lane] = flags.map { $0[lane] != 0 } ?? true ? try machine.load(window, i + lane) : 0
        }
      }
    case .gather(let buffer, let offsets, _, let mask):
      let (places, flags) = (try compile(offsets), try mask.map { try compile($0) })
      let (window, machine) = (try window(buffer), machine)
      steps.append {
        for lane in 0..<lanes {
          result[lane] = flags.map { $0[lane] != 0 } ?? true ? try machine.load(window, places[lane]) : 0
        }
      }
    case .splat(let a, lanes: _):
      let x = try compile(a)
      steps.append { result.update(repeating: x[0], count: lanes) }
    case .index(let index, _, let step):
      guard let element = type.element else { throw Diagnostic("an index becomes no mask") }
      let code = try compile(index)
      steps.append {
        let first = try code()
        for lane in 0..<lanes {
          result[lane] = ShadowNumbers.integer(bits: UInt64(bitPattern: Int64(first + lane * step)), element)
        }
      }
    case .firstLanes(let index, lanes: _):
      let code = try compile(index)
      steps.append {
        let count = try code()
        for lane in 0..<lanes { result[lane] = lane < count ? 1 : 0 }
      }
    case .unary, .binary, .fma, .compare, .select, .convert: try compileLanes(value, type, result)
    case .reinterpret(let a, _): try compileBits(a, type, result)
    case .shuffle(let a, let b, let chosen):
      let available = try scope.type(of: a).lanes
      let (x, y) = (try compile(a), try b.map { try compile($0) })
      steps.append {
        for (lane, source) in chosen.enumerated() {
          result[lane] = source < available ? x[source] : (y ?? x)[source - available]
        }
      }
    case .permute(let a, let numbers):
      let (x, chosen) = (try compile(a), try compile(numbers))
      steps.append { for lane in 0..<lanes { result[lane] = x[chosen[lane] & (lanes - 1)] } }
    case .compress(let mask, let a):
      let (flags, x) = (try compile(mask), try compile(a))
      steps.append {
        let kept = (0..<lanes).filter { flags[$0] != 0 }.map { x[$0] }
        for lane in 0..<lanes { result[lane] = lane < kept.count ? kept[lane] : 0 }
      }
    case .reduce(let operation, let a): try compileReduction(operation, a, result)
    case .instruction(let name, let operands):
      guard let instruction = scope.instructions[name] else { throw Diagnostic("there is no instruction \(name)") }
      var inner = self
      inner.scope.names = [:]
      for (number, operand) in operands.enumerated() {
        inner.values["a\(number)"] = try compile(operand)
        inner.scope.names["a\(number)"] = .value(instruction.operands[number])
      }
      return try finish(&inner, [], instruction.semantics)
    case .apply(let name, let operands):
      guard let function = scope.valueFunctions[name] else { throw Diagnostic("no value function is called \(name)") }
      guard library.active.insert(name).inserted else { throw Diagnostic("applications of \(name) recurse") }
      defer { library.active.remove(name) }
      var inner = self
      inner.scope = LoopScope(bodyOf: function, target: library.target, valueFunctions: scope.valueFunctions)
      for (parameter, operand) in zip(function.parameters, operands) {
        inner.values[parameter.name] = try compile(operand)
      }
      return try finish(&inner, function.body, function.result)
    }
    return result
  }

  /// Appends the steps of a body that sees other names.
  private mutating func finish(
    _ inner: inout ShadowCode, _ body: [LoopStatement], _ value: LoopValue
  ) throws -> Place {
    inner.steps = []
    for case .letValue(let name, let type, let operand) in body {
      let place = library.place(type.lanes)
      try inner.compile(operand, into: place, type)
      inner.scope.names[name] = .value(type)
      inner.values[name] = place
    }
    let result = try inner.compile(value)
    steps += inner.steps
    return result
  }

  private func place(of name: String) throws -> Place {
    guard let place = values[name] else { throw Diagnostic("no value is called \(name)") }
    return place
  }

  private mutating func compileElement(_ name: String, _ index: LoopIndex, _ lanes: Int, _ result: Place) throws {
    guard let register = registers[name] else { throw Diagnostic("\(name) is no register array") }
    let code = try compile(index)
    steps.append {
      let i = try code()
      guard i >= 0, i < register.count else {
        throw LoopFault(kind: .register, details: "\(name)[\(i)] of \(register.count) is read")
      }
      result.update(from: register.place + i * lanes, count: lanes)
    }
  }

  private mutating func compileLanes(_ value: LoopValue, _ type: LoopType, _ result: Place) throws {
    let lanes = type.lanes
    let places = try value.operands.map { try compile($0) }
    let operand = try scope.type(of: value.operands[0])
    switch value {
    case .unary(let operation, _):
      let (x, one) = (places[0], try ShadowArithmetic.unary(operation, type))
      steps.append { for lane in 0..<lanes { result[lane] = one(x[lane]) } }
    case .binary(let operation, _, _):
      let (x, y, two) = (places[0], places[1], try ShadowArithmetic.binary(operation, type))
      steps.append { for lane in 0..<lanes { result[lane] = try two(x[lane], y[lane]) } }
    case .compare(let operation, _, _):
      let (x, y, holds) = (places[0], places[1], try ShadowArithmetic.compare(operation, operand))
      steps.append { for lane in 0..<lanes { result[lane] = holds(x[lane], y[lane]) ? 1 : 0 } }
    case .fma:
      let (x, y, z) = (places[0], places[1], places[2])
      let three = ShadowArithmetic.multiplyAdd(type, isFused: library.target.fusesMultiplyAdd)
      steps.append { for lane in 0..<lanes { result[lane] = three(x[lane], y[lane], z[lane]) } }
    case .select:
      let (flags, x, y) = (places[0], places[1], places[2])
      steps.append { for lane in 0..<lanes { result[lane] = flags[lane] != 0 ? x[lane] : y[lane] } }
    case .convert(_, _, let isSaturating):
      guard let from = operand.element, let to = type.element else { throw Diagnostic("masks are not converted") }
      let (x, convert) = (places[0], ShadowNumbers.converter(from, to, isSaturating: isSaturating))
      let mustFit = from.isFloat && !to.isFloat && to != .bool && !isSaturating
      steps.append {
        for lane in 0..<lanes {
          if mustFit, !ShadowNumbers.fits(x[lane], from, to) {
            throw LoopFault(kind: .conversion, details: "\(ShadowNumbers.real(x[lane], from)) to \(to)")
          }
          result[lane] = convert(x[lane])
        }
      }
    default: preconditionFailure("\(value) does not go lane by lane")
    }
  }

  private mutating func compileBits(_ a: LoopValue, _ type: LoopType, _ result: Place) throws {
    let operand = try scope.type(of: a)
    guard let from = operand.element, let to = type.element else { throw Diagnostic("masks have no bits") }
    let x = try compile(a)
    steps.append {
      let bytes = (0..<operand.lanes).flatMap { lane in
        (0..<from.byteCount).map { UInt8(truncatingIfNeeded: x[lane] >> (8 * $0)) }
      }
      for lane in 0..<type.lanes {
        var bits: UInt64 = 0
        for byte in 0..<to.byteCount { bits |= UInt64(bytes[lane * to.byteCount + byte]) << UInt64(8 * byte) }
        result[lane] = ShadowNumbers.integer(bits: bits, to)
      }
    }
  }

  private mutating func compileReduction(_ operation: LoopReduction, _ a: LoopValue, _ result: Place) throws {
    let operand = try scope.type(of: a)
    let x = try compile(a)
    let lanes = operand.lanes
    let combine: (Int, Int) throws -> Int
    switch operation {
    case .count: combine = { $0 + $1 }
    case .any: combine = { $0 | $1 }
    case .all: combine = { $0 & $1 }
    case .add: combine = try ShadowArithmetic.binary(.add, operand)
    case .minimum: combine = try ShadowArithmetic.binary(.minimum, operand)
    case .maximum: combine = try ShadowArithmetic.binary(.maximum, operand)
    }
    steps.append {
      var values = (0..<lanes).map { x[$0] }
      while values.count > 1 {
        let half = values.count / 2
        values = try (0..<half).map { try combine(values[$0], values[$0 + half]) }
      }
      result[0] = values[0]
    }
  }
}
