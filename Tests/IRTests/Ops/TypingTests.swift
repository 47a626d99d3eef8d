import IR
import Testing

/// Typing refuses what is wrong, and says which operand, what was found and what would be right.
@Suite struct TypingTests {
  private static func tensor(_ shape: Int...) -> ValueType { .tensor(TensorType(.f32, shape)) }

  private static func message(_ op: any Op, _ operands: [ValueType]) -> String {
    do {
      return "accepted: \(try op.resultTypes(operands))"
    } catch {
      return "\(error)"
    }
  }

  private static let conv = Conv2D(strides: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1], groups: 1)

  @Test func operandCounts() {
    #expect(Self.message(Relu(), []) == "relu takes 1 operands (x), not 0")
    #expect(
      Self.message(Self.conv, [Self.tensor(1, 3, 4, 5)])
        == "conv2d takes 2 to 3 operands (x, weight, bias), not 1")
    #expect(Self.message(Concat(axis: 0), []) == "concat takes at least one operand")
  }

  @Test func convolution() {
    let x = Self.tensor(1, 3, 4, 5)
    #expect(
      Self.message(Self.conv, [x, Self.tensor(6, 4, 1, 1)])
        == "conv2d: operand 1 (weight) is f32[6,4,1,1], but must be [outputs, 3, rows, columns]: "
        + "x has 3 channels in 1 groups")
    #expect(
      Self.message(Self.conv, [x, Self.tensor(6, 3, 1, 1), Self.tensor(5)])
        == "conv2d: operand 2 (bias) is f32[5], but must be f32[6]: one bias an output channel")
    #expect(
      Self.message(Self.conv, [x, Self.tensor(6, 3, 5, 1)])
        == "conv2d: a window that spans 5 rows does not fit into 4, padding included")
    #expect(
      Self.message(Self.conv, [x, .tensor(TensorType(.f64, [6, 3, 1, 1]))])
        == "conv2d: operand 1 (weight) is f64[6,3,1,1], but must be a tensor of f32, like operand 0")
    #expect(
      Self.message(
        Conv2D(strides: [0, 1], padding: [0, 0, 0, 0], dilation: [1, 1], groups: 1), [x, Self.tensor(6, 3, 1, 1)])
        == "conv2d: strides holds 0; it must be from 1 to 16777216")
    #expect(
      Self.message(
        Conv2D(strides: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1), [x, Self.tensor(6, 3, 1, 1)])
        == "conv2d: padding has 2 numbers, [0,0]; it needs 4")
    #expect(
      Self.message(
        Conv2D(strides: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1], groups: 2), [x, Self.tensor(6, 3, 1, 1)])
        == "conv2d: 2 groups do not divide 3 input and 6 output channels")
    #expect(
      Self.message(
        Conv2D(strides: [1, 1], padding: [Int.max, 0, Int.max, 0], dilation: [1, 1], groups: 1),
        [x, Self.tensor(6, 3, 1, 1)]
      ).contains("padding holds"))
  }

  @Test func shapes() {
    #expect(
      Self.message(Add(), [Self.tensor(2, 3), Self.tensor(2)])
        == "add: operand 1 (b) is f32[2], but must be of a shape that broadcasts with [2,3]")
    #expect(Self.message(Relu(), [Self.tensor(2, 0)]).contains("has an extent of 0; extents are at least 1"))
    #expect(Self.message(Relu(), [Self.tensor(2, -3)]).contains("has an extent of -3"))
    #expect(Self.message(Relu(), [Self.tensor(1 << 40, 1 << 40)]).contains("has too many elements"))
    #expect(
      Self.message(Sigmoid(), [.tensor(TensorType(.i32, [2]))])
        == "sigmoid: operand 0 (x) is i32[2], but must be a tensor of floats")
    #expect(Self.message(Softmax(axis: 2), [Self.tensor(2, 3)]).contains("axis 2 is not in a tensor of rank 2"))
    #expect(Self.message(Reshape(shape: [4, 2]), [Self.tensor(2, 3)]).contains("has 6 elements"))
    #expect(Self.message(Reshape(shape: [-1, -1]), [Self.tensor(2, 3)]).contains("extent of -1"))
    #expect(Self.message(Reshape(shape: [-1, 0]), [Self.tensor(2, 3)]).contains("extent of"))
    #expect(Self.message(Reshape(shape: [-1, Int.max, 9]), [Self.tensor(2, 3)]).contains("extent of -1"))
    #expect(Self.message(Transpose(permutation: [0, 0]), [Self.tensor(2, 3)]).contains("is not a permutation"))
    #expect(
      Self.message(Slice(starts: [2], ends: [2], axes: [0], steps: [1]), [Self.tensor(3)])
        == "slice: nothing is left along axis 0 of f32[3]")
    #expect(
      Self.message(Slice(starts: [0], ends: [1], axes: [0], steps: [0]), [Self.tensor(3)]).contains("must not be 0"))
    #expect(Self.message(Roll(shifts: [1], axes: [0, 1]), [Self.tensor(3, 4)]).contains("equally many"))
    #expect(Self.message(Roll(shifts: [1, 2], axes: [1, -1]), [Self.tensor(3, 4)]).contains("name an axis twice"))
    #expect(Self.message(Concat(axis: 1), [Self.tensor(2, 3), Self.tensor(3, 3)]).contains("extent 2 along axis 0"))
    #expect(
      Self.message(Pad(before: [3], after: [0], mode: .reflect), [Self.tensor(3)]).contains("reflect at most 2"))
    #expect(Self.message(MatMul(), [Self.tensor(2, 3), Self.tensor(4, 5)]).contains("[..., 3, columns]"))
    #expect(
      Self.message(LayerNorm(axes: [1], epsilon: 0.1), [Self.tensor(2, 3), Self.tensor(2)])
        == "layer_norm: operand 1 (weight) is f32[2], but must be f32[3]: the shape along the axes [1]")
    #expect(Self.message(LayerNorm(axes: [1], epsilon: .nan), [Self.tensor(2, 3)]).contains("must not be negative"))
    #expect(
      Self.message(MaxPool(kernel: [2, 2], strides: [1, 1], padding: [2, 0, 0, 0]), [Self.tensor(1, 1, 4, 4)])
        .contains("a window sees no pixel"))
    #expect(
      Self.message(AveragePool(kernel: [2, 2], strides: [1, 1], padding: [2, 0, 0, 0]), [Self.tensor(1, 1, 4, 4)])
        .contains("without a pixel"))
  }

  @Test func constants() {
    let type = TensorType(.u8, [2])
    #expect(Self.message(Constant(type: type, source: .inline([1])), []).contains("has 2 elements, but 1 values"))
    #expect(Self.message(Constant(type: type, source: .inline([1, 300])), []).contains("300.0 is not a value of u8"))
    #expect(Self.message(Constant(type: type, source: .inline([1, .nan])), []).contains("nan is not a value of u8"))
  }

  @Test func neighborhoods() {
    let x = Self.tensor(1, 3, 4, 5)
    let graph = ValueType.neighborhood(NeighborhoodType(.offsets([]), batch: 1, height: 4, width: 5))
    let other = ValueType.neighborhood(NeighborhoodType(.offsets([]), batch: 1, height: 5, width: 4))
    let edges = ValueType.neighborhood(NeighborhoodType(.incidence(hyperedges: 3), batch: 1, height: 4, width: 5))
    let indices = ValueType.neighborhood(
      NeighborhoodType(.indices(count: 2, candidates: 9), batch: 1, height: 4, width: 5))
    let op = Aggregate(kind: .maxRelative, direction: .selfMinusNeighbor, start: nil)
    #expect(Self.message(op, [x, x]).contains("must be a neighbourhood"))
    #expect(Self.message(op, [x, graph]).contains("one neighbour at least, or start given"))
    #expect(Self.message(op, [x, other]).contains("over the pixels of operand 0, f32[1,3,4,5]"))
    #expect(Self.message(op, [x, edges]).contains("does not run over hyperedges"))
    #expect(Self.message(op, [x, indices]).contains("indices into the 20 pixels of operand 0"))
    #expect(Self.message(BuildNeighborhood(construction: SVGA(step: 0)), [x]).contains("must be at least 1"))
    #expect(Self.message(BuildNeighborhood(construction: MGC(step: 0)), [x]).contains("must be at least 1"))
    #expect(Self.message(BuildNeighborhood(construction: DAGC(step: -2)), [x]).contains("must be at least 1"))
    #expect(Self.message(Relu(), [graph]).contains("must be a tensor"))
  }
}
