/// Every op of the graph. A new op is one file in this folder and one line here; a test compares the two.
public enum OpRegistry {
  public static let all: [any Op.Type] = [
    Absolute.self,
    Add.self,
    Aggregate.self,
    ArgMaxPool.self,
    ArgReduce.self,
    AveragePool.self,
    BatchNorm.self,
    BitCast.self,
    Bitwise.self,
    Broadcast.self,
    BuildNeighborhood.self,
    Cast.self,
    Ceiling.self,
    Comparison.self,
    Concat.self,
    Constant.self,
    Conv2D.self,
    ConvertLayout.self,
    Cumulate.self,
    Dequantize.self,
    Divide.self,
    EdgeFeatures.self,
    Elu.self,
    Erf.self,
    Exp.self,
    Floor.self,
    Fuse.self,
    Gather.self,
    GatherElements.self,
    GatherND.self,
    Gelu.self,
    GlobalAveragePool.self,
    GridSample.self,
    HardSigmoid.self,
    HardSwish.self,
    IncidenceMean.self,
    IntegerConv2D.self,
    IsInfinite.self,
    IsNaN.self,
    LayerNorm.self,
    LeakyRelu.self,
    Links.self,
    Log.self,
    LogSoftmax.self,
    Lookup.self,
    MatMul.self,
    MaxPool.self,
    Maximum.self,
    Minimum.self,
    Modulo.self,
    Multiply.self,
    Negate.self,
    Not.self,
    Pad.self,
    Power.self,
    Quantize.self,
    Reciprocal.self,
    Reduce.self,
    Relu.self,
    Relu6.self,
    Requantize.self,
    Resample.self,
    Reshape.self,
    Roll.self,
    Round.self,
    ScatterElements.self,
    ScatterND.self,
    Select.self,
    Shift.self,
    Sigmoid.self,
    Sign.self,
    Silu.self,
    Slice.self,
    Softmax.self,
    Softplus.self,
    Sqrt.self,
    Subtract.self,
    Tanh.self,
    TopK.self,
    Transpose.self,
    Trigonometric.self,
  ]

  private static let byMnemonic: [String: any Op.Type] = Dictionary(
    all.map { ($0.mnemonic, $0) }, uniquingKeysWith: { first, _ in first })

  /// The op type of a mnemonic; throws a `Diagnostic` with the nearest names when there is none.
  public static func type(named mnemonic: String) throws -> any Op.Type {
    if let type = byMnemonic[mnemonic] { return type }
    let close = nearest(to: mnemonic, among: byMnemonic.keys)
    let hint = close.isEmpty ? [] : ["ops of a name like it: \(close.joined(separator: ", "))"]
    throw Diagnostic("there is no op '\(mnemonic)'", notes: hint)
  }

  /// The op of a mnemonic with these parameters; throws on a missing, unknown or badly typed one. Not for `constant` and
  /// `fuse`, which take more than attributes.
  public static func make(_ mnemonic: String, _ attributes: [Attribute]) throws -> any Op {
    var reader = AttributeReader(attributes, owner: mnemonic)
    let op = try type(named: mnemonic).init(&reader)
    try reader.finish()
    return op
  }
}
