import IR
import Testing

/// What the parser says about text that is wrong, and where.
@Suite struct GraphParserErrorTests {
  private static func complaint(_ text: String) -> String {
    do {
      _ = try GraphParser.parse(text, file: "a.vir")
      return "accepted"
    } catch {
      return "\(error)"
    }
  }

  /// What is said about a graph with this line in it.
  private static func line(_ line: String) -> String {
    complaint("graph g(%x: f32[1,3,4,5]) -> (%x) {\n  \(line)\n}")
  }

  @Test(arguments: [
    ("%y = relu(%z) : f32[1]", "a.vir:2:13: %z is used but not defined before"),
    ("%y = rellu(%x) : f32[1]", "a.vir:2:8: there is no op 'rellu'\n  ops of a name like it: relu, elu, gelu"),
    (
      "%y = relu(%x) : f32[1,3,4,6]",
      "a.vir:2:19: the result of this relu is f32[1,3,4,5], not what is written here"
    ),
    ("%y = relu(%x)", "a.vir:3:1: found '}', expected ':' and the types of the results"),
    ("%y = relu(%x) {a = 1} : f32[1,3,4,5]", "a.vir:2:17: relu has no attribute 'a'; it takes none"),
    (
      "%y = softmax(%x) {axi = 1} : f32[1,3,4,5]",
      "a.vir:2:20: softmax needs the attribute 'axis', an integer"
    ),
    (
      "%y = softmax(%x) {axis = 1, axes = 1} : f32[1,3,4,5]",
      "a.vir:2:20: softmax has no attribute 'axes'; is 'axis' meant?"
    ),
    ("%y = softmax(%x) {axis = 1, axis = 1} : f32[1,3,4,5]", "a.vir:2:31: the attribute 'axis' is given twice"),
    ("%y = softmax(%x) {axis = \"a\"} : f32[1,3,4,5]", "a.vir:2:20: attribute 'axis' of softmax must be an integer"),
    (
      "%y = softmax(%x) {axis = } : f32[1,3,4,5]",
      "a.vir:2:28: found '}', expected a value: true, false, a number, a \"string\" or a list of numbers in brackets"
    ),
    (
      "%y = gelu(%x) {approximation = \"erf\"} : f32[1,3,4,5]",
      "a.vir:2:17: attribute 'approximation' of gelu must be one of none, tanh"
    ),
    (
      "%y = softmax(%x) {axis = 4} : f32[1,3,4,5]",
      "a.vir:2:8: softmax: axis 4 is not in a tensor of rank 4; axes run from -4 to 3"
    ),
    ("%x = relu(%x) : f32[1,3,4,5]", "a.vir:2:3: %x is defined twice"),
    (
      "%y = relu(%x) : g32[1]",
      "a.vir:2:19: found 'g32', expected an element type (f32, f64, f16, bf16, i8, u8, i16, u16, i32, u32, i64, u64, "
        + "bool) or 'neighborhood'"
    ),
    ("%y, %z = relu(%x) : f32[1,3,4,5]", "a.vir:2:12: relu has 1 results, not 2"),
    ("relu(%x)", "a.vir:2:3: found 'relu', expected a node, like %y = relu(%x) : f32[1], or '}'"),
    ("%y = relu(%x : f32[1]", "a.vir:2:16: found ':', expected ',' or ')'"),
    ("%y = fuse(%x) : f32[1]", "a.vir:2:12: found '(', expected the name of the fuse's kernel, in quotes"),
    ("%y = fuse \"k\" (%x) : f32[1,3,4,5]", "a.vir:3:1: found '}', expected 'graph' at the start of a graph"),
    (
      "%y = fuse \"k\" (%x) : f32[1,3,4,5] graph b(%a: f32[2]) -> (%a) {}",
      "a.vir:2:8: fuse: operand 0 (a) is f32[1,3,4,5], but must be f32[2], as the nested graph declares it"
    ),
    (
      "%y = neighborhood(%x) {kind = \"sgva\", step = 2} : f32[1]",
      "a.vir:2:25: there is no graph construction 'sgva'; is 'svga' meant?"
    ),
    ("%y = constant {name = 3} : f32[1]", "a.vir:2:17: attribute 'name' of constant must be a string"),
    ("%y = constant {values = [1.0, a]} : f32[1]", "a.vir:2:33: found 'a', expected a number"),
    (
      "%y = constant {values = [99999999999999999999]} : f32[1]",
      "a.vir:2:28: the integer 99999999999999999999 is too large"
    ),
    ("%y = relu(%x) : f32[1,3,4,5] layer \"a", "a.vir:2:38: the string that starts here has no end on its line"),
    (
      "%y = relu(%x) : f32[1,3,4,5] layer \"\\q\"",
      "a.vir:2:39: strings know the escapes \\n, \\t, \\r, \\0, \\\" and \\\\ only"
    ),
    (
      "%y = relu(%x) : f32[1] channels_last(0)",
      "a.vir:2:40: channels_last needs a positive multiple and a tensor with channels"
    ),
    (
      "%y = relu(%x) : neighborhood<offsets (1,0)..(4,0) by (2,0), 1x2x3>",
      "a.vir:2:40: steps of (2,0) do not lead from (1,0) to (4,0)"
    ),
    ("%y = relu(%x) ; f32[1]", "a.vir:2:17: the character ';' has no meaning here"),
    ("%y = relu(% x)", "a.vir:2:13: a '%' must be followed by the name of a value"),
    ("%y = relu(%x) : f32[1z]", "a.vir:2:23: '1z' is not a number"),
  ]) func aLine(_ line: String, _ expected: String) {
    #expect(Self.line(line).split(separator: "\n").prefix(2).joined(separator: "\n").hasPrefix(expected))
  }

  @Test func nearNamesAreSuggested() {
    let text = "graph g(%input: f32[1]) -> (%inptu) {}"
    #expect(
      Self.complaint(text)
        == "a.vir:1:29: %inptu is used but not defined before\n  values of a name like it: %input")
  }

  @Test func graphs() {
    #expect(Self.complaint("") == "a.vir:1:1: found the end of the text, expected 'graph' at the start of a graph")
    #expect(Self.complaint("graph g(%x: f32[1]) -> (%x) {").hasSuffix("or '}'"))
    #expect(
      Self.complaint("graph g(%x: f32[1]) -> (%x) {} graph")
        == "a.vir:1:32: found 'graph', expected the end of the text")
    #expect(
      Self.complaint("graph g {weight = \"a\"} (%x: f32[1]) -> (%x) {}")
        == "a.vir:1:9: graph needs the attribute 'weights', a string")
    #expect(Self.complaint("graph g(%x: f32[1], %x: f32[1]) -> (%x) {}") == "a.vir:1:21: %x is defined twice")
  }

  @Test func nestingIsLimited() {
    let deep = String(repeating: "graph g(%x: f32[1]) -> (%x) { %y = fuse \"k\" (%x) : f32[1] ", count: 40)
    #expect(Self.complaint(deep).contains("graphs are nested more than 32 deep"))
  }

  /// Whatever single change is made to a sound text, the parser answers with a graph or a located diagnostic.
  @Test func damagedTextNeverTraps() {
    let text = Array(GraphTextTests.sample)
    for position in stride(from: 0, to: text.count, by: 11) {
      for damage in ["", "%", "9", "-", "\"", "]", "99999999999999999", "x"] {
        var damaged = text
        damaged.replaceSubrange(position...position, with: Array(damage))
        do {
          _ = try GraphParser.parse(String(damaged))
        } catch let diagnostic as Diagnostic {
          #expect(diagnostic.location != nil, "\(diagnostic)")
        } catch {
          Issue.record("\(error)")
        }
      }
    }
  }
}
