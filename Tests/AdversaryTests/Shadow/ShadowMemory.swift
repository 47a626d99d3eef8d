import IR

/// What an execution did that no execution of a verified program may do.
struct LoopFault: Error, CustomStringConvertible {
  enum Kind: String, CaseIterable {
    case outside = "access outside its buffer or view"
    case uninitialised = "read of what nothing was written to"
    case race = "two rounds of a parallel loop meet"
    case overlap = "views of one call overlap"
    case indexSize = "index arithmetic leaves 32 bits"
    case range = "integer outside its declared range"
    case argument = "argument outside its declared range"
    case conversion = "float that does not fit the integer it becomes"
    case shift = "shift by more bits than there are"
    case register = "register that does not exist"
    case sharedRegister = "register of all rounds is assigned by one"
    case unwrittenOutput = "output element that was never written"
  }

  var kind: Kind
  var details: String
  /// The first line of the statement that did it.
  var place = ""

  var description: String { "\(kind.rawValue): \(details)" + (place.isEmpty ? "" : " in: \(place)") }
}

/// The execution took more steps than it may: it says nothing.
struct ShadowTimeout: Error {}

/// What is known of one element: who wrote it last, and who read it in the parallel loop that runs.
struct ElementShadow {
  /// The epoch of the buffer when it was written; 0 where it never was.
  var written: Int32 = 0
  /// The run of a parallel loop, and the round in it, that wrote it last.
  var writeRun: Int32 = 0
  var writeRound: Int32 = 0
  /// The run that read it last, and the round; -1 where there were several rounds.
  var readRun: Int32 = 0
  var readRound: Int32 = 0
}

/// A buffer with a shadow beside each element. Integers are kept as themselves, u64 and floats as their bits.
final class ShadowBuffer {
  let declaration: LoopBuffer
  let values: UnsafeMutablePointer<Int>
  let shadows: UnsafeMutablePointer<ElementShadow>
  /// Writes of earlier epochs are forgotten.
  var epoch: Int32 = 1

  init(_ declaration: LoopBuffer) {
    self.declaration = declaration
    values = .allocate(capacity: declaration.count)
    values.initialize(repeating: 0, count: declaration.count)
    shadows = .allocate(capacity: declaration.count)
    shadows.initialize(repeating: ElementShadow(), count: declaration.count)
  }

  deinit {
    values.deallocate()
    shadows.deallocate()
  }

  /// Whether rounds of a parallel loop can meet in it: scratch is each one's own.
  var isShared: Bool { isWrittenByProgram && declaration.storage != .scratch }
  var isWrittenByProgram: Bool { declaration.storage != .input && declaration.storage != .weights }

  /// Forgets everything and takes `bytes` as contents.
  func reset(to bytes: [UInt8], isWritten: Bool) {
    epoch = 1
    shadows.update(repeating: ElementShadow(written: isWritten ? 1 : 0), count: declaration.count)
    let size = declaration.element.byteCount
    for element in 0..<declaration.count {
      var bits: UInt64 = 0
      for byte in 0..<size { bits |= UInt64(bytes[element * size + byte]) << UInt64(8 * byte) }
      values[element] = ShadowNumbers.integer(bits: bits, declaration.element)
    }
  }

  /// The contents as memory holds them.
  var bytes: [UInt8] {
    let size = declaration.element.byteCount
    return (0..<declaration.count).flatMap { element in
      (0..<size).map { UInt8(truncatingIfNeeded: values[element] >> (8 * $0)) }
    }
  }

  /// An element that nothing was ever written to, whatever the epoch.
  var firstUnwritten: Int? { (0..<declaration.count).first { shadows[$0].written == 0 } }
}

/// A buffer as the entry sees it, or a function's view of one; where it lies changes from call to call.
final class ShadowWindow {
  let name: String
  /// What integers the view declares.
  let range: ClosedRange<Int>?
  var buffer: ShadowBuffer?
  var offset = 0
  var count = 0
  /// What everything after this view declares of integers stored to it.
  var stored: [ClosedRange<Int>] = []

  init(_ name: String, range: ClosedRange<Int>?) {
    self.name = name
    self.range = range
  }
}

/// What all code of one execution shares.
final class ShadowMachine {
  /// The run of the parallel loop that is open; 0 outside of all.
  var run: Int32 = 0
  var round: Int32 = 0
  var runs: Int32 = 0
  var steps = 0
  /// Accesses of memory, elements of vectors one by one.
  var accesses = 0
  var scratch: [ShadowBuffer] = []

  func forgetScratch() {
    for buffer in scratch { buffer.epoch += 1 }
  }

  func load(_ window: ShadowWindow, _ index: Int) throws -> Int {
    guard let buffer = window.buffer, index >= 0, index < window.count else {
      throw LoopFault(kind: .outside, details: "\(window.name)[\(index)] of \(window.count) is read")
    }
    let place = window.offset + index
    guard place < buffer.declaration.count else {
      throw LoopFault(kind: .outside, details: "\(window.name)[\(index)] is past the end of its buffer")
    }
    accesses += 1
    let value = buffer.values[place]
    if buffer.isWrittenByProgram {
      let shadow = buffer.shadows + place
      guard shadow.pointee.written == buffer.epoch else {
        throw LoopFault(kind: .uninitialised, details: "\(window.name)[\(index)] is read")
      }
      if run != 0, buffer.isShared {
        if shadow.pointee.writeRun == run, shadow.pointee.writeRound != round {
          throw LoopFault(
            kind: .race,
            details: "\(window.name)[\(index)] is read by round \(round) and written by \(shadow.pointee.writeRound)")
        }
        if shadow.pointee.readRun != run {
          shadow.pointee.readRun = run
          shadow.pointee.readRound = round
        } else if shadow.pointee.readRound != round {
          shadow.pointee.readRound = -1
        }
      }
    }
    if let range = window.range, !ShadowNumbers.isInside(value, buffer.declaration.element, range) {
      throw LoopFault(kind: .range, details: "\(window.name)[\(index)] is \(value), outside \(range)")
    }
    // A bool is the truth of its byte.
    return buffer.declaration.element == .bool ? (value == 0 ? 0 : 1) : value
  }

  func store(_ window: ShadowWindow, _ index: Int, _ value: Int) throws {
    guard let buffer = window.buffer, index >= 0, index < window.count else {
      throw LoopFault(kind: .outside, details: "\(window.name)[\(index)] of \(window.count) is written")
    }
    let place = window.offset + index
    guard place < buffer.declaration.count, buffer.isWrittenByProgram else {
      throw LoopFault(kind: .outside, details: "\(window.name)[\(index)] cannot be written")
    }
    accesses += 1
    for range in window.stored where !ShadowNumbers.isInside(value, buffer.declaration.element, range) {
      throw LoopFault(kind: .range, details: "\(window.name)[\(index)] gets \(value), outside \(range)")
    }
    let shadow = buffer.shadows + place
    if run != 0, buffer.isShared {
      if shadow.pointee.writeRun == run, shadow.pointee.writeRound != round {
        throw LoopFault(
          kind: .race,
          details: "\(window.name)[\(index)] is written by rounds \(shadow.pointee.writeRound) and \(round)")
      }
      if shadow.pointee.readRun == run, shadow.pointee.readRound != round {
        throw LoopFault(
          kind: .race, details: "\(window.name)[\(index)] is written by round \(round) and read by another")
      }
    }
    shadow.pointee.written = buffer.epoch
    shadow.pointee.writeRun = run
    shadow.pointee.writeRound = round
    buffer.values[place] = value
  }
}
