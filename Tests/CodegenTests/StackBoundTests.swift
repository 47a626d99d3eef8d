import Foundation
import Testing

@testable import Codegen

/// The stack bound is the frame of a function and of the deepest path below it.
@Suite struct StackBoundTests {
  private static let text = """
    graph: { title: "m.c"
    node: { title: "m_run" label: "m_run\\nm.c:9:5\\n48 bytes (static)\\n0 dynamic objects" }
    node: { title: "m.c:m_layer_0" label: "m_layer_0\\nm.c:3:5\\n100 bytes (static)\\n0 dynamic objects" }
    node: { title: "m.c:m_layer_1" label: "m_layer_1\\nm.c:4:5\\n16 bytes (static)\\n0 dynamic objects" }
    node: { title: "m.c:kernel" label: "kernel\\nm.c:2:5\\n1000 bytes (static)\\n0 dynamic objects" }
    node: { title: "m.c:m_task_0" label: "m_task_0\\nm.c:5:5\\n200 bytes (static)\\n0 dynamic objects" }
    node: { title: "m.c:m_task_1" label: "m_task_1\\nm.c:6:5\\n3000 bytes (static)\\n0 dynamic objects" }
    node: { title: "m.c:m_for" label: "m_for\\nm.c:7:5\\n32 bytes (static)\\n0 dynamic objects" }
    node: { title: "__indirect_call" label: "Indirect Call Placeholder" shape : ellipse }
    node: { title: "memcpy" label: "memcpy\\n<built-in>" shape : ellipse }
    edge: { sourcename: "m_run" targetname: "m.c:m_layer_0" label: "m.c:10:3" }
    edge: { sourcename: "m_run" targetname: "m.c:m_layer_1" label: "m.c:11:3" }
    edge: { sourcename: "m.c:m_layer_0" targetname: "m.c:kernel" label: "m.c:12:3" }
    edge: { sourcename: "m.c:m_layer_1" targetname: "memcpy" label: "m.c:12:3" }
    \u{1}
    edge: { sourcename: "m.c:m_for" targetname: "__indirect_call" label: "m.c:14:3" }
    edge: { sourcename: "m.c:m_task_0" targetname: "m.c:kernel" label: "m.c:15:3" }
    }
    """

  private func bound(_ more: String = "", from function: String = "m_run") -> Int? {
    CallGraph(Self.text.replacing("\u{1}", with: more)).bytes(from: function, tasks: "m_task_")
  }

  @Test func calleesCountAlongTheDeepestPath() {
    #expect(bound() == 48 + 100 + 1000)
    #expect(bound(from: "kernel") == 1000)
    #expect(bound(from: "m_layer_1") == 16)
    #expect(bound(from: "absent") == nil)
  }

  /// A pool calls tasks through a pointer; which, the compiler does not say.
  @Test func indirectCallsMayReachEveryTask() {
    let call = "edge: { sourcename: \"m.c:m_layer_1\" targetname: \"m.c:m_for\" label: \"m.c:13:3\" }"
    #expect(bound(call) == 48 + 16 + 32 + 3000)
  }

  /// What a real compiler writes: a kernel with a large frame below a layer below `run`.
  @Test func largeFramesOfKernelsAreFound() async throws {
    let library = try library(LibraryTests.sample(), .scalar)
    try await withTemporaryDirectory { directory in
      try library.write(to: directory)
      let toolchain = Toolchain(cc: "gcc")
      let before = try #require(try await toolchain.stackBytes(library, in: directory))
      let path = "\(directory)/sample.c"
      let source = try String(contentsOfFile: path, encoding: .utf8)
      let head = "void plus(const float *a, float *b)\n{\n"
      #expect(source.contains(head))
      let large = "  volatile char large[20000];\n  large[0] = 0;\n  large[19999] = large[0];\n"
      try source.replacing(head, with: head + large).write(toFile: path, atomically: true, encoding: .utf8)
      let after = try #require(try await toolchain.stackBytes(library, in: directory))
      #expect(after >= before + 19000 && after < before + 21000)
    }
  }
}
