import Foundation
import IR
import SwiftProtobuf

/// Writes a graph that no pass has changed as an ONNX model with its weights, in ops of the standard operator set only:
/// what any other runtime runs.
///
/// Values keep their names, weights their published ones, and nodes are named after the published layers: the node that
/// computes a layer's output has the layer's name, the others the layer's and what they do, like `stem.stem.2/Erf`. The
/// same graph gives the same bytes.
///
/// The result may differ from the graph's if numbers are not finite: an infinite or NaN distance may be a neighbour's,
/// and a hyperedge's mean is NaN if a pixel that it does not hold is infinite.
public enum ONNXExporter {
  /// Operator set and format of ONNX 1.12: old enough for common runtimes, new enough for `LayerNormalization`.
  public static let operatorSet: Int64 = 17
  static let formatVersion: Int64 = 8

  /// A protocol buffer cannot be larger.
  static let mostBytes = Int(Int32.max)

  /// Ops that only passes make, which a graph to be exported does not have, and ops that this operator set lacks.
  static let internalOps: [any Op.Type] = [
    BitCast.self, ConvertLayout.self, Fuse.self, Links.self, Lookup.self, Requantize.self,
  ]

  /// The bytes of a model.
  ///
  /// - Parameter version: The compiler's version, which the model names.
  /// - Throws: A `Diagnostic` if the graph was optimised, has an op that the operator set lacks, or has too many weights
  ///   for one file.
  public static func export(_ graph: Graph, version: String) throws -> [UInt8] {
    try export(graph, version: version, mostBytes: mostBytes)
  }

  /// Writes a model, whole or not at all.
  public static func write(_ graph: Graph, version: String, to path: String) throws {
    try writeFileAtomically(export(graph, version: version), to: path)
  }

  static func export(_ graph: Graph, version: String, mostBytes: Int) throws -> [UInt8] {
    try graph.requireTensorBoundary()
    let graph = graph.compacted()
    let weightBytes = graph.weights.values.reduce(0) { $0 + $1.bytes.count }
    // The nodes take next to nothing: a megabyte for the largest model.
    guard weightBytes <= mostBytes - mostBytes / 64 else {
      throw Diagnostic(
        "the weights of \(graph.name) take \(weightBytes) bytes, and an ONNX file holds at most \(mostBytes)")
    }
    var model = Onnx_ModelProto()
    model.irVersion = formatVersion
    var operators = Onnx_OperatorSetIdProto()
    operators.domain = ""
    operators.version = operatorSet
    model.opsetImport = [operators]
    model.producerName = "vigc"
    model.producerVersion = version
    var writer = ONNXGraphWriter(graph)
    model.graph = try writer.write()
    return Array(try model.serializedData())
  }
}

/// One walk over a graph, node by node.
private struct ONNXGraphWriter {
  private let graph: Graph
  private var builder: ONNXBuilder
  private var values: [ValueID: ONNXValue] = [:]

  init(_ graph: Graph) {
    self.graph = graph
    // A constant is written under its published name, so only the names of all other values count as taken.
    var names = Set(graph.values.map(\.name))
    for node in graph.nodes where node.op is Constant { names.remove(graph.values[node.results[0].index].name) }
    builder = ONNXBuilder(taken: names)
  }

  mutating func write() throws -> Onnx_GraphProto {
    for value in graph.values { try checkType(value) }
    var result = Onnx_GraphProto()
    result.name = graph.name
    for input in graph.inputs {
      values[input] = .tensor(name(input))
      result.input.append(Onnx_ValueInfoProto(name(input), graph.tensorType(of: input)))
    }
    for node in graph.nodes {
      do {
        try add(node)
      } catch var diagnostic as Diagnostic {
        if diagnostic.location == nil { diagnostic.location = node.location }
        throw diagnostic
      }
    }
    for value in graph.outputs {
      guard case .tensor(let written)? = values[value] else {
        throw Diagnostic("the output %\(name(value)) is no tensor")
      }
      result.output.append(Onnx_ValueInfoProto(builder.output(written), graph.tensorType(of: value)))
    }
    result.node = builder.namedNodes
    result.initializer = builder.initializers
    return result
  }

  private func name(_ value: ValueID) -> String { graph.values[value.index].name }

  private func checkType(_ value: Graph.Value) throws {
    guard let type = value.type.tensor else { return }
    if type.layout != .rowMajor {
      throw Diagnostic("%\(value.name) is \(type), which only passes make; export the graph as it was before them")
    }
  }

  private mutating func add(_ node: Node) throws {
    let target = name(node.results[0])
    if let constant = node.op as? Constant {
      values[node.results[0]] = .tensor(try initializer(constant, name: target))
      return
    }
    guard let op = node.op as? any ONNXOp else {
      throw Diagnostic(
        "%\(target) is a '\(node.op.mnemonic)', which only passes make; export the graph as it was before them")
    }
    let operands = node.operands.map { operand -> ONNXValue in
      guard let value = values[operand] else { preconditionFailure("%\(name(operand)) is not written") }
      return value
    }
    let call = ONNXCall(
      operands: operands, types: node.operands.map(graph.type(of:)), results: node.results.map(graph.type(of:)))
    builder.begin(layer: node.layer)
    for (id, result) in zip(node.results, try op.export(&builder, call)) {
      if case .tensor(let written) = result, builder.rename(written, to: name(id)) {
        values[id] = .tensor(name(id))
      } else {
        values[id] = result
      }
    }
  }

  private mutating func initializer(_ constant: Constant, name: String) throws -> String {
    switch constant.source {
    case .named(let published):
      guard let data = graph.weights[published] else {
        throw Diagnostic("the weights hold nothing named '\(published)'")
      }
      return builder.weight(data, name: published)
    case .inline:
      return builder.constant(TensorData(encoding: try constant.contents(in: [:])), name: name)
    }
  }
}
