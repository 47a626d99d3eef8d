import CClang
import Foundation
import IR

// Parses emitted C with libclang, for its target, and checks what the library promises: no diagnostics, no calls outside
// a short list, no variable-length array, no recursion, no mutable object that outlives a call, nothing but the API visible.

/// Checks `source`, a C file in `directory`, whose public functions start with `prefix`. Returns what is wrong with it.
/// It is read as the target's compiler would read it, so the headers of another architecture's C library must be
/// installed here. Throws a `Diagnostic` if they are missing or libclang cannot parse at all.
public func checkC(
  _ source: String, in directory: String, target: Target, api: Set<String>, flags: [String] = [],
  host: HostMachine = .current
) throws -> [Diagnostic] {
  guard let index = clang_createIndex(0, 0) else { throw Diagnostic("libclang cannot be used") }
  defer { clang_disposeIndex(index) }
  // The compiler's own option names, less those that only choose how fast the code is.
  let arguments =
    try machineFlags(target, host) + ["-std=\(target.standard)", "-Wall", "-Wextra", "-Wpedantic", "-I\(directory)"]
    + target.compilerFlags.filter { $0.hasPrefix("-m") && !$0.hasPrefix("-mprefer") } + flags
  let pointers = arguments.map { strdup($0) }
  defer { for pointer in pointers { free(pointer) } }
  var unit: CXTranslationUnit?
  let status = pointers.map { UnsafePointer($0) }.withUnsafeBufferPointer { buffer in
    clang_parseTranslationUnit2(
      index, "\(directory)/\(source)", buffer.baseAddress, Int32(buffer.count), nil, 0,
      CXTranslationUnit_None.rawValue, &unit)
  }
  guard status == CXError_Success, let unit else { throw Diagnostic("libclang cannot parse \(source)") }
  defer { clang_disposeTranslationUnit(unit) }
  var check = CCheck(source: source, api: api, target: target)
  for number in 0..<clang_getNumDiagnostics(unit) {
    guard let diagnostic = clang_getDiagnostic(unit, number) else { continue }
    defer { clang_disposeDiagnostic(diagnostic) }
    let text = CCheck.string(clang_getDiagnosticSpelling(diagnostic))
    check.found.append(Diagnostic(text, at: check.place(clang_getDiagnosticLocation(diagnostic))))
  }
  withUnsafeMutablePointer(to: &check) { pointer in
    _ = clang_visitChildren(
      clang_getTranslationUnitCursor(unit),
      { cursor, parent, data in
        guard let check = data?.assumingMemoryBound(to: CCheck.self) else { return CXChildVisit_Break }
        return check.pointee.visit(cursor, parent)
      }, pointer)
  }
  check.findRecursion()
  return check.found
}

/// What makes libclang read C as a compiler of the target's architecture does.
private func machineFlags(_ target: Target, _ host: HostMachine) throws -> [String] {
  guard let architecture = target.architecture, !host.isOne(of: architecture) else { return [] }
  let flags = ["-target", architecture.triple]
  guard let compiler = architecture.crossCompiler else { return flags }
  guard FileManager.default.fileExists(atPath: compiler.headers) else {
    throw Diagnostic(
      "the C for \(target.name) cannot be checked: there are no C headers in \(compiler.headers)",
      notes: ["install \(compiler.packages.joined(separator: " "))"])
  }
  return flags + ["-isystem", compiler.headers]
}

extension EmittedLibrary {
  /// `checkC` on every C source of the library, which `write(to: directory)` wrote.
  public func checkC(in directory: String) throws -> [Diagnostic] {
    let api = Set(["init", "run", "check_weights", "strerror"].map { "\(options.prefix)_\($0)" })
    return try Codegen.checkC("\(options.name).c", in: directory, target: target, api: api)
  }
}

/// What one walk over a translation unit collects.
private struct CCheck {
  /// Functions that may be called besides the target's intrinsics and compiler builtins.
  static let allowed: Set<String> = [
    "memcpy", "memcmp", "memset", "fabs", "fabsf", "sqrt", "sqrtf", "floor", "floorf", "ceil", "ceilf", "rint", "rintf",
    "fma", "fmaf",
  ]

  let source: String
  let api: Set<String>
  let target: Target
  var found: [Diagnostic] = []
  private var current: String?
  private var defined: Set<String> = []
  private var calls: [String: Set<String>] = [:]

  init(source: String, api: Set<String>, target: Target) {
    self.target = target
    self.source = source
    self.api = api
  }

  static func string(_ text: CXString) -> String {
    defer { clang_disposeString(text) }
    return clang_getCString(text).map { String(cString: $0) } ?? ""
  }

  func place(_ location: CXSourceLocation) -> Diagnostic.Location {
    var line: UInt32 = 0
    var column: UInt32 = 0
    clang_getSpellingLocation(location, nil, &line, &column, nil)
    return Diagnostic.Location(file: source, line: Int(line), column: Int(column))
  }

  private mutating func report(_ message: String, _ cursor: CXCursor) {
    found.append(Diagnostic(message, at: place(clang_getCursorLocation(cursor))))
  }

  mutating func visit(_ cursor: CXCursor, _ parent: CXCursor) -> CXChildVisitResult {
    if clang_Location_isFromMainFile(clang_getCursorLocation(cursor)) == 0 { return CXChildVisit_Continue }
    let name = CCheck.string(clang_getCursorSpelling(cursor))
    switch clang_getCursorKind(cursor) {
    case CXCursor_FunctionDecl:
      current = name
      if clang_isCursorDefinition(cursor) != 0 {
        defined.insert(name)
        if clang_Cursor_getStorageClass(cursor) != CX_SC_Static && !api.contains(name) {
          report("\(name) is visible outside and is not part of the API", cursor)
        }
      }
    case CXCursor_VarDecl: checkVariable(cursor, name)
    case CXCursor_CallExpr:
      let callee = clang_getCursorReferenced(cursor)
      // A call through a pointer refers to a variable, a parameter or a member.
      if clang_getCursorKind(callee) == CXCursor_FunctionDecl { checkCall(name, callee, cursor) }
    default: break
    }
    return CXChildVisit_Recurse
  }

  private mutating func checkVariable(_ cursor: CXCursor, _ name: String) {
    let type = clang_getCanonicalType(clang_getCursorType(cursor))
    if type.kind == CXType_VariableArray { report("\(name) is a variable-length array", cursor) }
    let storage = clang_Cursor_getStorageClass(cursor)
    let isGlobal = clang_getCursorKind(clang_getCursorSemanticParent(cursor)) == CXCursor_TranslationUnit
    guard isGlobal || storage == CX_SC_Static || storage == CX_SC_Extern else { return }
    var element = type
    while element.kind == CXType_ConstantArray { element = clang_getArrayElementType(element) }
    if clang_isConstQualifiedType(element) == 0 && clang_isConstQualifiedType(type) == 0 {
      report("\(name) outlives a call and can change", cursor)
    }
  }

  private mutating func checkCall(_ name: String, _ callee: CXCursor, _ cursor: CXCursor) {
    if let current { calls[current, default: []].insert(name) }
    if CCheck.allowed.contains(name) || name.hasPrefix("__builtin_") || target.headers.allows(call: name) { return }
    if target.cpuQuestion?.functions.contains(name) == true { return }
    let isOurs = clang_Location_isFromMainFile(clang_getCursorLocation(callee)) != 0 || api.contains(name)
    if !isOurs { report("\(name) is called, which the library promises not to need", cursor) }
  }

  /// Reports every function that can call itself, directly or through others.
  mutating func findRecursion() {
    for function in defined.sorted() {
      var reached: Set<String> = []
      var open = Array(calls[function] ?? [])
      while let next = open.popLast() {
        if reached.insert(next).inserted { open += calls[next] ?? [] }
      }
      if reached.contains(function) { found.append(Diagnostic("\(function) can call itself")) }
    }
  }
}
