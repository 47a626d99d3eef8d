/// An op without parameters.
public protocol ParameterlessOp: Op {
  init()
}

extension ParameterlessOp {
  public init(_ reader: inout AttributeReader) throws { self.init() }
  public var attributes: [Attribute] { [] }
}
