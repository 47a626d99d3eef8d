import IR

/// Which product a convolution is.
enum ProductForm {
  /// 1 x 1, stride 1, any number of groups: a product of pixels by channels.
  case pointwise
  /// One filter a channel.
  case depthwise
  /// Everything else with one group.
  case dense

  /// Nil if only general loops can run the convolution.
  init?(_ convolution: Conv2D, input: [Int], weight: [Int]) {
    let isPlain =
      weight[2] == 1 && weight[3] == 1 && convolution.strides == [1, 1] && convolution.padding == [0, 0, 0, 0]
    if convolution.groups > 1, convolution.groups == input[1], weight[0] == input[1] {
      self = .depthwise
    } else if isPlain {
      self = .pointwise
    } else if convolution.groups == 1 {
      self = .dense
    } else {
      return nil
    }
  }
}

/// A kernel that is a convolution with what runs in its registers: a bias, activations, scales and residuals after it,
/// and before it what its rules allow.
protocol ProductKernel: Kernel {
  static var form: ProductForm { get }
  static var rules: Product.Rules { get }

  init(_ product: Product)
  var product: Product { get }

  /// The nodes before a convolution that a new fuse takes in, in order.
  static func leading(_ node: Node, in rewriter: GraphRewriter) -> [Node]

  /// Whether it can be a stage of a chain of rows: the first, which reads whole images, or a later one, which reads the rows
  /// of the one before.
  var canBeChained: Bool { get }

  /// The product as a stage of a chain of rows; constants are named after `name`.
  func stage(named name: String, in lowering: inout GraphLowering) throws -> any RowStage
}

extension ProductKernel {
  static var phase: KernelPhase { .products }
  static func leading(_ node: Node, in rewriter: GraphRewriter) -> [Node] { [] }

  var site: FuseSite { product.site }

  init(_ site: FuseSite) throws {
    _ = try site.schedule(NoSchedule.self)
    let product = try Product(site, Self.rules)
    guard
      ProductForm(product.convolution, input: product.inputShape, weight: product.weightShape) == Self.form
    else { throw site.diagnostic("does not run a convolution of this form") }
    self.init(product)
  }

  static func match(_ node: Node, in rewriter: GraphRewriter) -> KernelMatch? {
    guard let convolution = node.op as? Conv2D,
      let input = rewriter.graph.type(of: node.operands[0]).tensor, input.element == .f32,
      let weight = rewriter.graph.type(of: node.operands[1]).tensor,
      ProductForm(convolution, input: input.shape, weight: weight.shape) == form,
      node.operands.dropFirst().allSatisfy({ rewriter.isConstant($0) })
    else { return nil }
    return KernelMatch(nodes: leading(node, in: rewriter) + [node])
  }

  func absorbing(_ node: Node, in rewriter: GraphRewriter) -> [Node]? {
    product.takes(node, in: rewriter, Self.rules) ? [node] : nil
  }

  /// The product's epilogue, its longer steps as functions of the program.
  func epilogue(in program: inout ProgramBuilder) -> Epilogue {
    var epilogue = product.epilogue
    epilogue.nameSteps(in: &program)
    return epilogue
  }
}

/// The arguments of a product's function, in the order of its parameters: the one place that knows that order.
struct ProductArguments {
  var inputs: [LoopArgument]
  var weights: LoopArgument
  var bias: LoopArgument
  var residuals: [LoopArgument]
  var channelVectors: [LoopArgument]
  var output: LoopArgument

  var list: [LoopArgument] { inputs + [weights, bias] + residuals + channelVectors + [output] }

  /// The parameters that these are the arguments of.
  /// - Parameters:
  ///   - weights, bias: how many elements the views of the constants have.
  ///   - output: elements of the result's view and of those of the residuals.
  ///   - channels: elements of a constant of one number a channel.
  static func parameters(
    inputs: [LoopParameter], weights: Int, bias: Int, _ epilogue: Epilogue, output: Int, channels: Int
  ) -> [LoopParameter] {
    inputs + [.input("weights", count: weights), .input("bias", count: bias)]
      + epilogue.parameters(tensorElements: output, channelElements: channels) + [.output("output", count: output)]
  }
}

extension GraphLowering {
  /// The constants of a product's epilogue, packed with zeros to whole vectors.
  mutating func channelVectors(_ constants: ProductConstants, channels: Int, name: String) -> [String] {
    let width = padded(channels)
    return constants.channelVectors.enumerated().map { index, vector in
      program.constant(
        "\(name)_channel_\(index)", vector.map { Float($0) } + [Float](repeating: 0, count: width - vector.count))
    }
  }

  /// An image that an epilogue reads; if there is only one, every image of the batch reads it.
  mutating func residualImage(_ value: ValueID) -> RowImage {
    var place = image(value)
    if graph.tensorType(of: value).shape[0] == 1 { place.imageElements = 0 }
    return place
  }
}
