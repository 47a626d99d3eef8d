import Foundation
import IR

// How types, tensors and attributes are written.

extension ElementType {
  var onnx: Onnx_TensorProto.DataType {
    switch self {
    case .f32: .float
    case .f64: .double
    case .f16: .float16
    case .bf16: .bfloat16
    case .i8: .int8
    case .u8: .uint8
    case .i16: .int16
    case .u16: .uint16
    case .i32: .int32
    case .u32: .uint32
    case .i64: .int64
    case .u64: .uint64
    case .bool: .bool
    }
  }
}

extension Onnx_ValueInfoProto {
  init(_ name: String, _ type: TensorType) {
    self.init()
    self.name = name
    var tensor = Onnx_TypeProto.Tensor()
    tensor.elemType = Int32(type.element.onnx.rawValue)
    tensor.shape.dim = type.shape.map { extent in
      var dimension = Onnx_TensorShapeProto.Dimension()
      dimension.dimValue = Int64(extent)
      return dimension
    }
    // An empty shape is written too: it is a scalar's, not an unknown shape.
    if type.shape.isEmpty { tensor.shape = Onnx_TensorShapeProto() }
    self.type.tensorType = tensor
  }
}

extension Onnx_TensorProto {
  init(_ name: String, _ data: TensorData) {
    self.init()
    self.name = name
    dims = data.shape.map(Int64.init)
    dataType = Int32(data.element.onnx.rawValue)
    rawData = Data(data.bytes)
  }
}

extension Onnx_AttributeProto {
  static func integer(_ name: String, _ value: Int) -> Self { named(name, .int) { $0.i = Int64(value) } }

  static func integers(_ name: String, _ values: [Int]) -> Self {
    named(name, .ints) { $0.ints = values.map(Int64.init) }
  }

  static func float(_ name: String, _ value: Double) -> Self { named(name, .float) { $0.f = Float(value) } }

  static func string(_ name: String, _ value: String) -> Self { named(name, .string) { $0.s = Data(value.utf8) } }

  static func graph(_ name: String, _ value: Onnx_GraphProto) -> Self { named(name, .graph) { $0.g = value } }

  private static func named(_ name: String, _ type: AttributeType, _ set: (inout Self) -> Void) -> Self {
    var result = Self()
    result.name = name
    result.type = type
    set(&result)
    return result
  }
}

extension Tensor where T == Double {
  /// Numbers as a tensor of any element type; an integer beyond 64 bits becomes the nearest that they hold.
  init(_ element: ElementType, shape: [Int], _ values: [Double]) {
    if element.isFloat {
      self.init(element: element, shape: shape, real: values)
    } else {
      self.init(element: element, shape: shape, integer: values.map { Int64(nearest: $0) })
    }
  }
}

extension Onnx_NodeProto {
  /// The name as a layer. The TorchScript exporter writes modules as paths from a root.
  var layerName: String {
    let allowed: Set<Character> = ["_", ".", "/", "-", ":"]
    let path = name.hasPrefix("/") ? String(name.dropFirst()) : name
    return String(path.map { $0.isASCII && ($0.isLetter || $0.isNumber) || allowed.contains($0) ? $0 : "_" })
  }
}
