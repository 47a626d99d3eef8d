import IR

/// One pointwise convolution to the classes for each head, and the mean of their logits: [batch, classes].
struct ClassifiersBlock: BlockKind {
  static let kind = "classifiers"
  static let keys = ["heads"]
  static let takesPath = false

  private var heads: [String]

  init(_ reader: SpecReader) throws {
    heads = try reader.paths("heads")
  }

  func build(_ builder: inout ModelBuilder, _ x: ValueID, path: String) throws -> ValueID {
    let image = builder.graph.tensorType(of: x).shape
    guard image[2] == 1, image[3] == 1 else {
      throw builder.problem(
        "classifiers read one pixel, and there are \(image[2])x\(image[3]); put an embedding before them")
    }
    for head in heads {
      try builder.declareConvolution(head, from: builder.channels(of: x), to: builder.classes)
    }
    var logits: [ValueID] = []
    for head in heads {
      let value = try builder.convolution(x, head)
      builder.record(head, value)
      logits.append(value)
    }
    var sum = logits[0]
    for value in logits.dropFirst() { sum = try builder.add(Add(), [sum, value], layer: "logits") }
    if heads.count > 1 {
      let share = try builder.scalar(1 / Double(heads.count), layer: "logits")
      sum = try builder.add(Multiply(), [sum, share], layer: "logits")
    }
    let batch = builder.graph.tensorType(of: sum).shape[0]
    return try builder.add(Reshape(shape: [batch, builder.classes]), [sum], layer: "logits")
  }
}
