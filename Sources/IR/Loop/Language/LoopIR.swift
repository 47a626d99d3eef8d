// The loop language, whole:
//
//   program   = "program" name "{" buffer* formula* function* "entry" block "}"
//   buffer    = "buffer" class name ":" element "[" count "]" ("range" lo ".." hi)? ("align" n)?
//   class     = "input" | "output" | "weights" | "arena" | "scratch"
//   formula   = "value" name "(" (v ":" type ("," v ":" type)*)? ")" ":" type "{" let* "return" value "}"
//   let       = "let" v ":" type "=" value
//   function  = "func" name "(" (param ("," param)*)? ")" block
//   param     = name ":" ("in" | "out" | "inout") element "[" count "]" ("range" lo ".." hi)?
//             | name ":" "index" lo ".." hi
//   block     = "{" statement* "}"
//   statement = "for" v "in" index "..<" index ("step" n)? ("unrolled" | "parallel")? block
//             | "for" v "in" "0" "..<" n "while" value block          evaluated before each round
//             | "if" comparison ("and" comparison)* block ("else" block)?
//             | "if" "value" value block ("else" block)?
//             | let
//             | "let" v ":" "index" lo ".." hi "=" value              an index out of data, its range proved
//             | "var" v ":" type ("[" n "]")? ("range" lo ".." hi)? "=" value
//             | v ("[" index "]")? "=" value
//             | "store" buffer "[" index "]" ("mask" value)? "=" value
//             | "prefetch" buffer "[" index "]"
//             | "call" function "(" (argument ("," argument)*)? ")"
//             | "layer" "\"name\"" block                              names a region for people and profiles
//   argument  = "&" buffer "[" index "]" | index
//   comparison= index ("<" | "<=" | "==" | ">=" | ">") index
//   index     = integers, variables, + - * and parentheses, "div"(i, n) "mod"(i, n) "min"(i, j) "max"(i, j)
//   type      = element | element "x" lanes | "mask" "x" lanes
//   value     = see `LoopValue`, one line a case, written as calls: add(a, b), fma(a, b, c), load f32x8 p[i]
//
// Index arithmetic is exact over the integers; `div` and `mod` floor, by a positive constant. `fma` rounds once if the
// target has a fused multiply-add, and twice if it says it has none; `mul` then `add` always round twice. A function
// sees its parameters and nothing else, buffers included; `scratch` is each worker's own, and so are its views. A name
// in scope is not bound again, and a local does not have the name of a buffer. A value function is a formula with a
// name: it sees its parameters and the value functions above it, touches no memory, and means its body written out. One
// thread and many give the same bytes: a parallel loop's iterations write disjoint elements, and every horizontal
// reduction has one fixed order (a halving tree).

/// A scalar or a vector of `lanes` elements, or a mask of as many lanes. Scalars have one lane.
public struct LoopType: Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    case element(ElementType)
    case mask
  }

  public var kind: Kind
  public var lanes: Int

  public init(_ element: ElementType, lanes: Int = 1) {
    self.kind = .element(element)
    self.lanes = lanes
  }

  public init(kind: Kind, lanes: Int) {
    self.kind = kind
    self.lanes = lanes
  }

  public static func mask(lanes: Int) -> LoopType { LoopType(kind: .mask, lanes: lanes) }
  public static let f32 = LoopType(.f32)
  public static let i32 = LoopType(.i32)

  /// The element type; nil for masks.
  public var element: ElementType? {
    if case .element(let element) = kind { element } else { nil }
  }

  public func with(lanes: Int) -> LoopType { LoopType(kind: kind, lanes: lanes) }
}

/// Integer arithmetic that addresses and bounds are made of.
public indirect enum LoopIndex: Hashable, Sendable {
  case constant(Int)
  case variable(String)
  case add(LoopIndex, LoopIndex)
  case subtract(LoopIndex, LoopIndex)
  case multiply(LoopIndex, Int)
  /// Floor division by a positive constant.
  case divide(LoopIndex, Int)
  /// The non-negative remainder by a positive constant.
  case modulo(LoopIndex, Int)
  case minimum(LoopIndex, LoopIndex)
  case maximum(LoopIndex, LoopIndex)
}

public struct LoopComparison: Hashable, Sendable {
  public enum Relation: String, CaseIterable, Hashable, Sendable {
    case less = "<"
    case lessOrEqual = "<="
    case equal = "=="
    case greaterOrEqual = ">="
    case greater = ">"
  }

  public var relation: Relation
  public var left: LoopIndex
  public var right: LoopIndex

  public init(_ left: LoopIndex, _ relation: Relation, _ right: LoopIndex) {
    self.relation = relation
    self.left = left
    self.right = right
  }
}

/// Lane-wise operations on one operand.
public enum LoopUnary: String, CaseIterable, Hashable, Sendable {
  case negate = "neg"
  case absolute = "abs"
  case squareRoot = "sqrt"
  case floor
  case ceiling = "ceil"
  /// To the nearest integer, ties to even.
  case round
  /// Complement: of a mask's lanes or an integer's bits.
  case not
}

/// Lane-wise operations on two operands of one type. `min` and `max` return the second operand when either is NaN
/// or both are zero, as SSE and AVX do: `min(a, b)` is `a < b ? a : b`. `div` of integers truncates; by zero it is zero, and
/// of the least number by -1 that number.
public enum LoopBinary: String, CaseIterable, Hashable, Sendable {
  case add
  case subtract = "sub"
  case multiply = "mul"
  case divide = "div"
  case minimum = "min"
  case maximum = "max"
  case and
  case or
  case xor
  case shiftLeft = "shl"
  case shiftRight = "shr"
}

public enum LoopCompare: String, CaseIterable, Hashable, Sendable {
  case less = "lt"
  case lessOrEqual = "le"
  case equal = "eq"
  case notEqual = "ne"
  case greaterOrEqual = "ge"
  case greater = "gt"
}

/// Horizontal reductions of a vector to a scalar: lane i with lane i + n/2, then n/4, and so on. `any` and `all`
/// reduce a mask to a one-lane mask, `count` to the number of its true lanes, an i32.
public enum LoopReduction: String, CaseIterable, Hashable, Sendable {
  case add
  case minimum = "min"
  case maximum = "max"
  case any
  case all
  case count
}

/// What a statement computes with. Every case is pure.
public indirect enum LoopValue: Hashable, Sendable {
  /// A literal of a float or integer type, in every lane: `const f32x8 0.5` (floats print exactly, in hexadecimal).
  case constant(Double, LoopType)
  /// A `let` or a scalar `var`.
  case variable(String)
  /// One element of a register array: `acc[i]`.
  case element(String, LoopIndex)
  /// `lanes` consecutive elements; masked-off lanes are not touched and read zero: `load f32x8 p[i] mask m`.
  case load(buffer: String, LoopIndex, LoopType, mask: LoopValue?)
  /// A scalar in every lane: `splat 8 v`.
  case splat(LoopValue, lanes: Int)
  /// An index as an integer value; lane l holds index + l if `step` is 1, and the index itself if it is 0: `index i32
  /// i`, `iota i32x8 i`.
  case index(LoopIndex, LoopType, step: Int)
  /// The first `index` lanes true: `lanemask 8 i`.
  case firstLanes(LoopIndex, lanes: Int)
  case unary(LoopUnary, LoopValue)
  case binary(LoopBinary, LoopValue, LoopValue)
  /// a * b + c.
  case fma(LoopValue, LoopValue, LoopValue)
  case compare(LoopCompare, LoopValue, LoopValue)
  /// mask, then, else.
  case select(LoopValue, LoopValue, LoopValue)
  /// To another element type, lane by lane: floats to integers truncate; `saturating` clamps, otherwise the
  /// value must fit: `convert i32x8 v`, `saturate i8x16 v`.
  case convert(LoopValue, LoopType, saturating: Bool)
  /// The same bits as another type of the same size: `bits i32x8 v`.
  case reinterpret(LoopValue, LoopType)
  /// Static lane choice from one vector or from the concatenation of two: `shuffle [1, 0](a, b)`.
  case shuffle(LoopValue, LoopValue?, [Int])
  /// Dynamic lane choice: `permute(v, indices)`, indices modulo the lane count.
  case permute(LoopValue, LoopValue)
  /// The lanes where the mask holds, moved to the front in their order, zeros after them: `compress(m, v)`.
  case compress(LoopValue, LoopValue)
  /// `gather f32x8 p[v]`: one element per lane at the integer vector's offsets.
  case gather(buffer: String, LoopValue, LoopType, mask: LoopValue?)
  case reduce(LoopReduction, LoopValue)
  /// A target instruction by name: `instr dot4_i8(acc, a, b)`; its spelling and its meaning are the target's data.
  case instruction(String, [LoopValue])
  /// A value function of the program: `apply gelu_f32x8(x)`.
  case apply(String, [LoopValue])
}

public enum LoopArgument: Hashable, Sendable {
  /// A view of a buffer from an element offset on.
  case view(buffer: String, LoopIndex)
  case index(LoopIndex)
}

public indirect enum LoopStatement: Hashable, Sendable {
  public enum Order: String, Hashable, Sendable {
    case serial
    case unrolled
    case parallel
  }

  case forLoop(String, from: LoopIndex, to: LoopIndex, step: Int, order: Order, [LoopStatement])
  /// At most `maximum` rounds; stops before a round whose condition (a one-lane mask) is false.
  case forWhile(String, maximum: Int, condition: LoopValue, [LoopStatement])
  /// All comparisons must hold; the verifier learns them inside.
  case ifIndex([LoopComparison], then: [LoopStatement], else: [LoopStatement])
  /// A one-lane mask decides.
  case ifValue(LoopValue, then: [LoopStatement], else: [LoopStatement])
  case letValue(String, LoopType, LoopValue)
  /// An index that comes out of data. The verifier proves that the value stays in `range`.
  case letIndex(String, range: ClosedRange<Int>, LoopValue)
  /// A mutable register, or an array of them, every element starting at the value. Integer registers may declare a range.
  case register(String, LoopType, count: Int?, range: ClosedRange<Int>?, LoopValue)
  case assign(String, element: LoopIndex?, LoopValue)
  case store(buffer: String, LoopIndex, LoopValue, mask: LoopValue?)
  case prefetch(buffer: String, LoopIndex)
  case call(String, [LoopArgument])
  /// A named region of the model: comments in the C, rows in a profile.
  case layer(String, [LoopStatement])
}

public struct LoopParameter: Hashable, Sendable {
  public enum Access: String, CaseIterable, Hashable, Sendable {
    case read = "in"
    case write = "out"
    case readWrite = "inout"
  }

  public enum Kind: Hashable, Sendable {
    /// A view of at least `count` elements; integer elements may carry a range.
    case view(Access, ElementType, count: Int, range: ClosedRange<Int>?)
    case index(ClosedRange<Int>)
  }

  public var name: String
  public var kind: Kind

  public init(_ name: String, _ kind: Kind) {
    self.name = name
    self.kind = kind
  }
}

public struct LoopFunction: Hashable, Sendable {
  public var name: String
  public var parameters: [LoopParameter]
  public var body: [LoopStatement]

  public init(_ name: String, _ parameters: [LoopParameter], _ body: [LoopStatement]) {
    self.name = name
    self.parameters = parameters
    self.body = body
  }
}

/// A pure function of values to one value, straight-line: what kernels would otherwise write out again for every
/// register they apply it to.
public struct LoopValueFunction: Hashable, Sendable {
  public struct Parameter: Hashable, Sendable {
    public var name: String
    public var type: LoopType

    public init(_ name: String, _ type: LoopType) {
      self.name = name
      self.type = type
    }
  }

  public var name: String
  public var parameters: [Parameter]
  public var type: LoopType
  /// `let`s of values and nothing else.
  public var body: [LoopStatement]
  public var result: LoopValue

  public init(
    _ name: String, _ parameters: [Parameter], _ type: LoopType, _ body: [LoopStatement], _ result: LoopValue
  ) {
    self.name = name
    self.parameters = parameters
    self.type = type
    self.body = body
    self.result = result
  }
}

public struct LoopBuffer: Hashable, Sendable {
  public enum Storage: String, CaseIterable, Hashable, Sendable {
    /// The caller's input tensor, read only.
    case input
    /// The caller's output tensor.
    case output
    /// Packed constants, read only.
    case weights
    /// A temporary in the arena.
    case arena
    /// A temporary in the arena, one copy a worker; a parallel iteration sees its worker's own.
    case scratch
  }

  public var name: String
  public var storage: Storage
  public var element: ElementType
  /// Elements, not bytes.
  public var count: Int
  /// What the integers in it may be; every store proves it.
  public var range: ClosedRange<Int>?
  /// Bytes.
  public var alignment: Int

  public init(
    _ name: String, _ storage: Storage, _ element: ElementType, count: Int, range: ClosedRange<Int>? = nil,
    alignment: Int = 64
  ) {
    self.name = name
    self.storage = storage
    self.element = element
    self.count = count
    self.range = range
    self.alignment = alignment
  }

  public var byteCount: Int { count * element.byteCount }
}

extension LoopProgram {
  /// Words of the text form, which name nothing.
  public static var reservedNames: Set<String> { LoopParser.reserved }
}

/// A whole compiled model: its buffers, its kernels, and the entry that runs them in order.
public struct LoopProgram: Sendable {
  public var name: String
  public var buffers: [LoopBuffer]
  /// Each applies only those before it.
  public var valueFunctions: [LoopValueFunction]
  public var functions: [LoopFunction]
  public var entry: [LoopStatement]
  /// The contents of `weights` buffers by name, little-endian bytes. Not part of the text form.
  public var constants: [String: [UInt8]]

  public init(
    name: String, buffers: [LoopBuffer] = [], valueFunctions: [LoopValueFunction] = [],
    functions: [LoopFunction] = [], entry: [LoopStatement] = [], constants: [String: [UInt8]] = [:]
  ) {
    self.name = name
    self.buffers = buffers
    self.valueFunctions = valueFunctions
    self.functions = functions
    self.entry = entry
    self.constants = constants
  }
}
