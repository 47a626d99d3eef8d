// The part of C that we emit, as types: expressions, statements, declarations, translation units. The Emit files build
// it and `CPrinter` prints it; nothing else knows what C looks like. A `spelled` expression is a target's own text with
// operands put in.

/// A C type: a name, and any number of pointers to it.
indirect enum CType: Hashable, Sendable {
  case named(String)
  case constant(CType)
  case pointer(CType, restrict: Bool = false)

  static let void = CType.named("void")
  static let int = CType.named("int")
  static let index = CType.named("ptrdiff_t")
  static let size = CType.named("size_t")
  static let byte = CType.named("unsigned char")
}

indirect enum CExpression: Hashable, Sendable {
  case name(String)
  /// A number or a string, as C writes it.
  case literal(String)
  case call(String, [CExpression])
  case subscripted(CExpression, CExpression)
  /// `a.b`, or `a->b`.
  case member(CExpression, String, arrow: Bool)
  case prefix(String, CExpression)
  case infix(String, CExpression, CExpression)
  case conditional(CExpression, CExpression, CExpression)
  case cast(CType, CExpression)
  case sizeOf(CType)
  /// A target's spelling: `{0}` is the first operand, `{*}` all of them with commas between.
  case spelled(String, [CExpression])

  static func integer(_ value: Int) -> CExpression {
    value < 0 ? .prefix("-", .literal("\(-value)")) : .literal("\(value)")
  }

  /// Without operations of its own, so using it twice costs nothing.
  var isAtomic: Bool {
    switch self {
    case .name, .literal: true
    case .prefix(_, let operand): if case .literal = operand { true } else { false }
    case .call, .subscripted, .member, .infix, .conditional, .cast, .sizeOf, .spelled: false
    }
  }
}

indirect enum CStatement: Hashable, Sendable {
  case comment(String)
  /// `type name[count] = value;`
  case declare(CType, String, count: Int? = nil, CExpression? = nil)
  /// `type name = {a, b};`, for structs and arrays.
  case initialise(CType, String, count: Int? = nil, [CExpression])
  case assign(CExpression, CExpression)
  case expression(CExpression)
  case branch(CExpression, [CStatement], [CStatement])
  /// `for (ptrdiff_t name = from; name < to; name += step)`
  case loop(String, from: CExpression, to: CExpression, step: Int, [CStatement])
  case leave
  case giveBack(CExpression?)
  case block([CStatement])
  case blank
}

struct CParameter: Hashable, Sendable {
  var type: CType
  var name: String

  init(_ type: CType, _ name: String) {
    self.type = type
    self.name = name
  }
}

struct CFunction: Hashable, Sendable {
  /// `static`, a macro that begins with it, or nothing.
  var linkage: String
  var result: CType
  var name: String
  var parameters: [CParameter]
  var body: [CStatement]
  var comment: String?
}

indirect enum CDeclaration: Sendable {
  case comment(String)
  case include(String, system: Bool)
  case define(String, String)
  case function(CFunction)
  /// Comment, result, name, parameters.
  case prototype(String?, CType, String, [CParameter])
  /// `typedef struct name {...} name;`, each member with its comment.
  case structure(String?, String, [(member: CMember, comment: String?)])
  /// `#if condition ... #else ... #endif`
  case condition(String, [CDeclaration], [CDeclaration])
  /// Text that a target or a fixed part of the library holds as C.
  case verbatim(String)
  case blank

}

/// A member of a structure: a value, or a pointer to a function.
enum CMember: Hashable, Sendable {
  case value(CType, String)
  case function(CType, String, [CParameter])
}
