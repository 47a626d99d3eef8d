import IR

/// Max-relative aggregation over fixed offsets: max_j (x_i - x_j), or max_j (x_j - x_i), never less than `start`.
///
/// The subtraction leaves the loop because rounding is monotone: max_j fl(x_i - x_j) = fl(x_i - min_j x_j). One of
/// three lowerings finds the minimum (or maximum):
///
///     fused_rolls     every neighbour is read where it lies, by a wrapped index; any offsets
///     windowed        the rolls K, 2K, ... < N are a cyclic window of ceil(N / K) steps of K; doubling finds its
///                     minimum in about log2 passes
///     class_reduced   K divides N: the window is the whole residue class, which shares one minimum
///
/// All three give the same bits on finite inputs up to the sign of zero.
struct MaxRelativeFunction {
  enum Lowering: String, KernelLowering {
    case fusedRolls = "fused_rolls"
    case windowed
    case classReduced = "class_reduced"

    static let usual = Self.fusedRolls
  }

  var height: Int
  var width: Int
  /// Elements from one pixel to the next.
  var pixelStride: Int
  /// Channel vectors one call works on.
  var vectors: Int
  var offsets: [Offset]
  /// x_i - x_j rather than x_j - x_i.
  var selfMinusNeighbor: Bool
  var start: Double?
  var lowering: Lowering
  var lanes: Int

  private var type: LoopType { LoopType(.f32, lanes: lanes) }
  private var rowStep: Int { width * pixelStride }
  /// Elements of the input's and output's views.
  var viewCount: Int { (height * width - 1) * pixelStride + vectors * lanes }
  /// Elements of one scratch image: the vectors of a call, pixels adjacent.
  private var scratchPixel: Int { vectors * lanes }
  private var scratchRow: Int { width * scratchPixel }

  /// The step of an axis whose offsets are K, 2K, ... below its length; nil when they are anything else.
  static func step(of displacements: [Int], length: Int) -> Int? {
    let sorted = displacements.sorted()
    guard let step = sorted.first, step > 0 else { return nil }
    return sorted == Array(stride(from: step, to: length, by: step)) ? step : nil
  }

  /// Steps along y and x if the offsets are two axes of this kind. `windowed` and `class_reduced` need them, and a
  /// start of 0, which makes each pixel its own neighbour.
  static func steps(_ offsets: [Offset], height: Int, width: Int) -> (y: Int, x: Int)? {
    let vertical = offsets.filter { $0.dx == 0 && $0.dy != 0 }.map(\.dy)
    let horizontal = offsets.filter { $0.dy == 0 && $0.dx != 0 }.map(\.dx)
    guard vertical.count + horizontal.count == offsets.count else { return nil }
    guard let y = step(of: vertical, length: height), let x = step(of: horizontal, length: width) else { return nil }
    return (y, x)
  }

  /// Elements of scratch a call needs.
  var scratchCount: Int {
    switch lowering {
    case .fusedRolls: return 0
    case .windowed: return 2 * height * scratchRow
    case .classReduced:
      guard let steps = Self.steps(offsets, height: height, width: width) else { return 0 }
      return steps.y * scratchRow
    }
  }

  /// The call of the function, which is added unless the program has it.
  /// - Parameter scratch: working memory if `scratchCount` asks for some, nil otherwise.
  func call(
    input: LoopArgument, output: LoopArgument, scratch: LoopArgument?, in program: inout ProgramBuilder
  ) -> LoopStatement {
    .call(add(to: &program), [input, output] + (scratch.map { [$0] } ?? []))
  }

  /// Adds the function unless the program has it, and returns its name.
  @discardableResult
  func add(to program: inout ProgramBuilder) -> String {
    var parameters: [LoopParameter] = [.input("input", count: viewCount), .output("output", count: viewCount)]
    if scratchCount > 0 {
      parameters.append(LoopParameter("scratch", .view(.readWrite, .f32, count: scratchCount, range: nil)))
    }
    let name = "max_relative_\(lowering.rawValue)_\(height)x\(width)_v\(vectors)"
    return program.function(name, parameters) { builder in
      switch lowering {
      case .fusedRolls: writeFusedRolls(&builder)
      case .windowed: writeWindowed(&builder)
      case .classReduced: writeClassReduced(&builder)
      }
    }
  }

  private func nearer(_ a: LoopValue, _ b: LoopValue) -> LoopValue {
    selfMinusNeighbor ? .minimum(a, b) : .maximum(a, b)
  }

  private func difference(_ x: LoopValue, _ extreme: LoopValue) -> LoopValue {
    selfMinusNeighbor ? x - extreme : extreme - x
  }

  private func input(_ y: LoopIndex, _ x: LoopIndex, _ vector: LoopIndex) -> LoopValue {
    .load("input", y * rowStep + x * pixelStride + vector * lanes, type)
  }

  private func writeFusedRolls(_ builder: inout LoopBuilder) {
    builder.loop("y", 0, .constant(height)) { builder, y in
      builder.loop("x", 0, .constant(width)) { builder, x in
        builder.loop("vector", 0, .constant(vectors)) { builder, vector in
          let center = builder.let("center", type, input(y, x, vector))
          var extreme: LoopValue?
          for offset in offsets {
            // roll by d reads (i - d) mod N; adding N - d mod N keeps the dividend non-negative
            let dy = (height - offset.dy % height) % height
            let dx = (width - offset.dx % width) % width
            let row = dy == 0 ? y : (y + .constant(dy)) % height
            let column = dx == 0 ? x : (x + .constant(dx)) % width
            let neighbor = builder.let("neighbor", type, input(row, column, vector))
            extreme = builder.let("extreme", type, extreme.map { nearer($0, neighbor) } ?? neighbor)
          }
          var value = extreme.map { difference(center, $0) } ?? .f32(start ?? 0, lanes: lanes)
          if let start, extreme != nil { value = .maximum(value, .f32(start, lanes: lanes)) }
          builder.store("output", y * rowStep + x * pixelStride + vector * lanes, value)
        }
      }
    }
  }

  /// The cyclic window's extreme by doubling: after p passes element i holds the extreme of 2^p steps back from i; two
  /// overlapping windows of the largest power make the whole.
  // Long because both directions take turns on the same two halves of scratch.
  private func writeWindowed(_ builder: inout LoopBuilder) {
    guard let steps = Self.steps(offsets, height: height, width: width) else {
      preconditionFailure("windowed lowering of offsets that are no window")
    }
    // y over whole rows: from the input into scratch, ping-pong between its halves; the result is in half `half`.
    let vertical = doublings(length: height, step: steps.y)
    var half = 1
    var fromInput = true
    for shift in vertical {
      half = 1 - half
      let source = fromInput
      builder.loop("y", 0, .constant(height)) { builder, y in
        let rolled = (y + .constant((height - shift % height) % height)) % height
        builder.loop("x", 0, .constant(width)) { builder, x in
          builder.loop("vector", 0, .constant(vectors)) { builder, vector in
            let a = source ? input(y, x, vector) : scratch(1 - half, y, x, vector)
            let b = source ? input(rolled, x, vector) : scratch(1 - half, rolled, x, vector)
            let first = builder.let("first", type, a)
            let second = builder.let("second", type, b)
            builder.store("scratch", scratchIndex(half, y, x, vector), nearer(first, second))
          }
        }
      }
      fromInput = false
    }
    let columns = fromInput ? nil : half
    // x within each row, in the row of the other half.
    let other = 1 - half
    let horizontal = doublings(length: width, step: steps.x)
    builder.loop("y", 0, .constant(height)) { builder, y in
      for (index, shift) in horizontal.enumerated() {
        // Rows 0 and 1 of the other half take turns; a one-row image has one pass at most per half, see scratchCount.
        let target = LoopIndex.constant(index % 2)
        let source = LoopIndex.constant(1 - index % 2)
        builder.loop("x", 0, .constant(width)) { builder, x in
          let rolled = (x + .constant((width - shift % width) % width)) % width
          builder.loop("vector", 0, .constant(vectors)) { builder, vector in
            let a = index == 0 ? input(y, x, vector) : scratch(other, source, x, vector)
            let b = index == 0 ? input(y, rolled, vector) : scratch(other, source, rolled, vector)
            let first = builder.let("first", type, a)
            let second = builder.let("second", type, b)
            builder.store("scratch", scratchIndex(other, target, x, vector), nearer(first, second))
          }
        }
      }
      builder.loop("x", 0, .constant(width)) { builder, x in
        builder.loop("vector", 0, .constant(vectors)) { builder, vector in
          let center = builder.let("center", type, input(y, x, vector))
          var extreme = center
          if let columns {
            extreme = nearer(extreme, scratch(columns, y, x, vector))
          }
          if !horizontal.isEmpty {
            extreme = nearer(extreme, scratch(other, .constant((horizontal.count - 1) % 2), x, vector))
          }
          let bound = builder.let("extreme", type, extreme)
          builder.store("output", y * rowStep + x * pixelStride + vector * lanes, difference(center, bound))
        }
      }
    }
  }

  /// Shifts that double a window of one step up to ceil(length / step) steps: each pass takes the extreme of an element
  /// and the one `shift` positions back.
  private func doublings(length: Int, step: Int) -> [Int] {
    let window = ceilDivide(length, step)
    var shifts: [Int] = []
    var covered = 1
    while covered < window {
      let advance = min(covered, window - covered)
      shifts.append(advance * step)
      covered += advance
    }
    return shifts
  }

  private func scratchIndex(_ half: Int, _ y: LoopIndex, _ x: LoopIndex, _ vector: LoopIndex) -> LoopIndex {
    y * scratchRow + x * scratchPixel + vector * lanes + .constant(half * height * scratchRow)
  }

  private func scratch(_ half: Int, _ y: LoopIndex, _ x: LoopIndex, _ vector: LoopIndex) -> LoopValue {
    .load("scratch", scratchIndex(half, y, x, vector), type)
  }

  private func writeClassReduced(_ builder: inout LoopBuilder) {
    guard let steps = Self.steps(offsets, height: height, width: width),
      height % steps.y == 0, width % steps.x == 0
    else { preconditionFailure("class-reduced lowering where the step does not divide the side") }
    // Scratch row r holds the extreme over the image's rows r, r + K, r + 2K, ...
    builder.loop("residue", 0, .constant(steps.y)) { builder, residue in
      builder.loop("x", 0, .constant(width)) { builder, x in
        builder.loop("vector", 0, .constant(vectors)) { builder, vector in
          let extreme = builder.register("extreme", type, input(residue, x, vector))
          builder.loop("member", 1, .constant(height / steps.y)) { builder, member in
            let next = builder.let("next", type, input(member * steps.y + residue, x, vector))
            builder.assign(extreme, nearer(.variable(extreme), next))
          }
          builder.store("scratch", scratchIndex(0, residue, x, vector), .variable(extreme))
        }
      }
    }
    builder.loop("y", 0, .constant(height)) { builder, y in
      builder.loop("residue", 0, .constant(steps.x)) { builder, residue in
        builder.loop("vector", 0, .constant(vectors)) { builder, vector in
          let extreme = builder.register("extreme", type, input(y, residue, vector))
          builder.loop("member", 1, .constant(width / steps.x)) { builder, member in
            let next = builder.let("next", type, input(y, member * steps.x + residue, vector))
            builder.assign(extreme, nearer(.variable(extreme), next))
          }
          builder.loop("member", 0, .constant(width / steps.x)) { builder, member in
            let x = member * steps.x + residue
            let center = builder.let("center", type, input(y, x, vector))
            let column = builder.let("column", type, scratch(0, y % steps.y, x, vector))
            let both = builder.let("both", type, nearer(.variable(extreme), column))
            builder.store("output", y * rowStep + x * pixelStride + vector * lanes, difference(center, both))
          }
        }
      }
    }
  }
}
