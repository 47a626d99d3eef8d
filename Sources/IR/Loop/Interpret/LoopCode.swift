// Statements as closures over the addresses they work on; see `LoopInterpreter.swift`.

struct LoopCode {
  typealias Step = () -> Void
  typealias IndexCode = () -> Int

  /// A compiled function: where its parameters go, and its body.
  struct Function {
    var declaration: LoopFunction
    var indices: [String: UnsafeMutablePointer<Int>]
    var windows: [String: UnsafeMutablePointer<LoopWindow>]
    var body: Body
  }

  final class Body {
    var steps: [Step] = []
  }

  /// The functions of a program, each compiled when first called.
  final class Library {
    let program: LoopProgram
    let target: Target
    let memory: LoopMemory
    let flags: LoopRunFlags
    private var functions: [String: Function] = [:]
    /// Functions being compiled, value functions among them.
    var active: Set<String> = []

    init(program: LoopProgram, target: Target, memory: LoopMemory, flags: LoopRunFlags) {
      self.program = program
      self.target = target
      self.memory = memory
      self.flags = flags
    }

    func function(_ name: String) throws -> Function {
      if let known = functions[name] { return known }
      guard let declaration = program.functions.first(where: { $0.name == name }) else {
        throw Diagnostic("no function is called \(name)")
      }
      guard active.insert(name).inserted else { throw Diagnostic("calls of \(name) recurse") }
      let scope = LoopScope(bodyOf: declaration, target: target, valueFunctions: program.valueFunctionsByName)
      var code = LoopCode(library: self, scope: scope, windows: [:])
      for parameter in declaration.parameters {
        switch parameter.kind {
        case .view: code.windows[parameter.name] = memory.allocate(LoopWindow.self, count: 1)
        case .index: code.indices[parameter.name] = memory.allocate(Int.self, count: 1)
        }
      }
      let function = Function(
        declaration: declaration, indices: code.indices, windows: code.windows, body: Body())
      function.body.steps = try code.block(declaration.body)
      active.remove(name)
      functions[name] = function
      return function
    }
  }

  let library: Library
  var scope: LoopScope
  var windows: [String: UnsafeMutablePointer<LoopWindow>]
  var indices: [String: UnsafeMutablePointer<Int>] = [:]
  /// `let`s and registers; arrays lie element after element, each `stride` bytes.
  var values: [String: UnsafeMutableRawPointer] = [:]
  /// What the current statement compiles to.
  var steps: [Step] = []

  init(library: Library, scope: LoopScope, windows: [String: UnsafeMutablePointer<LoopWindow>]) {
    self.library = library
    self.scope = scope
    self.windows = windows
  }

  var memory: LoopMemory { library.memory }

  /// Bytes from one element of a register array to the next.
  static func stride(_ type: LoopType) -> Int { (size(type) + 63) / 64 * 64 }

  /// Bytes of a value: masks take one byte a lane.
  static func size(_ type: LoopType) -> Int { type.lanes * (type.element?.byteCount ?? 1) }

  /// A block of its own: what it binds ends with it.
  func block(_ statements: [LoopStatement]) throws -> [Step] {
    var inner = self
    inner.steps = []
    for statement in statements { try inner.compile(statement) }
    return inner.steps
  }

  /// A value compiled alone: what to do, and where the result is then.
  func alone(_ value: LoopValue) throws -> (steps: [Step], result: UnsafeMutableRawPointer) {
    var inner = self
    inner.steps = []
    let result = try inner.compile(value)
    return (inner.steps, result)
  }

  // Long because it is one switch over all statements.
  mutating func compile(_ statement: LoopStatement) throws {
    switch statement {
    case .forLoop(let name, let from, let to, let step, let order, let body):
      try compileLoop(name, from, to, step, isParallel: order == .parallel, body)
    case .forWhile(let name, let maximum, let condition, let body):
      let slot = bindIndex(name)
      let test = try alone(condition)
      let flag = test.result.assumingMemoryBound(to: UInt8.self)
      let round = try block(body)
      steps.append {
        for value in 0..<maximum {
          slot.pointee = value
          for step in test.steps { step() }
          if flag.pointee == 0 { return }
          for step in round { step() }
        }
      }
    case .ifIndex(let comparisons, let then, let otherwise):
      let tests = try comparisons.map { comparison -> () -> Bool in
        let left = try compile(comparison.left)
        let right = try compile(comparison.right)
        switch comparison.relation {
        case .less: return { left() < right() }
        case .lessOrEqual: return { left() <= right() }
        case .equal: return { left() == right() }
        case .greaterOrEqual: return { left() >= right() }
        case .greater: return { left() > right() }
        }
      }
      let thenSteps = try block(then)
      let otherwiseSteps = try block(otherwise)
      steps.append {
        for step in tests.allSatisfy({ $0() }) ? thenSteps : otherwiseSteps { step() }
      }
    case .ifValue(let condition, let then, let otherwise):
      let flag = try compile(condition).assumingMemoryBound(to: UInt8.self)
      let thenSteps = try block(then)
      let otherwiseSteps = try block(otherwise)
      steps.append {
        for step in flag.pointee != 0 ? thenSteps : otherwiseSteps { step() }
      }
    case .letValue(let name, let type, let value):
      let slot = memory.allocate(bytes: Self.size(type))
      try compile(value, into: slot, type)
      scope.declare(statement)
      values[name] = slot
    case .letIndex(let name, let range, let value):
      let read = Self.integerReader(try compile(value), try scope.type(of: value))
      let slot = bindIndex(name)
      steps.append {
        let value = read(0)
        precondition(range.contains(value), "\(name) is \(value), outside \(range)")
        slot.pointee = value
      }
    case .register(let name, let type, let count, range: _, let value):
      let stride = Self.stride(type)
      let slot = memory.allocate(bytes: stride * (count ?? 1))
      let source = try compile(value)
      let size = Self.size(type)
      steps.append {
        for element in 0..<(count ?? 1) { (slot + element * stride).copyMemory(from: source, byteCount: size) }
      }
      scope.declare(statement)
      values[name] = slot
    case .assign(let name, let element, let value): try compileAssignment(name, element, value)
    case .store(let buffer, let index, let value, let mask): try compileStore(buffer, index, value, mask)
    case .prefetch: break
    case .call(let name, let arguments): try compileCall(name, arguments)
    case .layer(_, let body): steps += try block(body)
    }
  }

  mutating func bindIndex(_ name: String) -> UnsafeMutablePointer<Int> {
    let slot = memory.allocate(Int.self, count: 1)
    indices[name] = slot
    scope.names[name] = .index
    return slot
  }

  private mutating func compileLoop(
    _ name: String, _ from: LoopIndex, _ to: LoopIndex, _ step: Int, isParallel: Bool, _ body: [LoopStatement]
  ) throws {
    let first = try compile(from)
    let last = try compile(to)
    var inner = self
    let slot = inner.bindIndex(name)
    let round = try inner.block(body)
    guard isParallel else {
      steps.append {
        let end = last()
        var value = first()
        while value < end {
          slot.pointee = value
          for step in round { step() }
          value += step
        }
      }
      return
    }
    let flags = library.flags
    steps.append {
      let values = Swift.stride(from: first(), to: last(), by: step)
      for value in flags.reverses ? values.reversed() : Array(values) {
        slot.pointee = value
        flags.beginRound()
        for step in round { step() }
      }
    }
  }

  private mutating func compileAssignment(_ name: String, _ element: LoopIndex?, _ value: LoopValue) throws {
    guard case .register(let type, let count) = scope.names[name], let slot = values[name] else {
      throw Diagnostic("\(name) is assigned but is no register")
    }
    guard let element else { return try compile(value, into: slot, type) }
    let stride = Self.stride(type)
    if case .constant(let index) = element, (0..<(count ?? 1)).contains(index) {
      return try compile(value, into: slot + index * stride, type)
    }
    let source = try compile(value)
    let index = try compile(element)
    let copy = Self.copier(Self.size(type))
    let limit = count ?? 1
    steps.append {
      let i = index()
      precondition(i >= 0 && i < limit, "\(name)[\(i)] is assigned, of \(limit)")
      copy(slot + i * stride, source)
    }
  }

  private mutating func compileStore(
    _ buffer: String, _ index: LoopIndex, _ value: LoopValue, _ mask: LoopValue?
  ) throws {
    let type = try scope.type(of: value)
    let source = try compile(value)
    let lanes = type.lanes
    let size = type.element?.byteCount ?? 1
    let window = try window(buffer)
    let address = try compile(index)
    guard let mask else {
      let copy = Self.copier(lanes * size)
      steps.append {
        let i = address()
        precondition(i >= 0 && i + lanes <= window.pointee.count, "store \(buffer)[\(i)] of \(window.pointee.count)")
        copy(window.pointee.base + i * size, source)
      }
      return
    }
    let flags = try compile(mask).assumingMemoryBound(to: UInt8.self)
    steps.append {
      let i = address()
      for lane in 0..<lanes where flags[lane] != 0 {
        precondition(
          i + lane >= 0 && i + lane < window.pointee.count, "store \(buffer)[\(i + lane)] of \(window.pointee.count)")
        (window.pointee.base + (i + lane) * size).copyMemory(from: source + lane * size, byteCount: size)
      }
    }
  }

  func window(_ buffer: String) throws -> UnsafeMutablePointer<LoopWindow> {
    guard let window = windows[buffer] else { throw Diagnostic("no buffer is called \(buffer)") }
    return window
  }

  private mutating func compileCall(_ name: String, _ arguments: [LoopArgument]) throws {
    let function = try library.function(name)
    guard function.declaration.parameters.count == arguments.count else {
      throw Diagnostic("\(name) takes \(function.declaration.parameters.count) arguments, found \(arguments.count)")
    }
    for (parameter, argument) in zip(function.declaration.parameters, arguments) {
      switch (parameter.kind, argument) {
      case (.index(let range), .index(let index)):
        guard let slot = function.indices[parameter.name] else { continue }
        let value = try compile(index)
        steps.append {
          let i = value()
          precondition(range.contains(i), "\(name) gets \(parameter.name) = \(i), outside \(range)")
          slot.pointee = i
        }
      case (.view(_, let element, let count, range: _), .view(let buffer, let index)):
        guard let slot = function.windows[parameter.name] else { continue }
        let caller = try window(buffer)
        let offset = try compile(index)
        let size = element.byteCount
        steps.append {
          let i = offset()
          precondition(
            i >= 0 && i + count <= caller.pointee.count,
            "\(name) gets \(count) elements from \(buffer)[\(i)] of \(caller.pointee.count)")
          slot.pointee = LoopWindow(base: caller.pointee.base + i * size, count: count)
        }
      case (.index, .view), (.view, .index):
        throw Diagnostic("\(name) gets the wrong kind of argument as \(parameter.name)")
      }
    }
    let body = function.body
    steps.append {
      for step in body.steps { step() }
    }
  }
}
