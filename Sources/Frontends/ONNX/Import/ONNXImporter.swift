import Foundation
import IR
import SwiftProtobuf

/// Reads ONNX models: a graph of the same computation, with the weights by the names they have there.
///
/// Nodes are walked in their order, functions inlined. What depends on shapes and constants alone is computed on the
/// way. Everything that cannot be compiled is reported together: each node with its operator, its inputs and, if there
/// is one, a way out.
public enum ONNXImporter {
  /// The operator sets whose meaning is known.
  public static let operatorSets: ClosedRange<Int64> = 7...27

  /// The operators that nodes may be of, in alphabetical order, each with what is not supported of it, or nothing.
  public static var supportedOperators: [(name: String, limits: String)] {
    ImportedOperators.all.map { ($0.name, $0.limits) }.sorted { $0.name < $1.name }
  }

  /// Reads a model.
  ///
  /// - Parameters:
  ///   - dimensions: The extents of the model's symbolic dimensions, by their names.
  ///   - bindings: Contents of inputs that are known already, by their names: they become constants.
  /// - Throws: A `Diagnostic` or a `DiagnosticList`.
  public static func read(
    _ path: String, dimensions: [String: Int] = [:], bindings: [String: InputSource] = [:]
  ) throws -> Graph {
    let url = URL(fileURLWithPath: path)
    return try read(
      bytes: readFile(path), file: path, directory: url.deletingLastPathComponent().path,
      name: url.deletingPathExtension().lastPathComponent, dimensions: dimensions, bindings: bindings)
  }

  /// The tensor in a file of its own, as ONNX's test data have it.
  public static func readTensor(_ path: String) throws -> TensorData {
    guard let proto = try? Onnx_TensorProto(serializedBytes: readFile(path)), proto.dataType != 0 else {
      throw Diagnostic("\(path) is not an ONNX tensor")
    }
    var tensors = ImportedTensors(directory: URL(fileURLWithPath: path).deletingLastPathComponent().path)
    do {
      return try tensors.read(proto)
    } catch is ImportedTensors.Empty {
      throw Diagnostic("\(path): its tensor has a shape and no contents")
    } catch let diagnostic as Diagnostic {
      throw Diagnostic("\(path): \(diagnostic.message)", notes: diagnostic.notes)
    }
  }

  /// Reads a model's bytes; `file` only names it in diagnostics, `directory` is where external data lies.
  static func read(
    bytes: [UInt8], file: String, directory: String, name: String, dimensions: [String: Int] = [:],
    bindings: [String: InputSource] = [:]
  ) throws -> Graph {
    let model: Onnx_ModelProto
    do {
      model = try Onnx_ModelProto(serializedBytes: bytes)
    } catch {
      throw Diagnostic("\(file) is not an ONNX model, or a part of one: \(bytes.count) bytes do not parse")
    }
    guard model.hasGraph, !model.graph.node.isEmpty else {
      throw Diagnostic("\(file) is no ONNX model, or one without a graph")
    }
    var walk = ImportWalk(model, file: file, directory: directory, name: name)
    return try walk.run(dimensions, bindings)
  }
}
