import Testing

@testable import IR

/// Random loop nests: whatever the verifier accepts, enumeration finds every access inside and no two rounds of a
/// parallel loop at one element.
@Suite struct LoopTestsRandom {
  /// Makes loop nests with stores at random indices.
  struct Generator {
    var numbers: TestNumbers
    var isParallel: Bool

    mutating func one(of count: Int) -> Int { numbers.integer(in: 0...(count - 1)) }

    mutating func index(_ variables: [String], depth: Int) -> LoopIndex {
      if depth == 0 || one(of: 6) == 0 {
        return one(of: 4) == 0 || variables.isEmpty
          ? .constant(numbers.integer(in: -2...5)) : .variable(variables[one(of: variables.count)])
      }
      let a = index(variables, depth: depth - 1)
      switch one(of: 9) {
      case 0, 1: return .add(a, index(variables, depth: depth - 1))
      case 2: return .subtract(a, index(variables, depth: depth - 1))
      case 3, 4: return .multiply(a, numbers.integer(in: -2...7))
      case 5: return .divide(a, numbers.integer(in: 1...4))
      case 6: return .modulo(a, numbers.integer(in: 1...5))
      case 7: return .minimum(a, index(variables, depth: depth - 1))
      default: return .maximum(a, index(variables, depth: depth - 1))
      }
    }

    /// An address as tiled code computes them: every variable, or its quotient and remainder, times a stride.
    mutating func digits(_ variables: [String]) -> LoopIndex {
      var sum = LoopIndex.constant(one(of: 3) * one(of: 3))
      for name in variables {
        let strides = [1, 2, 3, 4, 6, 8, 12, 24, 48]
        let (a, b) = (strides[one(of: strides.count)], strides[one(of: strides.count)])
        let n = 2 + one(of: 3)
        let variable = LoopIndex.variable(name)
        if one(of: 3) == 0 {
          sum = .add(sum, .add(.multiply(.divide(variable, n), a), .multiply(.modulo(variable, n), b)))
        } else {
          sum = .add(sum, .multiply(variable, a))
        }
      }
      return sum
    }

    mutating func block(_ variables: [String], depth: Int) -> [LoopStatement] {
      (0..<(depth == 0 ? 1 : 1 + one(of: 2))).map { _ in statement(variables, depth: depth) }
    }

    mutating func statement(_ variables: [String], depth: Int) -> LoopStatement {
      if depth == 0 {
        let lanes = [1, 1, 2, 4][one(of: 4)]
        let address = isParallel && one(of: 3) > 0 ? digits(variables) : index(variables, depth: 3)
        let mask: LoopValue? = one(of: 4) == 0 ? .firstLanes(index(variables, depth: 1), lanes: lanes) : nil
        return .store(buffer: "y", address, .constant(1, LoopType(.f32, lanes: lanes)), mask: mask)
      }
      if !variables.isEmpty, one(of: 4) == 0 {
        let relation = LoopComparison.Relation.allCases[one(of: 5)]
        let comparison = LoopComparison(index(variables, depth: 1), relation, index(variables, depth: 1))
        return .ifIndex(
          [comparison], then: block(variables, depth: depth - 1),
          else: one(of: 2) == 0 ? [] : block(variables, depth: depth - 1))
      }
      let from: LoopIndex = one(of: 3) == 0 ? index(variables, depth: 1) : .constant(one(of: 2))
      var to = LoopIndex.constant(2 + one(of: 6))
      if one(of: 3) == 0 {
        to = .add(from, .constant(1 + one(of: 4)))
      } else if one(of: 3) == 0 {
        to = index(variables, depth: 2)
      }
      let name = "v\(variables.count)"
      let order: LoopStatement.Order = variables.isEmpty && isParallel ? .parallel : .serial
      return .forLoop(
        name, from: from, to: to, step: 1 + one(of: 3), order: order, block(variables + [name], depth: depth - 1))
    }
  }

  /// Runs the nest and notes every address stored to, and which round of the outermost loop did it.
  struct Enumeration {
    var addresses: Set<Int> = []
    var writers: [Int: Int] = [:]
    var races = false
    var round = 0

    func value(_ index: LoopIndex, _ variables: [String: Int]) -> Int {
      switch index {
      case .constant(let value): return value
      case .variable(let name): return variables[name] ?? 0
      case .add(let a, let b): return value(a, variables) + value(b, variables)
      case .subtract(let a, let b): return value(a, variables) - value(b, variables)
      case .multiply(let a, let n): return value(a, variables) * n
      case .divide(let a, let n): return Int((Double(value(a, variables)) / Double(n)).rounded(.down))
      case .modulo(let a, let n): return ((value(a, variables) % n) + n) % n
      case .minimum(let a, let b): return min(value(a, variables), value(b, variables))
      case .maximum(let a, let b): return max(value(a, variables), value(b, variables))
      }
    }

    mutating func run(_ block: [LoopStatement], _ variables: [String: Int]) {
      for statement in block {
        switch statement {
        case .forLoop(let name, let from, let to, let step, _, let body):
          var v = value(from, variables)
          while v < value(to, variables) {
            if variables.isEmpty { round += 1 }
            run(body, variables.merging([name: v]) { $1 })
            v += step
          }
          // Loops after one another do not race.
          if variables.isEmpty { writers = [:] }
        case .ifIndex(let comparisons, let then, let otherwise):
          let holds = comparisons.allSatisfy { comparison in
            let (left, right) = (value(comparison.left, variables), value(comparison.right, variables))
            switch comparison.relation {
            case .less: return left < right
            case .lessOrEqual: return left <= right
            case .equal: return left == right
            case .greaterOrEqual: return left >= right
            case .greater: return left > right
            }
          }
          run(holds ? then : otherwise, variables)
        case .store(_, let index, .constant(_, let type), let mask):
          var lanes = type.lanes
          if case .firstLanes(let count, lanes: _) = mask { lanes = min(lanes, value(count, variables)) }
          let first = value(index, variables)
          for address in first..<(first + max(0, lanes)) {
            addresses.insert(address)
            if let writer = writers[address], writer != round { races = true }
            writers[address] = round
          }
        default: Issue.record("not generated: \(statement)")
        }
      }
    }
  }

  @Test(arguments: [false, true])
  func acceptsNothingWrong(isParallel: Bool) throws {
    var generator = Generator(numbers: TestNumbers(isParallel ? 11 : 12), isParallel: isParallel)
    let target = LoopFixtures.target()
    var accepted = 0
    var inside = 0
    var racing = 0
    for _ in 0..<1500 {
      let entry = [generator.statement([], depth: 1 + generator.one(of: 3))]
      var enumeration = Enumeration()
      enumeration.run(entry, [:])
      let high = enumeration.addresses.max() ?? 0
      let low = enumeration.addresses.min() ?? 0
      guard high < 1 << 20 else { continue }
      // Sized exactly: one element less, or a negative address, has to be refused.
      let isInside = low >= 0 && !(isParallel && enumeration.races)
      for count in [max(1, high + 1), max(1, high)] {
        let fill = LoopStatement.forLoop(
          "fill", from: .constant(0), to: .constant(count), step: 1, order: .serial,
          [.store(buffer: "y", .variable("fill"), .constant(0, .f32), mask: nil)])
        let program = LoopProgram(
          name: "random", buffers: [LoopBuffer("y", .output, .f32, count: count)], entry: [fill] + entry)
        let again = try LoopProgram(parsing: program.text, file: "random.vil")
        #expect(again.entry == program.entry)
        let isAccepted = (try? program.verify(target: target)) != nil
        let isSafe = isInside && high < count
        #expect(isSafe || !isAccepted, "accepted with \(count) elements, touched \(low)...\(high): \(program.text)")
        if isSafe { inside += 1 }
        if low >= 0 && high < count && !isInside { racing += 1 }
        if isAccepted { accepted += 1 }
      }
    }
    // Most of what is safe is also proved: the test would be empty otherwise.
    #expect(accepted * 2 > inside, "\(accepted) of \(inside)")
    #expect(!isParallel || racing > 100, "\(racing)")
  }
}
