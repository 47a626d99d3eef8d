import IR

/// Statements as closures, for `ShadowExecution`. Functions do not recurse, so every value has one place for all calls.
struct ShadowCode {
  typealias Step = () throws -> Void
  typealias IndexCode = () throws -> Int
  typealias Place = UnsafeMutablePointer<Int>

  final class IndexSlot { var value = 0 }

  /// A register: where it lies, and the parallel loop's run in which it was declared last.
  final class Register {
    let place: Place
    let count: Int
    let range: ClosedRange<Int>?
    var run: Int32 = 0

    init(_ place: Place, count: Int, range: ClosedRange<Int>?) {
      self.place = place
      self.count = count
      self.range = range
    }
  }

  struct Function {
    var declaration: LoopFunction
    var indices: [String: IndexSlot]
    var windows: [String: ShadowWindow]
    var body: [Step]
  }

  /// The functions of a program, each compiled when first called, and the places of all values.
  final class Library {
    let program: LoopProgram
    let target: Target
    let machine: ShadowMachine
    private var functions: [String: Function] = [:]
    var active: Set<String> = []
    private var places: [Place] = []

    init(program: LoopProgram, target: Target, machine: ShadowMachine) {
      self.program = program
      self.target = target
      self.machine = machine
    }

    deinit { for place in places { place.deallocate() } }

    func place(_ lanes: Int) -> Place {
      let place = Place.allocate(capacity: max(lanes, 1))
      place.initialize(repeating: 0, count: max(lanes, 1))
      places.append(place)
      return place
    }

    func function(_ name: String) throws -> Function {
      if let known = functions[name] { return known }
      guard let declaration = program.functions.first(where: { $0.name == name }) else {
        throw Diagnostic("no function is called \(name)")
      }
      guard active.insert(name).inserted else { throw Diagnostic("calls of \(name) recurse") }
      defer { active.remove(name) }
      let scope = LoopScope(bodyOf: declaration, target: target, valueFunctions: program.valueFunctionsByName)
      var code = ShadowCode(library: self, scope: scope, windows: [:])
      for parameter in declaration.parameters {
        switch parameter.kind {
        case .view(_, _, count: _, let range): code.windows[parameter.name] = ShadowWindow(parameter.name, range: range)
        case .index: code.indices[parameter.name] = IndexSlot()
        }
      }
      let function = Function(
        declaration: declaration, indices: code.indices, windows: code.windows, body: try code.block(declaration.body))
      functions[name] = function
      return function
    }
  }

  let library: Library
  var scope: LoopScope
  var windows: [String: ShadowWindow]
  var indices: [String: IndexSlot] = [:]
  var values: [String: Place] = [:]
  var registers: [String: Register] = [:]
  var steps: [Step] = []

  init(library: Library, scope: LoopScope, windows: [String: ShadowWindow]) {
    self.library = library
    self.scope = scope
    self.windows = windows
  }

  var machine: ShadowMachine { library.machine }

  /// A block of its own, each statement counted, faults told where they are.
  func block(_ statements: [LoopStatement]) throws -> [Step] {
    var inner = self
    var compiled: [Step] = []
    for statement in statements {
      inner.steps = []
      try inner.compile(statement)
      let (machine, steps) = (machine, inner.steps)
      compiled.append {
        machine.steps -= 1
        if machine.steps < 0 { throw ShadowTimeout() }
        do {
          for step in steps { try step() }
        } catch var fault as LoopFault where fault.place.isEmpty {
          fault.place = statement.description.split(separator: "\n").first.map(String.init) ?? ""
          throw fault
        }
      }
    }
    return compiled
  }

  /// A value compiled alone.
  func alone(_ value: LoopValue) throws -> (steps: [Step], result: Place) {
    var inner = self
    inner.steps = []
    let result = try inner.compile(value)
    return (inner.steps, result)
  }

  private mutating func bindIndex(_ name: String) -> IndexSlot {
    let slot = IndexSlot()
    indices[name] = slot
    scope.names[name] = .index
    return slot
  }

  private mutating func compile(_ statement: LoopStatement) throws {
    switch statement {
    case .forLoop: try compileLoop(statement)
    case .forWhile(let name, let maximum, let condition, let body):
      var inner = self
      let slot = inner.bindIndex(name)
      let test = try inner.alone(condition)
      let round = try inner.block(body)
      steps.append {
        for value in 0..<max(maximum, 0) {
          slot.value = value
          for step in test.steps { try step() }
          if test.result[0] == 0 { return }
          for step in round { try step() }
        }
      }
    case .ifIndex(let comparisons, let then, let otherwise):
      let tests = try comparisons.map(compile)
      let (thenSteps, otherwiseSteps) = (try block(then), try block(otherwise))
      steps.append {
        var holds = true
        for test in tests where holds { holds = try test() }
        for step in holds ? thenSteps : otherwiseSteps { try step() }
      }
    case .ifValue(let condition, let then, let otherwise):
      let flag = try compile(condition)
      let (thenSteps, otherwiseSteps) = (try block(then), try block(otherwise))
      steps.append { for step in flag[0] != 0 ? thenSteps : otherwiseSteps { try step() } }
    case .letValue(let name, let type, let value):
      let place = library.place(type.lanes)
      try compile(value, into: place, type)
      scope.declare(statement)
      values[name] = place
    case .letIndex(let name, let range, let value): try compileLetIndex(name, range, value)
    case .register: try compileRegister(statement)
    case .assign(let name, let element, let value): try compileAssignment(name, element, value)
    case .store(let buffer, let index, let value, let mask): try compileStore(buffer, index, value, mask)
    case .prefetch(let buffer, let index):
      let (window, address) = (try window(buffer), try compile(index))
      steps.append {
        let i = try address()
        if i < 0 || i >= window.count {
          throw LoopFault(kind: .outside, details: "\(buffer)[\(i)] of \(window.count) is prefetched")
        }
      }
    case .call(let name, let arguments): try compileCall(name, arguments)
    case .layer(_, let body): steps += try block(body)
    }
  }

  private func compile(_ comparison: LoopComparison) throws -> () throws -> Bool {
    let (left, right) = (try compile(comparison.left), try compile(comparison.right))
    switch comparison.relation {
    case .less: return { try left() < right() }
    case .lessOrEqual: return { try left() <= right() }
    case .equal: return { try left() == right() }
    case .greaterOrEqual: return { try left() >= right() }
    case .greater: return { try left() > right() }
    }
  }

  private mutating func compileLoop(_ statement: LoopStatement) throws {
    guard case .forLoop(let name, let from, let to, let step, let order, let body) = statement else { return }
    guard step > 0 else { throw Diagnostic("a loop steps by \(step)") }
    let (first, last) = (try compile(from), try compile(to))
    var inner = self
    let slot = inner.bindIndex(name)
    let round = try inner.block(body)
    let machine = machine
    steps.append {
      var value = try first()
      let end = try last()
      let isOutermost = order == .parallel && machine.run == 0
      if isOutermost {
        machine.runs += 1
        machine.run = machine.runs
        machine.round = 0
      }
      while value < end {
        slot.value = value
        if isOutermost { machine.forgetScratch() }
        machine.steps -= 1
        if machine.steps < 0 { throw ShadowTimeout() }
        for step in round { try step() }
        if isOutermost { machine.round += 1 }
        value = try Self.fitting(value + step) { "\(name) + \(step)" }
      }
      if isOutermost {
        machine.run = 0
        machine.forgetScratch()
      }
    }
  }

  private mutating func compileLetIndex(_ name: String, _ range: ClosedRange<Int>, _ value: LoopValue) throws {
    let source = try compile(value)
    guard let element = try scope.type(of: value).element else { throw Diagnostic("\(name) comes out of no integer") }
    let slot = bindIndex(name)
    steps.append {
      guard ShadowNumbers.isInside(source[0], element, range) else {
        throw LoopFault(kind: .range, details: "\(name) is \(source[0]), outside \(range)")
      }
      slot.value = try Self.fitting(source[0]) { name }
    }
  }

  private mutating func compileRegister(_ statement: LoopStatement) throws {
    guard case .register(let name, let type, let count, let range, let value) = statement else { return }
    let lanes = type.lanes
    let register = Register(library.place(lanes * max(count ?? 1, 1)), count: count ?? 1, range: range)
    let source = try compile(value)
    let machine = machine
    steps.append {
      register.run = machine.run
      try Self.check(source, type, range) { name }
      for element in 0..<register.count { (register.place + element * lanes).update(from: source, count: lanes) }
    }
    scope.declare(statement)
    values[name] = register.place
    registers[name] = register
  }

  static func check(_ place: Place, _ type: LoopType, _ range: ClosedRange<Int>?, _ name: () -> String) throws {
    guard let range, let element = type.element else { return }
    for lane in 0..<type.lanes where !ShadowNumbers.isInside(place[lane], element, range) {
      throw LoopFault(kind: .range, details: "\(name()) is \(place[lane]), outside \(range)")
    }
  }

  private mutating func compileAssignment(_ name: String, _ element: LoopIndex?, _ value: LoopValue) throws {
    guard case .register(let type, _) = scope.names[name], let register = registers[name] else {
      throw Diagnostic("\(name) is assigned but is no register")
    }
    let source = try compile(value)
    let index = try element.map { try compile($0) }
    let (machine, lanes) = (machine, type.lanes)
    steps.append {
      let i = try index?() ?? 0
      guard i >= 0, i < register.count else {
        throw LoopFault(kind: .register, details: "\(name)[\(i)] of \(register.count) is assigned")
      }
      if register.run != machine.run { throw LoopFault(kind: .sharedRegister, details: name) }
      try Self.check(source, type, register.range) { name }
      (register.place + i * lanes).update(from: source, count: lanes)
    }
  }

  private mutating func compileStore(
    _ buffer: String, _ index: LoopIndex, _ value: LoopValue, _ mask: LoopValue?
  ) throws {
    let lanes = try scope.type(of: value).lanes
    let source = try compile(value)
    let flags = try mask.map { try compile($0) }
    let (window, address, machine) = (try window(buffer), try compile(index), machine)
    steps.append {
      let i = try address()
      for lane in 0..<lanes where flags.map({ $0[lane] != 0 }) ?? true {
        try machine.store(window, i + lane, source[lane])
      }
    }
  }

  func window(_ buffer: String) throws -> ShadowWindow {
    guard let window = windows[buffer] else { throw Diagnostic("no buffer is called \(buffer)") }
    return window
  }
}
