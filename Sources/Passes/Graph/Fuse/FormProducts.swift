import IR

/// Turns each convolution into a kernel of its own, and lets it take in what can run in its registers: element-wise ops
/// after it (bias, activation, scale, residual), a concatenation or interleaving of its inputs, and the input's
/// normalisation. The kernels say what fits (`Product`).
///
///     %c = conv2d(%x, %w, %b)            %s = fuse "pointwise" (%x, %w, %b, %r) {
///     %g = gelu(%c)               =>       %c = conv2d(...)  %g = gelu(%c)  %s = add(%g, %r)
///     %s = add(%g, %r)                   }
public struct FormProducts: Pass {
  public static let name = "form-products"
  public static let summary = "makes each convolution a kernel, with element-wise epilogue and concatenated inputs"

  public init() {}

  public func run(_ graph: Graph) throws -> Graph {
    var forming = KernelForming(.products)
    return try forming.run(graph)
  }
}
