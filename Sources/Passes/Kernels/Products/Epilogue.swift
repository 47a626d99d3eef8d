import IR

/// What happens to a product's accumulators before they are stored: a chain of element-wise ops in registers.
///
/// Operands besides the chain are tensors of the result's shape (a residual) or one value a channel (a scale).
struct Epilogue {
  enum Operand {
    /// A tensor of the result's shape; its function parameter is `residual_<index>`.
    case tensor(Int)
    /// A packed vector over the padded channels; its function parameter is `channel_<index>`.
    case channels(Int)
  }

  enum Step {
    case unary(any ElementwiseOp)
    case binary(any ElementwiseOp, Operand, operandFirst: Bool)
  }

  var steps: [Step] = []
  /// How many distinct tensors and channel vectors the steps read.
  var tensorCount = 0
  var channelCount = 0
  /// Value functions that steps are applied through, by their place in the chain; the other steps are written out.
  private var functions: [Int: String] = [:]

  /// Makes a value function, over the program's vectors, of every step that is longer than a call of it: kernels apply
  /// the chain to each accumulator of a tile.
  mutating func nameSteps(in program: inout ProgramBuilder) {
    for (place, step) in steps.enumerated() {
      let function =
        switch step {
        case .unary(let op): op.valueFunction(lanes: program.lanes)
        case .binary(let op, _, operandFirst: _): op.valueFunction(lanes: program.lanes)
        }
      if function.operationCount > 2 { functions[place] = program.valueFunction(function) }
    }
  }

  private func apply(
    _ op: any ElementwiseOp, at place: Int, _ builder: inout LoopBuilder, _ operands: [LoopValue], lanes: Int
  ) -> LoopValue {
    if let function = functions[place] { return .apply(function, operands) }
    return op.buildValue(&builder, operands, lanes: lanes)
  }

  /// The ops in order, for a kernel's name: `gelu_add`.
  var signature: String {
    steps.map { step in
      switch step {
      case .unary(let op): op.mnemonic
      case .binary(let op, _, _): op.mnemonic
      }
    }.joined(separator: "_")
  }

  /// Whether zero accumulators stay zero if the tensors and channel vectors are zero too.
  var keepsZero: Bool {
    steps.allSatisfy { step in
      switch step {
      case .unary(let op): op.mapsZeroToZero
      case .binary(let op, _, _): op.mapsZeroToZero
      }
    }
  }

  /// Parameters of a kernel for the operands, given how many elements each view must have.
  func parameters(tensorElements: Int, channelElements: Int) -> [LoopParameter] {
    (0..<tensorCount).map { .input("residual_\($0)", count: tensorElements) }
      + (0..<channelCount).map { .input("channel_\($0)", count: channelElements) }
  }

  /// Writes the chain for one vector.
  /// - Parameters:
  ///   - value: the accumulator.
  ///   - tensorIndex: where the vector lies in tensors of the result's shape.
  ///   - channelIndex: its first channel.
  ///   - live: lanes that are channels, the rest being padding; nil when all are.
  ///   - masked: whether tensors hold no padding, so that only live lanes may be read.
  func apply(
    _ builder: inout LoopBuilder, _ value: LoopValue, tensorIndex: LoopIndex, channelIndex: LoopIndex, lanes: Int,
    live: Int?, masked: Bool
  ) -> LoopValue {
    let type = LoopType(.f32, lanes: lanes)
    let mask = masked ? live.map { LoopValue.firstLanes(.constant($0), lanes: lanes) } : nil
    var result = value
    for (place, step) in steps.enumerated() {
      switch step {
      case .unary(let op):
        result = apply(op, at: place, &builder, [bound(&builder, result, type)], lanes: lanes)
      case .binary(let op, let operand, let operandFirst):
        let other: LoopValue
        switch operand {
        case .tensor(let index):
          other = builder.let("r", type, .load(buffer: "residual_\(index)", tensorIndex, type, mask: mask))
        case .channels(let index): other = builder.let("s", type, .load("channel_\(index)", channelIndex, type))
        }
        let chain = bound(&builder, result, type)
        let operands = operandFirst ? [other, chain] : [chain, other]
        result = apply(op, at: place, &builder, operands, lanes: lanes)
      }
    }
    if let live, !masked, !keepsZero {
      result = .select(.firstLanes(.constant(live), lanes: lanes), result, .f32(0, lanes: lanes))
    }
    return result
  }

  /// Writes the chain for one vector and stores what comes of it.
  /// - Parameters:
  ///   - output: a tensor of the result's shape.
  ///   - masked: whether tensors hold no padding, so that only live lanes may be read and written.
  func store(
    _ builder: inout LoopBuilder, _ value: LoopValue, output: String, tensorIndex: LoopIndex, channelIndex: LoopIndex,
    lanes: Int, live: Int?, masked: Bool
  ) {
    let result = apply(
      &builder, value, tensorIndex: tensorIndex, channelIndex: channelIndex, lanes: lanes, live: live, masked: masked)
    let mask = masked ? live.map { LoopValue.firstLanes(.constant($0), lanes: lanes) } : nil
    builder.store(output, tensorIndex, result, mask: mask)
  }

  private func bound(_ builder: inout LoopBuilder, _ value: LoopValue, _ type: LoopType) -> LoopValue {
    if case .variable = value { return value }
    return builder.let("y", type, value)
  }
}
