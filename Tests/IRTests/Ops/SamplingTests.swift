import IR
import Testing

/// Ops that read or write at places that are computed, by hand; their loops are held against the reference with those of
/// all ops.
@Suite struct SamplingTests {
  private func run(_ op: any Op, _ operands: Tensor<Double>...) throws -> Tensor<Double> {
    let types = operands.map { ValueType.tensor(TensorType($0.element, $0.shape)) }
    let result = try op.evaluate(operands.map { .tensor($0) })[0].tensor
    #expect(try op.resultTypes(types) == [.tensor(TensorType(result.element, result.shape))])
    return result
  }

  private func reals(_ shape: [Int], _ values: [Double]) -> Tensor<Double> { Tensor(shape: shape, real: values) }

  private func integers(_ shape: [Int], _ values: [Int64]) -> Tensor<Double> {
    Tensor(element: .i64, shape: shape, integer: values)
  }

  @Test func resamplesAtExactPlaces() throws {
    let x = reals([4], [1, 10, 100, 1000])
    // Every second element; floor((3 i - 1) / 2) = -1, 1, 2, 4 stays inside.
    #expect(try run(Resample(axis: 0, size: 2, step: 2, start: 0, divisor: 1), x).real == [1, 100])
    #expect(try run(Resample(axis: 0, size: 4, step: 3, start: -1, divisor: 2), x).real == [1, 10, 100, 1000])
    // Twice as many by the mean with the neighbour in front.
    let weights = reals([4, 2], [0.5, 0.5, 0, 1, 0.25, 0.75, 1, 1])
    let doubled = try run(Resample(axis: -1, size: 4, step: 1, start: -1, divisor: 2), x, weights)
    #expect(doubled.real == [1, 10, 7.75, 110])
    // Rows of a matrix.
    let rows = try run(Resample(axis: 0, size: 3, step: -1, start: 1, divisor: 1), reals([2, 2], [1, 2, 3, 4]))
    #expect(rows.real == [3, 4, 1, 2, 1, 2])
  }

  @Test func readsBetweenElements() throws {
    let x = reals([1, 1, 2, 3], [1, 2, 3, 4, 5, 6])
    func sample(
      _ mode: GridSample.Mode, _ padding: GridSample.Padding, _ aligns: Bool, _ points: [Double]
    ) throws -> [Double] {
      let grid = reals([1, 1, points.count / 2, 2], points)
      return try run(GridSample(mode: mode, padding: padding, alignCorners: aligns), x, grid).real
    }
    // The last axis comes first; with corners aligned -1 and 1 are the outermost elements.
    #expect(try sample(.linear, .zeros, true, [-1, -1, 1, 1, 0, 0, 0.5, -1]) == [1, 6, 3.5, 2.5])
    // Otherwise they are half an element farther out, where half of each neighbour is outside.
    #expect(try sample(.linear, .zeros, false, [-1, -1, 1, 0]) == [0.25, 2.25])
    #expect(try sample(.linear, .border, false, [-1, -1, 3, 0]) == [1, 4.5])
    #expect(try sample(.nearest, .zeros, false, [0, -0.5, 1.7, 0]) == [2, 0])
    // Reflected at the edge: one and a half elements after it is as far before it.
    #expect(try sample(.nearest, .reflection, false, [2, -0.5]) == [2])
    #expect(try sample(.linear, .reflection, true, [2, -1]) == [2])
    #expect(try sample(.cubic, .border, true, [-1, 1, 0, -1]) == [4, 2])
    // No number, and far away.
    #expect(try sample(.linear, .zeros, false, [.nan, 0, .infinity, 0]) == [0, 0])
    #expect(try sample(.linear, .border, false, [.nan, 1, 1e30, -1]) == [4, 3])
  }

  @Test func findsTheMaximumOfAWindow() throws {
    let x = reals([1, 2, 2, 3], [1, 5, 3, 4, 5, 6, 9, 9, 9, 9, 9, 9])
    func find(_ columnMajor: Bool) throws -> [Int64] {
      let op = ArgMaxPool(
        kernel: [2, 2], strides: [1, 1], padding: [0, 0, 0, 0], dilation: [1, 1], columnMajor: columnMajor)
      return try run(op, x).integer
    }
    // Of equal elements the first.
    #expect(try find(false) == [1, 5, 6, 7])
    #expect(try find(true) == [2, 5, 6, 8])
    let padded = ArgMaxPool(kernel: [3, 3], strides: [2, 2], padding: [1, 1, 1, 1], dilation: [1, 1])
    #expect(try run(padded, reals([1, 1, 2, 2], [-.infinity, -2, -3, -4])).integer == [1])
  }

  @Test func scattersAlongAnAxis() throws {
    let x = reals([2, 3], [1, 2, 3, 4, 5, 6])
    let indices = integers([2, 2], [0, -1, 0, 0])
    let updates = reals([2, 2], [10, 20, 30, 40])
    #expect(try run(ScatterElements(axis: 1), x, indices, updates).real == [10, 2, 20, 40, 5, 6])
    #expect(try run(ScatterElements(axis: 1, reduction: .add), x, indices, updates).real == [11, 2, 23, 74, 5, 6])
    #expect(
      try run(ScatterElements(axis: 1, reduction: .multiply), x, indices, updates).real == [10, 2, 60, 4800, 5, 6])
    #expect(try run(ScatterElements(axis: 1, reduction: .minimum), x, indices, updates).real == [1, 2, 3, 4, 5, 6])
    #expect(try run(ScatterElements(axis: 1, reduction: .maximum), x, indices, updates).real == [10, 2, 20, 40, 5, 6])
    // What is outside is taken for the nearest inside.
    let far = try run(ScatterElements(axis: 0), x, integers([2, 1], [99, -99]), reals([2, 1], [7, 8]))
    #expect(far.real == [8, 2, 3, 7, 5, 6])
  }

  @Test func scattersParts() throws {
    let x = reals([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8])
    let rows = try run(
      ScatterND(), x, integers([2, 1], [1, 1]), reals([2, 2, 2], Array(repeating: 0, count: 4) + [9, 9, 9, 0]))
    #expect(rows.real == [1, 2, 3, 4, 9, 9, 9, 0])
    let single = try run(ScatterND(reduction: .add), x, integers([2, 3], [0, 0, 0, 0, 0, -2]), reals([2], [10, 20]))
    #expect(single.real == [31, 2, 3, 4, 5, 6, 7, 8])
    let bytes = Tensor<Double>(element: .u8, shape: [1], integer: [250])
    let added = try run(
      ScatterND(reduction: .add), bytes, integers([1, 1], [0]), Tensor(element: .u8, shape: [1], integer: [10]))
    #expect(added.integer == [4])
  }

  @Test func refusesWhatDoesNotFit() {
    func message(_ op: any Op, _ types: TensorType...) -> String? {
      do {
        _ = try op.resultTypes(types.map { .tensor($0) })
        return nil
      } catch { return (error as? Diagnostic)?.message }
    }
    let x = TensorType(.f32, [2, 3, 4, 5])
    func refuses(_ op: any Op, _ types: TensorType..., because text: String) {
      let found: String?
      switch types.count {
      case 1: found = message(op, types[0])
      case 2: found = message(op, types[0], types[1])
      default: found = message(op, types[0], types[1], types[2])
      }
      #expect(found?.contains(text) == true, "\(found ?? "accepted")")
    }
    refuses(Resample(axis: 4, size: 2, step: 1, start: 0, divisor: 1), x, because: "axis 4 is not in")
    refuses(Resample(axis: 0, size: 0, step: 1, start: 0, divisor: 1), x, because: "size holds 0")
    refuses(Resample(axis: 0, size: 2, step: 1, start: 0, divisor: 0), x, because: "divisor holds 0")
    refuses(Resample(axis: 0, size: 2, step: .max, start: 0, divisor: 1), x, because: "step holds")
    refuses(Resample(axis: 0, size: 2, step: 1, start: .min, divisor: 1), x, because: "start is")
    refuses(
      Resample(axis: 0, size: 2, step: 1, start: 0, divisor: 1), x, TensorType(.f32, [3, 2]), because: "[2, taps]")
    refuses(GridSample(mode: .linear), x, TensorType(.f32, [2, 3, 4, 3]), because: "operand 1 (grid)")
    refuses(GridSample(mode: .linear), TensorType(.f32, [2, 3]), TensorType(.f32, [2, 3]), because: "spatial axes")
    let window = ArgMaxPool(kernel: [2, 2], strides: [1, 1], padding: [3, 0, 0, 0], dilation: [1, 1])
    refuses(window, x, because: "a window sees no element")
    refuses(window, TensorType(.f32, [2, 3, 4]), because: "kernel has 2 numbers")
    let indices = TensorType(.i64, [2, 3, 4, 5])
    refuses(ScatterElements(axis: 1), x, x, x, because: "a tensor of i64 or i32")
    refuses(ScatterElements(axis: 1), x, TensorType(.i64, [3, 3, 4, 5]), x, because: "at most 2 along axis 0")
    refuses(ScatterElements(axis: 1), x, indices, TensorType(.f32, [2]), because: "an update for each index")
    refuses(ScatterElements(axis: 1), x, indices, TensorType(.f64, [2, 3, 4, 5]), because: "like operand 0")
    refuses(ScatterND(), x, TensorType(.i64, [1, 5]), x, because: "of at most 4 along the last axis")
    refuses(ScatterND(), x, TensorType(.i64, [1, 2]), x, because: "a part of data for each tuple")
    let truths = TensorType(.bool, [2])
    refuses(
      ScatterND(reduction: .add), truths, TensorType(.i64, [1, 1]), TensorType(.bool, [1]), because: "only 'replace'")
  }
}
