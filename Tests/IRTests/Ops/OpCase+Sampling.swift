import IR

extension OpCase {
  /// Ops that read or write at places that are computed. Indices reach beyond both ends.
  static let sampling: [OpCase] = resamples + places + grids + scatters

  private static let resamples: [OpCase] = [
    OpCase("resample by choice", Resample(axis: 1, size: 7, step: 3, start: -2, divisor: 4), shapes: [2, 5, 3]),
    OpCase("resample back by choice", Resample(axis: -1, size: 4, step: -5, start: 17, divisor: 3), shapes: [2, 6]),
    OpCase("resample", Resample(axis: 2, size: 9, step: 5, start: -7, divisor: 9), shapes: [2, 3, 5, 4], [9, 2]),
    OpCase("resample many taps", Resample(axis: 0, size: 3, step: 7, start: -6, divisor: 2), shapes: [8, 3], [3, 5]),
    OpCase(
      "resample bytes", Resample(axis: 0, size: 5, step: 1, start: 0, divisor: 2), [.typed(.u8, [3, 2], 0...200)]),
  ]

  private static let places: [OpCase] = [
    OpCase(
      "arg_max_pool", ArgMaxPool(kernel: [3, 2], strides: [2, 1], padding: [1, 1, 1, 0], dilation: [1, 1]),
      shapes: [2, 3, 6, 5]),
    OpCase(
      "arg_max_pool of volumes",
      ArgMaxPool(
        kernel: [2, 3, 2], strides: [1, 2, 1], padding: [0, 1, 1, 0, 1, 0], dilation: [2, 1, 1], ceilMode: true,
        columnMajor: true), shapes: [1, 2, 5, 4, 3]),
    OpCase(
      "arg_max_pool of signals", ArgMaxPool(kernel: [3], strides: [2], padding: [0, 0], dilation: [2], ceilMode: true),
      [.typed(.f64, [2, 3, 8], -2...2)]),
  ]

  private static let grids: [OpCase] = {
    var cases: [OpCase] = []
    for mode in GridSample.Mode.allCases {
      for padding in GridSample.Padding.allCases {
        for aligns in [false, true] {
          let op = GridSample(mode: mode, padding: padding, alignCorners: aligns)
          let operands: [Operand] = [.tensor([2, 3, 5, 4], -1...1), .tensor([2, 3, 2, 2], -1.7...1.7)]
          cases.append(OpCase("grid_sample \(mode.rawValue) \(padding.rawValue) \(aligns)", op, operands))
        }
      }
    }
    cases.append(
      OpCase(
        "grid_sample of volumes", GridSample(mode: .linear, padding: .reflection),
        [.tensor([1, 2, 3, 4, 5], -2...2), .tensor([1, 2, 1, 3, 3], -1.7...1.7)]))
    cases.append(
      OpCase(
        "grid_sample of signals", GridSample(mode: .cubic, padding: .border),
        [.tensor([2, 1, 7], -2...2), .tensor([2, 5, 1], -1.7...1.7)]))
    return cases
  }()

  private static let scatters: [OpCase] = {
    var cases: [OpCase] = []
    for reduction in ScatterReduction.allCases {
      for element in [ElementType.f32, .f64, .i8, .u64] {
        let values: ClosedRange<Double> = element == .u64 ? 0...50 : -50...50
        let along: [Operand] = [
          .typed(element, [2, 4, 3], values), .typed(.i64, [2, 5, 2], -6...6), .typed(element, [2, 5, 2], values),
        ]
        let parts: [Operand] = [
          .typed(element, [4, 3, 2], values), .typed(.i32, [5, 1], -6...6), .typed(element, [5, 3, 2], values),
        ]
        let name = "\(reduction.rawValue) of \(element.rawValue)"
        cases.append(OpCase("scatter_elements \(name)", ScatterElements(axis: -2, reduction: reduction), along))
        cases.append(OpCase("scatter_nd \(name)", ScatterND(reduction: reduction), parts))
      }
    }
    let truths: [Operand] = [
      .typed(.bool, [3, 4], 0...1), .typed(.i64, [2, 3, 2], -5...5), .typed(.bool, [2, 3], 0...1),
    ]
    cases.append(OpCase("scatter_nd of truths", ScatterND(), truths))
    return cases
  }()
}
