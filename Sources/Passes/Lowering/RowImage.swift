import IR

/// An image in memory, as rows: row y of image n starts at n * imageElements + y * rowStep.
struct RowImage: Hashable {
  var buffer: String
  var rowStep: Int
  var imageElements: Int

  func view(image: LoopIndex, row: LoopIndex) -> LoopArgument {
    .view(buffer: buffer, image * imageElements + row * rowStep)
  }
}
