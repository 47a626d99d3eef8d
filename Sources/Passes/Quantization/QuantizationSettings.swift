import IR

/// What a user may choose of a quantisation.
public struct QuantizationSettings: Hashable, Sendable {
  public var range = RangeMethod.mse
  public var activations = ActivationForm.table
  /// Whether biases make up for the mean error of rounding the weights.
  public var correctsBias = true
  /// Layers whose products stay float, by their names or the names of what they are in.
  public var kept: [String] = []
  /// The least signal-to-noise ratio of the outputs, in dB, for which layers are kept in float.
  public var leastRatio: Double?
  /// Whether the report says what quantising each layer alone would cost.
  public var measuresAlone = false

  public init() {}
}

/// What a model is calibrated on: runs, made one by one.
public struct CalibrationInputs: Sendable {
  public var count: Int
  /// What a run is called in messages.
  public var name: @Sendable (Int) -> String
  /// The tensors of one run, in order of the graph's inputs.
  public var tensors: @Sendable (Int) throws -> [TensorData]

  public init(
    count: Int, name: @escaping @Sendable (Int) -> String, tensors: @escaping @Sendable (Int) throws -> [TensorData]
  ) {
    self.count = count
    self.name = name
    self.tensors = tensors
  }
}

/// What a quantisation did and what it cost.
public struct QuantizationReport: Hashable, Sendable {
  /// A convolution or a matrix product.
  public struct Layer: Hashable, Sendable {
    public var name: String
    public var op: String
    /// False where it stays float.
    public var isQuantized: Bool
    /// The layer's output in the quantised graph against the float one.
    public var result = SignalNoise()
    /// The graph's outputs if this layer alone is quantised.
    public var alone: SignalNoise?
  }

  public var model: String
  public var settings: QuantizationSettings
  public var runs: Int
  /// In the order of the graph.
  public var layers: [Layer]
  public var pairs = 0
  /// The graph's outputs over the calibration inputs.
  public var output = SignalNoise()
  public var weightBytesBefore = 0
  public var weightBytesAfter = 0

  /// Layers that lose most come first: by what they cost alone, if that was measured.
  public var worstFirst: [Layer] {
    layers.enumerated().sorted { a, b in
      let (first, second) = (a.element.alone ?? a.element.result, b.element.alone ?? b.element.result)
      return (first.decibels, a.offset) < (second.decibels, b.offset)
    }.map(\.element)
  }
}
