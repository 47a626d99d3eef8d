import RealModule

/// The same values in another memory layout.
public struct ConvertLayout: Op {
  public static let mnemonic = "convert_layout"

  public var layout: Layout

  public init(layout: Layout) {
    self.layout = layout
  }

  /// `channels_last` is the padding, in elements; without it the layout is row-major.
  public init(_ reader: inout AttributeReader) throws {
    self.layout =
      reader.has("channels_last") ? .channelsLast(padding: try reader.integer("channels_last")) : .rowMajor
  }

  public var attributes: [Attribute] {
    switch layout {
    case .rowMajor: []
    case .channelsLast(let padding): [Attribute("channels_last", .integer(padding))]
    }
  }

  /// True: a conversion writes the padding itself, as zeros.
  public var mapsZeroToZero: Bool { true }

  public func resultTypes(_ operands: [ValueType]) throws -> [ValueType] {
    let checker = try OperandChecker(self, operands, ["x"])
    var type = try checker.tensor(0)
    switch layout {
    case .rowMajor: break
    case .channelsLast(let padding):
      if type.rank != 4 { throw checker.failure(0, mustBe: "of rank 4 to have channels") }
      try checker.check("channels_last", [padding], count: 1, minimum: 1)
    }
    type.layout = layout
    return [.tensor(type)]
  }

  public func evaluate<T: Real & BinaryFloatingPoint & Sendable>(
    _ operands: [RuntimeValue<T>]
  ) throws -> [RuntimeValue<T>] { operands }

  public func buildLoops(_ builder: inout LoopBuilder, operands: [LoopTensor], results: [LoopTensor]) throws {
    let x = operands[0]
    let result = results[0]
    switch result.type.layout {
    case .rowMajor:
      builder.loops(over: x.shape) { builder, index in
        let value = LoopValue.load(x.buffer, x.storageOffset(index), x.loopType)
        builder.store(result.buffer, result.storageOffset(index), value)
      }
    case .channelsLast(let padding):
      let shape = x.shape
      let channels = roundUp(shape[1], toMultipleOf: padding)
      builder.loops(over: [shape[0], shape[2], shape[3]]) { builder, pixel in
        builder.loop("c", 0, .constant(shape[1])) { builder, channel in
          let index = [pixel[0], channel, pixel[1], pixel[2]]
          let value = LoopValue.load(x.buffer, x.storageOffset(index), x.loopType)
          builder.store(result.buffer, result.storageOffset(index), value)
        }
        builder.loop("c", .constant(shape[1]), .constant(channels)) { builder, channel in
          let index = [pixel[0], channel, pixel[1], pixel[2]]
          builder.store(result.buffer, result.storageOffset(index), .constant(0, x.loopType))
        }
      }
    }
  }
}

extension LoopTensor {
  /// The element offset of a logical index in the tensor's own layout.
  public func storageOffset(_ indices: [LoopIndex]) -> LoopIndex {
    switch type.layout {
    case .rowMajor: return offset(indices)
    case .channelsLast(let padding):
      let channels = roundUp(shape[1], toMultipleOf: padding)
      let pixel = (indices[0] * shape[2] + indices[2]) * shape[3] + indices[3]
      return base + pixel * channels + indices[1]
    }
  }
}
