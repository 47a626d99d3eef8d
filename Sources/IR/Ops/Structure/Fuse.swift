import RealModule

/// The name of a kernel, as a `fuse` has it in the text form. `Passes` knows which kernels there are.
public struct KernelName: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
  public let description: String

  public init(_ name: String) { description = name }

  public init(stringLiteral name: String) { description = name }
}

/// A nested graph that one kernel runs: operands are the inputs of `body`, results its outputs.
///
/// Constants inside `body` take their contents from the weights of the graph around it, as if the body stood there.
public struct Fuse: Op {
  public static let mnemonic = "fuse"

  public var kernel: KernelName
  /// What was chosen for the kernel, as its schedule prints it; only the kernel reads it.
  public var schedule: [Attribute]
  public var body: Graph

  public init(kernel: KernelName, schedule: [Attribute], body: Graph) {
    self.kernel = kernel
    self.schedule = schedule
    self.body = body
  }

  public init(_ reader: inout AttributeReader) throws {
    throw Diagnostic("a fuse needs a nested graph")
  }

  public var attributes: [Attribute] { schedule }
  public var region: Graph? { body }

  /// A kernel writes its results' padding itself, as zeros, whatever its body does.
  public var mapsZeroToZero: Bool { true }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let names = body.inputs.map { body.values[$0.index].name }
    let checker = try OperandChecker(self, operands, names)
    for (index, input) in body.inputs.enumerated() where operands[index] != body.type(of: input) {
      throw checker.failure(index, mustBe: "\(body.type(of: input)), as the nested graph declares it")
    }
    if body.outputs.isEmpty { throw checker.problem("the nested graph has no output") }
    return body.outputs.map(body.type(of:))
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] {
    try GraphInterpreter<T>().run(body, values: operands, weights: body.weights, observe: nil)
  }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    throw Diagnostic("the fuse '\(kernel)' has no plain loops; its kernel builds them")
  }
}
