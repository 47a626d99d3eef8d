/// How a published checkpoint shapes a layer scale; both mean one factor a channel.
enum ScaleShape: String, CaseIterable, Sendable {
  /// (C, 1, 1), which broadcasts over an image as it is.
  case image
  /// (C).
  case vector

  func shape(channels: Int) -> [Int] {
    switch self {
    case .image: [channels, 1, 1]
    case .vector: [channels]
    }
  }
}
