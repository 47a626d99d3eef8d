import IR

/// The opcodes that are executed, by the names in Python's `pickletools`.
private enum Opcode: UInt8 {
  case proto = 0x80
  case frame = 0x95
  case stop = 0x2E
  case mark = 0x28
  case none = 0x4E
  case newTrue = 0x88
  case newFalse = 0x89
  case binInt = 0x4A
  case binInt1 = 0x4B
  case binInt2 = 0x4D
  case long1 = 0x8A
  case long4 = 0x8B
  case binFloat = 0x47
  case binUnicode = 0x58
  case shortBinUnicode = 0x8C
  case binUnicode8 = 0x8D
  case binBytes = 0x42
  case shortBinBytes = 0x43
  case binBytes8 = 0x8E
  case byteArray8 = 0x96
  case emptyTuple = 0x29
  case tuple = 0x74
  case tuple1 = 0x85
  case tuple2 = 0x86
  case tuple3 = 0x87
  case emptyList = 0x5D
  case list = 0x6C
  case append = 0x61
  case appends = 0x65
  case emptyDict = 0x7D
  case dict = 0x64
  case setItem = 0x73
  case setItems = 0x75
  case binPut = 0x71
  case longBinPut = 0x72
  case memoize = 0x94
  case binGet = 0x68
  case longBinGet = 0x6A
  case global = 0x63
  case stackGlobal = 0x93
  case binPersid = 0x51
  case reduce = 0x52
  case newObj = 0x81
  case build = 0x62
}

/// The stack machine. Every value costs at least a byte of the pickle, and there are at most `mostValues`.
struct PickleMachine {
  private var cursor: ByteCursor
  private let file: String
  private var pickle = Pickle()
  private var stack: [Pickle.Value] = []
  /// Where in the stack each open mark is.
  private var marks: [Int] = []
  /// Remembered values by their numbers, which picklers give out in order.
  private var memo: [Pickle.Value?] = []
  private var values = 0

  /// Eight times what the largest published models take when they are stored with averages and an optimiser's state.
  private static let mostValues = 1 << 21

  init(bytes: [UInt8], file: String) {
    cursor = ByteCursor(bytes)
    self.file = file
  }

  private func problem(_ what: String) -> Diagnostic {
    Diagnostic("\(file): damaged, or not written by torch.save: \(what) at byte \(cursor.position) of its pickle")
  }

  private func refusal(_ what: String) -> Diagnostic {
    Diagnostic(
      "\(file) \(what), and vigc runs no code of a checkpoint",
      notes: ["save only the tensors, in Python: torch.save(model.state_dict(), \"weights.pth\")"])
  }

  /// Runs to the end; the containers may hold each other in any way.
  mutating func run() throws -> Pickle {
    while true {
      guard let byte = cursor.word(1) else { throw problem("it ends without a stop") }
      guard let opcode = Opcode(rawValue: UInt8(byte)) else {
        throw refusal("uses the pickle opcode 0x\(String(byte, radix: 16)), which no file of tensors needs")
      }
      if opcode == .stop {
        pickle.root = try pop()
        return pickle
      }
      try execute(opcode)
    }
  }

  private mutating func execute(_ opcode: Opcode) throws {
    switch opcode {
    case .proto:
      let version = try number(1)
      guard (2...5).contains(version) else { throw problem("protocol \(version), where 2 to 5 are known,") }
    case .frame: _ = try number(8)
    case .stop: preconditionFailure("the end is taken care of")
    case .mark:
      marks.append(stack.count)
      try count(1)
    case .none: try push(.none)
    case .newTrue: try push(.bool(true))
    case .newFalse: try push(.bool(false))
    case .binInt: try push(.integer(Int(Int32(truncatingIfNeeded: try number(4)))))
    case .binInt1: try push(.integer(try number(1)))
    case .binInt2: try push(.integer(try number(2)))
    case .long1: try push(long(try number(1)))
    case .long4: try push(long(try number(4)))
    case .binFloat: try push(.float(Double(bitPattern: try take(8).reduce(0) { $0 << 8 | UInt64($1) })))
    case .binUnicode: try push(.string(text(try number(4))))
    case .shortBinUnicode: try push(.string(text(try number(1))))
    case .binUnicode8: try push(.string(text(try number(8))))
    case .binBytes: try pushBytes(lengthOf: 4)
    case .shortBinBytes: try pushBytes(lengthOf: 1)
    case .binBytes8, .byteArray8: try pushBytes(lengthOf: 8)
    case .emptyTuple: try push(.tuple([]))
    case .tuple: try push(.tuple(popToMark()))
    case .tuple1: try push(.tuple(pop(1)))
    case .tuple2: try push(.tuple(pop(2)))
    case .tuple3: try push(.tuple(pop(3)))
    case .emptyList: try push(.list([]))
    case .list: try push(.list(popToMark()))
    case .append: try append(pop(1))
    case .appends: try append(popToMark())
    case .emptyDict: try push(.dictionary([]))
    case .dict: try push(.dictionary(pairs(popToMark())))
    case .setItem: try set(pairs(pop(2)))
    case .setItems: try set(pairs(popToMark()))
    case .binPut: try remember(try number(1))
    case .longBinPut: try remember(try number(4))
    case .memoize: try remember(memo.count)
    case .binGet: try recall(try number(1))
    case .longBinGet: try recall(try number(4))
    case .global: try push(global(module: line(), name: line()))
    case .stackGlobal:
      guard case .string(let name) = try pop(), case .string(let module) = try pop() else {
        throw problem("a name that is no text")
      }
      try push(global(module: module, name: name))
    case .binPersid: try push(persistent(pop()))
    case .reduce:
      let arguments = try tuple(pop())
      try push(call(pop(), arguments))
    case .newObj:
      let arguments = try tuple(pop())
      guard try pop() == .global(.namespace), arguments.isEmpty else { throw problem("an object of no known kind") }
      try push(.namespace)
    case .build: try build()
    }
  }

  // MARK: Input

  private mutating func take(_ length: Int) throws -> ArraySlice<UInt8> {
    guard let bytes = cursor.take(length) else { throw problem("it is truncated") }
    return bytes
  }

  private mutating func number(_ width: Int) throws -> Int {
    guard width <= cursor.remaining else { throw problem("it is truncated") }
    guard let number = cursor.integer(width) else { throw problem("a length that is none") }
    return number
  }

  private mutating func text(_ length: Int) throws -> String {
    let bytes = try take(length)
    guard let text = String(validating: bytes, as: UTF8.self) else { throw problem("text that is not UTF-8") }
    return text
  }

  /// Bytes are of things that are read past; nobody keeps them.
  private mutating func pushBytes(lengthOf width: Int) throws {
    _ = try take(try number(width))
    try push(.passedOver)
  }

  private mutating func line() throws -> String {
    var bytes: [UInt8] = []
    while true {
      let byte = UInt8(try number(1))
      if byte == 0x0A { break }
      bytes.append(byte)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// A little-endian number in two's complement.
  private mutating func long(_ length: Int) throws -> Pickle.Value {
    let bytes = try take(length)
    guard let top = bytes.last else { return .integer(0) }
    guard length <= 8 else { return .longInteger }
    let sign: UInt64 = top >= 0x80 ? .max : 0
    return .integer(Int(bitPattern: UInt(bytes.reversed().reduce(sign) { $0 << 8 | UInt64($1) })))
  }

  // MARK: Stack

  private mutating func count(_ more: Int) throws {
    values += more
    guard values <= Self.mostValues else { throw problem("more than \(Self.mostValues) values") }
  }

  private mutating func push(_ value: Pickle.Value) throws {
    try count(1)
    stack.append(value)
  }

  private mutating func push(_ container: Pickle.Container) throws {
    try push(.container(pickle.containers.count))
    pickle.containers.append(container)
  }

  private mutating func pop(_ count: Int) throws -> [Pickle.Value] {
    guard stack.count - (marks.last ?? 0) >= count else { throw problem("too few values") }
    let values = Array(stack.suffix(count))
    stack.removeLast(count)
    return values
  }

  private mutating func pop() throws -> Pickle.Value { try pop(1)[0] }

  private mutating func popToMark() throws -> [Pickle.Value] {
    guard let mark = marks.popLast() else { throw problem("no mark") }
    let values = Array(stack[mark...])
    stack.removeLast(values.count)
    return values
  }

  private mutating func remember(_ index: Int) throws {
    guard let value = stack.last, stack.count > marks.last ?? 0 else { throw problem("nothing to remember") }
    if index >= memo.count {
      let added = index - memo.count + 1
      try count(added)
      memo += repeatElement(nil, count: added)
    }
    memo[index] = value
  }

  private mutating func recall(_ index: Int) throws {
    guard index < memo.count, let value = memo[index] else { throw problem("a value that was never remembered") }
    try push(value)
  }

  // MARK: Containers
  //
  // A method that takes a popped value is mutating even if it changes nothing. Otherwise it would hold the machine as
  // it was before the pop, and each pop would copy the whole stack.

  private mutating func pairs(_ values: [Pickle.Value]) throws -> [(key: Pickle.Value, value: Pickle.Value)] {
    guard values.count.isMultiple(of: 2) else { throw problem("a key without its value") }
    return stride(from: 0, to: values.count, by: 2).map { (values[$0], values[$0 + 1]) }
  }

  private mutating func tuple(_ value: Pickle.Value) throws -> [Pickle.Value] {
    guard case .container(let index) = value, case .tuple(let values) = pickle.containers[index] else {
      throw problem("arguments that are no tuple")
    }
    return values
  }

  private mutating func append(_ values: [Pickle.Value]) throws {
    guard stack.count > marks.last ?? 0, case .container(let index)? = stack.last,
      case .list(var list) = pickle.containers[index]
    else { throw problem("elements of no list") }
    // An array that is not held twice grows in place. If it were copied for each element, a long list would take
    // quadratic time.
    pickle.containers[index] = .list([])
    list += values
    pickle.containers[index] = .list(list)
  }

  private mutating func set(_ pairs: [(key: Pickle.Value, value: Pickle.Value)]) throws {
    guard stack.count > marks.last ?? 0, case .container(let index)? = stack.last,
      case .dictionary(var dictionary) = pickle.containers[index]
    else { throw problem("items of no dictionary") }
    pickle.containers[index] = .dictionary([])
    dictionary += pairs
    pickle.containers[index] = .dictionary(dictionary)
  }

  // MARK: What Python would call

  private mutating func global(module: String, name: String) throws -> Pickle.Value {
    guard let global = Pickle.Global(module: module, name: name) else {
      throw refusal("needs Python's '\(module.shown).\(name.shown)'")
    }
    return .global(global)
  }

  /// `('storage', type, key, device, count)`.
  private mutating func persistent(_ value: Pickle.Value) throws -> Pickle.Value {
    let parts = try tuple(value)
    guard parts.count == 5, parts[0] == .string("storage"), case .global(.storage(let element)) = parts[1],
      case .string(let key) = parts[2], case .integer(let count) = parts[4], count >= 0
    else { throw problem("a storage that is not described as one") }
    pickle.storages.append(Pickle.Storage(element: element, key: key, count: count))
    return .storage(pickle.storages.count - 1)
  }

  private mutating func call(_ function: Pickle.Value, _ arguments: [Pickle.Value]) throws -> Pickle.Value {
    guard case .global(let global) = function else { throw problem("a call of what is no function") }
    switch global {
    case .orderedDictionary:
      guard arguments.isEmpty else { throw problem("an OrderedDict with arguments") }
      pickle.containers.append(.dictionary([]))
      return .container(pickle.containers.count - 1)
    case .rebuildTensor:
      // Storage, offset, shape, strides, whether it has a gradient, hooks, and in some versions metadata.
      guard (6...7).contains(arguments.count), case .storage(let storage) = arguments[0],
        case .integer(let offset) = arguments[1]
      else { throw problem("a tensor that is not described as one") }
      let tensor = Pickle.Tensor(
        storage: pickle.storages[storage], offset: offset, shape: try integers(arguments[2]),
        strides: try integers(arguments[3]))
      pickle.tensors.append(tensor)
      return .tensor(pickle.tensors.count - 1)
    case .rebuildParameter:
      guard let tensor = arguments.first, case .tensor = tensor else { throw problem("a parameter of no tensor") }
      return tensor
    case .passedOver: return .passedOver
    case .namespace, .storage: throw problem("a call of what is no function")
    }
  }

  private mutating func integers(_ value: Pickle.Value) throws -> [Int] {
    let values = try tuple(value)
    return try values.map { value in
      guard case .integer(let number) = value else { throw problem("a shape or stride that is no integer") }
      return number
    }
  }

  /// Attributes of an object: a state dict has `_metadata`, a namespace its options, an array its contents. Nothing here
  /// needs them.
  private mutating func build() throws {
    _ = try pop()
    guard stack.count > marks.last ?? 0, let object = stack.last else { throw problem("attributes of nothing") }
    switch object {
    case .namespace, .passedOver: return
    case .container(let index):
      if case .dictionary = pickle.containers[index] { return }
    case .none, .bool, .integer, .longInteger, .float, .string, .global, .storage, .tensor: break
    }
    throw problem("attributes of what has none")
  }
}
