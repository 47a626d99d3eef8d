import IR

/// Bicubic resizing of float32 planes, bit for bit as PyTorch's `interpolate` does on a machine with fused
/// multiply-add: coordinates between pixel centres (`align_corners` off), no antialiasing, A = -0.75, taps outside
/// the plane clamped to its edge.
struct BicubicResize {
  /// The four source indices and weights of each result index along one axis, one after another.
  private struct Axis {
    var taps: [Int] = []
    var weights: [Float] = []

    init(from source: Int, to result: Int) {
      let scale = Float(source) / Float(result)
      for index in 0..<result {
        let place = scale * (Float(index) + 0.5) - 0.5
        let first = place.rounded(.down)
        let middle = Int(first)
        taps += (-1...2).map { min(max(middle + $0, 0), source - 1) }
        weights += Self.weights(place - first)
      }
    }

    private static func weights(_ t: Float) -> [Float] {
      let a: Float = -0.75
      func far(_ x: Float) -> Float { ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
      func near(_ x: Float) -> Float { ((a + 2) * x - (a + 3)) * x * x + 1 }
      return [far(t + 1), near(t), near(1 - t), far(2 - t)]
    }

    /// The weighted sum for one result, in the order of roundings that the published values show: the second product is
    /// rounded, the others are fused into the sum.
    @inline(__always)
    func sum(at index: Int, _ value: (Int) -> Float) -> Float {
      let i = 4 * index
      var sum = value(taps[i + 1]) * weights[i + 1]
      sum.addProduct(value(taps[i]), weights[i])
      sum.addProduct(value(taps[i + 2]), weights[i + 2])
      sum.addProduct(value(taps[i + 3]), weights[i + 3])
      return sum
    }
  }

  private let columns: Axis
  private let rows: Axis
  private let source: (rows: Int, columns: Int)
  private let result: (rows: Int, columns: Int)

  init(rows: (from: Int, to: Int), columns: (from: Int, to: Int)) {
    source = (rows.from, columns.from)
    result = (rows.to, columns.to)
    self.rows = Axis(from: rows.from, to: rows.to)
    self.columns = Axis(from: columns.from, to: columns.to)
  }

  /// Resizes planes that lie one after another, row-major.
  func callAsFunction(_ planes: [Float]) -> [Float] {
    let count = planes.count / (source.rows * source.columns)
    var output: [Float] = []
    output.reserveCapacity(count * result.rows * result.columns)
    for plane in 0..<count {
      let base = plane * source.rows * source.columns
      for row in 0..<result.rows {
        for column in 0..<result.columns {
          output.append(
            rows.sum(at: row) { line in
              columns.sum(at: column) { planes[base + line * source.columns + $0] }
            })
        }
      }
    }
    return output
  }

  /// Float32 images, their rows and columns the last two axes, in another size.
  static func resized(_ images: TensorData, to shape: [Int]) -> TensorData {
    let rank = images.shape.count
    precondition(rank == shape.count && rank >= 2, "images of another rank")
    precondition(images.shape.dropLast(2) == shape.dropLast(2), "as many images as before")
    let resize = BicubicResize(
      rows: (images.shape[rank - 2], shape[rank - 2]), columns: (images.shape[rank - 1], shape[rank - 1]))
    return TensorData(shape: shape, floats: resize(images.floats))
  }

  /// Resizes each row of a matrix, which keeps its number of rows; `element` gives the matrix by row and column.
  static func columns(of rows: Int, from source: Int, to result: Int, element: (Int, Int) -> Float) -> [Float] {
    let axis = Axis(from: source, to: result)
    var output: [Float] = []
    output.reserveCapacity(rows * result)
    for row in 0..<rows {
      for column in 0..<result {
        output.append(axis.sum(at: column) { element(row, $0) })
      }
    }
    return output
  }
}
