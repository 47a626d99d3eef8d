import IR

/// Contents for what a program reads and does not bring along.
enum RandomInputs {
  /// How many kinds of contents there are: small numbers, extremes, anything.
  static let flavours = 3

  static func make(for program: LoopProgram, seed: UInt64, flavour: Int) -> [String: [UInt8]] {
    var dice = Dice(seed)
    var inputs: [String: [UInt8]] = [:]
    for buffer in program.buffers where buffer.storage == .input || buffer.storage == .weights {
      guard program.constants[buffer.name] == nil, (1...1 << 24).contains(buffer.count) else { continue }
      inputs[buffer.name] = (0..<buffer.count).flatMap { _ -> [UInt8] in
        let bits = buffer.element.isFloat ? real(buffer.element, flavour, &dice) : integer(buffer, flavour, &dice)
        return (0..<buffer.element.byteCount).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
      }
    }
    return inputs
  }

  private static func integer(_ buffer: LoopBuffer, _ flavour: Int, _ dice: inout Dice) -> Int {
    let all = buffer.element.integerRange ?? 0...1
    if flavour == 0 { return dice.integer(0...max(1, buffer.count)) }
    if flavour == 1 || dice.oneIn(3) {
      return dice.pick([0, 1, -1, all.lowerBound, all.upperBound, all.upperBound - 1, all.lowerBound + 1, -2])
    }
    return Int(truncatingIfNeeded: dice.next()) >> dice.below(60)
  }

  private static func real(_ element: ElementType, _ flavour: Int, _ dice: inout Dice) -> Int {
    let extremes: [Double] = [0, 1, -1, .infinity, -.infinity, .nan, 3e38, -3e38, 1e-40, -0.0]
    if flavour == 1 || (flavour == 2 && dice.oneIn(4)) { return ShadowNumbers.bits(dice.pick(extremes), element) }
    let small = Double(dice.integer(-4096...4096)) / 1024
    return ShadowNumbers.bits(flavour == 0 ? small : small * 100, element)
  }
}
