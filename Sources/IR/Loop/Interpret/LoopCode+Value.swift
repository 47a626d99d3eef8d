// Values as closures: each has a place of its own for the result, or the place it is wanted in.

extension LoopCode {
  typealias Place = UnsafeMutableRawPointer

  /// Compiles `value` so that it ends up at `slot`.
  mutating func compile(_ value: LoopValue, into slot: Place, _ type: LoopType) throws {
    let result = try compile(value, wanted: slot)
    if result == slot { return }
    let copy = Self.copier(Self.size(type))
    steps.append { copy(slot, result) }
  }

  /// Compiles `value`; the result says where it is once the steps have run. Operations that go lane by lane may use the
  /// `wanted` place, even if an operand lies there.
  // Long because it is one switch over all values.
  mutating func compile(_ value: LoopValue, wanted: Place? = nil) throws -> Place {
    let type = try scope.type(of: value)
    switch value {
    case .constant(let number, _): return constant(number, type)
    case .variable(let name): return try valuePlace(name)
    case .element(let name, let index): return try compileElement(name, index, type)
    case .load(let buffer, let index, _, let mask):
      return truth(of: try compileLoad(buffer, index, type, mask, wanted), type)
    case .splat(let operand, let lanes): return try compileSplat(operand, lanes, type, wanted)
    case .index(let index, _, let step):
      let result = place(type, wanted)
      let code = try compile(index)
      let write = Self.integerWriter(result, type)
      let lanes = type.lanes
      steps.append {
        let first = code()
        for lane in 0..<lanes { write(lane, first + lane * step) }
      }
      return result
    case .firstLanes(let index, let lanes):
      let result = place(type, wanted)
      let flags = result.assumingMemoryBound(to: UInt8.self)
      let code = try compile(index)
      steps.append {
        let count = code()
        for lane in 0..<lanes { flags[lane] = lane < count ? 1 : 0 }
      }
      return result
    case .unary(let operation, let a):
      let source = try compile(a)
      let result = place(type, wanted)
      steps.append(Self.unary(operation, type, result, source))
      return result
    case .binary(let operation, let a, let b):
      let (x, y) = (try compile(a), try compile(b))
      let result = place(type, wanted)
      steps.append(Self.binary(operation, type, result, x, y))
      return result
    case .fma(let a, let b, let c):
      let (x, y, z) = (try compile(a), try compile(b), try compile(c))
      let result = place(type, wanted)
      steps.append(Self.multiplyAdd(type, result, x, y, z, isFused: library.target.fusesMultiplyAdd))
      return result
    case .compare(let operation, let a, let b):
      let operands = try scope.type(of: a)
      let (x, y) = (try compile(a), try compile(b))
      let result = place(type, wanted)
      steps.append(Self.compare(operation, operands, result, x, y))
      return result
    case .select(let mask, let a, let b):
      let flags = try compile(mask).assumingMemoryBound(to: UInt8.self)
      let (x, y) = (try compile(a), try compile(b))
      let result = place(type, wanted)
      let size = Self.size(type.with(lanes: 1))
      let lanes = type.lanes
      let copy = Self.copier(size)
      steps.append {
        for lane in 0..<lanes { copy(result + lane * size, (flags[lane] != 0 ? x : y) + lane * size) }
      }
      return result
    case .convert(let a, _, let saturating):
      let from = try scope.type(of: a)
      let source = try compile(a)
      let result = place(type, wanted)
      steps.append(Self.convert(from, type, result, source, isSaturating: saturating))
      return result
    case .reinterpret(let a, _): return try compile(a)
    case .shuffle(let a, let b, let lanes): return try compileShuffle(a, b, lanes, type)
    case .permute(let a, let indices):
      let read = Self.integerReader(try compile(indices), try scope.type(of: indices))
      let source = try compile(a)
      let result = place(type, nil)
      let size = Self.size(type.with(lanes: 1))
      let lanes = type.lanes
      steps.append {
        for lane in 0..<lanes {
          (result + lane * size).copyMemory(from: source + (read(lane) & (lanes - 1)) * size, byteCount: size)
        }
      }
      return result
    case .compress(let mask, let a):
      let flags = try compile(mask).assumingMemoryBound(to: UInt8.self)
      let source = try compile(a)
      let result = place(type, nil)
      let size = Self.size(type.with(lanes: 1))
      let lanes = type.lanes
      steps.append {
        result.initializeMemory(as: UInt8.self, repeating: 0, count: lanes * size)
        var front = result
        for lane in 0..<lanes where flags[lane] != 0 {
          front.copyMemory(from: source + lane * size, byteCount: size)
          front += size
        }
      }
      return result
    case .gather(let buffer, let offsets, _, let mask):
      return truth(of: try compileGather(buffer, offsets, type, mask), type)
    case .reduce(let operation, let a):
      let operand = try scope.type(of: a)
      let source = try compile(a)
      let result = place(type, nil)
      if operation == .count {
        let (flags, lanes) = (source.assumingMemoryBound(to: UInt8.self), operand.lanes)
        let count = result.assumingMemoryBound(to: Int32.self)
        steps.append { count.pointee = (0..<lanes).reduce(0) { $0 + Int32(flags[$1]) } }
        return result
      }
      let scratch = place(operand, nil)
      steps.append(Self.reduce(operation, operand, result, source, scratch))
      return result
    case .instruction(let name, let operands): return try compileInstruction(name, operands)
    case .apply(let name, let operands): return try compileApplication(name, operands, wanted)
    }
  }

  /// Bools out of memory as 0 and 1, whatever their bytes hold.
  private mutating func truth(of loaded: Place, _ type: LoopType) -> Place {
    guard type.element == .bool else { return loaded }
    let bytes = loaded.assumingMemoryBound(to: UInt8.self)
    steps.append { for lane in 0..<type.lanes { bytes[lane] = bytes[lane] == 0 ? 0 : 1 } }
    return loaded
  }

  func place(_ type: LoopType, _ wanted: Place?) -> Place {
    wanted ?? memory.allocate(bytes: Self.size(type))
  }

  private func valuePlace(_ name: String) throws -> Place {
    guard let place = values[name] else { throw Diagnostic("no value is called \(name)") }
    return place
  }

  private func constant(_ number: Double, _ type: LoopType) -> Place {
    let result = place(type, nil)
    let lanes = type.lanes
    if type.element?.isFloat == true {
      let write = Self.realWriter(result, type)
      for lane in 0..<lanes { write(lane, number) }
    } else {
      let write = Self.integerWriter(result, type)
      for lane in 0..<lanes { write(lane, Int(number)) }
    }
    return result
  }

  private mutating func compileElement(_ name: String, _ index: LoopIndex, _ type: LoopType) throws -> Place {
    guard case .register(_, count: let count?) = scope.names[name] else {
      throw Diagnostic("\(name) is no register array")
    }
    let base = try valuePlace(name)
    let stride = Self.stride(type)
    if case .constant(let i) = index, (0..<count).contains(i) { return base + i * stride }
    let code = try compile(index)
    let result = place(type, nil)
    let copy = Self.copier(Self.size(type))
    steps.append {
      let i = code()
      precondition(i >= 0 && i < count, "\(name)[\(i)] is read, of \(count)")
      copy(result, base + i * stride)
    }
    return result
  }

  private mutating func compileLoad(
    _ buffer: String, _ index: LoopIndex, _ type: LoopType, _ mask: LoopValue?, _ wanted: Place?
  ) throws -> Place {
    let window = try window(buffer)
    let address = try compile(index)
    let lanes = type.lanes
    let size = type.element?.byteCount ?? 1
    guard let mask else {
      let result = place(type, wanted)
      let copy = Self.copier(lanes * size)
      steps.append {
        let i = address()
        precondition(i >= 0 && i + lanes <= window.pointee.count, "load \(buffer)[\(i)] of \(window.pointee.count)")
        copy(result, window.pointee.base + i * size)
      }
      return result
    }
    let flags = try compile(mask).assumingMemoryBound(to: UInt8.self)
    let result = place(type, wanted)
    steps.append {
      let i = address()
      for lane in 0..<lanes {
        let target = result + lane * size
        if flags[lane] != 0 {
          precondition(
            i + lane >= 0 && i + lane < window.pointee.count, "load \(buffer)[\(i + lane)] of \(window.pointee.count)")
          target.copyMemory(from: window.pointee.base + (i + lane) * size, byteCount: size)
        } else {
          target.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        }
      }
    }
    return result
  }

  private mutating func compileSplat(
    _ operand: LoopValue, _ lanes: Int, _ type: LoopType, _ wanted: Place?
  ) throws -> Place {
    // A broadcast load, the innermost step of every product, in one closure.
    if case .load(let buffer, let index, _, mask: nil) = operand, type.element == .f32 {
      let window = try window(buffer)
      let address = try compile(index)
      let result = place(type, wanted)
      let broadcast = Self.splatFloat(result, lanes)
      steps.append {
        let i = address()
        precondition(i >= 0 && i < window.pointee.count, "load \(buffer)[\(i)] of \(window.pointee.count)")
        broadcast(window.pointee.base.assumingMemoryBound(to: Float.self)[i])
      }
      return result
    }
    let source = try compile(operand)
    let result = place(type, wanted)
    if type.element == .f32 {
      let broadcast = Self.splatFloat(result, lanes)
      let scalar = source.assumingMemoryBound(to: Float.self)
      steps.append { broadcast(scalar.pointee) }
    } else {
      let size = Self.size(type.with(lanes: 1))
      let copy = Self.copier(size)
      steps.append {
        for lane in 0..<lanes { copy(result + lane * size, source) }
      }
    }
    return result
  }

  private mutating func compileShuffle(
    _ a: LoopValue, _ b: LoopValue?, _ lanes: [Int], _ type: LoopType
  ) throws -> Place {
    let available = try scope.type(of: a).lanes
    let x = try compile(a)
    let y = try b.map { try compile($0) } ?? x
    let result = place(type, nil)
    let size = Self.size(type.with(lanes: 1))
    steps.append {
      for (lane, chosen) in lanes.enumerated() {
        let source = chosen < available ? x + chosen * size : y + (chosen - available) * size
        (result + lane * size).copyMemory(from: source, byteCount: size)
      }
    }
    return result
  }

  private mutating func compileGather(
    _ buffer: String, _ offsets: LoopValue, _ type: LoopType, _ mask: LoopValue?
  ) throws -> Place {
    let window = try window(buffer)
    let read = Self.integerReader(try compile(offsets), try scope.type(of: offsets))
    let flags = try mask.map { try compile($0).assumingMemoryBound(to: UInt8.self) }
    let result = place(type, nil)
    let size = type.element?.byteCount ?? 1
    let lanes = type.lanes
    steps.append {
      for lane in 0..<lanes {
        if flags.map({ $0[lane] == 0 }) == true {
          (result + lane * size).initializeMemory(as: UInt8.self, repeating: 0, count: size)
          continue
        }
        let i = read(lane)
        precondition(i >= 0 && i < window.pointee.count, "gather \(buffer)[\(i)] of \(window.pointee.count)")
        (result + lane * size).copyMemory(from: window.pointee.base + i * size, byteCount: size)
      }
    }
    return result
  }

  /// The instruction's meaning with the operands under their names in it.
  private mutating func compileInstruction(_ name: String, _ operands: [LoopValue]) throws -> Place {
    guard let instruction = scope.instructions[name] else {
      throw Diagnostic("the target has no instruction \(name)")
    }
    var inner = self
    inner.scope.names = [:]
    inner.values = [:]
    for (number, operand) in operands.enumerated() {
      inner.values["a\(number)"] = try compile(operand)
      inner.scope.names["a\(number)"] = .value(instruction.operands[number])
    }
    inner.steps = []
    let result = try inner.compile(instruction.semantics)
    steps += inner.steps
    return result
  }

  /// The value function's body written out at this place, with the operands where its parameters are: as fast as if
  /// there were no function, and the same bits.
  private mutating func compileApplication(
    _ name: String, _ operands: [LoopValue], _ wanted: Place?
  ) throws -> Place {
    guard let function = scope.valueFunctions[name] else { throw Diagnostic("no value function is called \(name)") }
    guard library.active.insert(name).inserted else { throw Diagnostic("applications of \(name) recurse") }
    defer { library.active.remove(name) }
    var inner = self
    inner.scope = LoopScope(
      bodyOf: function, target: library.target, valueFunctions: scope.valueFunctions)
    inner.values = [:]
    inner.indices = [:]
    inner.windows = [:]
    inner.steps = []
    for (parameter, operand) in zip(function.parameters, operands) {
      inner.values[parameter.name] = try compile(operand)
    }
    for statement in function.body { try inner.compile(statement) }
    let result = try inner.compile(function.result, wanted: wanted)
    steps += inner.steps
    return result
  }
}
