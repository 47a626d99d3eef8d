import Foundation
import IR

/// The relative positions of Pyramid ViG (Han et al., arXiv:2206.00272), which its constructor computes. They are added
/// to the squared distance between a pixel and a candidate, and are smaller for pixels that lie near each other.
///
/// Each of the n pixels has a sine-cosine embedding E of `channels` numbers: sine, then cosine of its column, then of
/// its row, at the frequencies 10000^(-i / (channels / 4)). The positions are -2 E E^T / channels, computed in double
/// and rounded to float32; if candidates are pooled, the n columns are resized to the number of candidates, as if the
/// flattened pixels were the columns of a picture.
enum RelativePositions {
  /// [1, height * width, height * width / reduction^2].
  static func tensor(channels: Int, height: Int, width: Int, reduction: Int) -> TensorData {
    precondition(channels % 4 == 0, "an embedding has four parts")
    let columns = products(width, quarter: channels / 4)
    let rows = products(height, quarter: channels / 4)
    let nodes = height * width
    let candidates = nodes / (reduction * reduction)
    func element(_ i: Int, _ j: Int) -> Float {
      let product = columns[i % width * width + j % width] + rows[i / width * height + j / width]
      return Float(2 * product / Double(channels))
    }
    let values = BicubicResize.columns(of: nodes, from: nodes, to: candidates, element: element)
    return TensorData(shape: [1, nodes, candidates], floats: values.map { -$0 })
  }

  /// The inner products of the embeddings of places 0 ..< count along one axis, [count, count].
  private static func products(_ count: Int, quarter: Int) -> [Double] {
    let frequencies = (0..<quarter).map { 1 / pow(10000, Double($0) / Double(quarter)) }
    let embeddings = (0..<count).map { place in
      frequencies.map { sin(Double(place) * $0) } + frequencies.map { cos(Double(place) * $0) }
    }
    return embeddings.flatMap { a in embeddings.map { b in zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } } }
  }
}
