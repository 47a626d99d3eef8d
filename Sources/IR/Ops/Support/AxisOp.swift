/// An op whose only parameter is an axis of its operands; negative ones count from the end.
public protocol AxisOp: Op {
  var axis: Int { get }
  init(axis: Int)
}

extension AxisOp {
  public init(_ reader: inout AttributeReader) throws { self.init(axis: try reader.integer("axis")) }
  public var attributes: [Attribute] { [Attribute("axis", .integer(axis))] }
}
