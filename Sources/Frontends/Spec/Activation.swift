import IR

/// The activations a spec can name.
enum Activation: String, CaseIterable, Sendable {
  case none, gelu
  case geluTanh = "gelu_tanh"
  case relu, relu6, silu
  case hardSwish = "hard_swish"

  var op: (any Op)? {
    switch self {
    case .none: nil
    case .gelu: Gelu(approximation: .none)
    case .geluTanh: Gelu(approximation: .tanh)
    case .relu: Relu()
    case .relu6: Relu6()
    case .silu: Silu()
    case .hardSwish: HardSwish()
    }
  }
}
