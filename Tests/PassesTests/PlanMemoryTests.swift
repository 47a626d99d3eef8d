import Frontends
import IR
import Testing

@testable import Passes

/// The memory plan of whole models: as small as what lives at once, and nothing that lives at once shares a byte.
@Suite struct PlanMemoryTests {
  /// Sizes whose buffers the first orders tried do not fit into what is live at once.
  @Test(arguments: ["mobilevig_s", "mobilevig_m", "mobilevig_b"]) func plansAreTight(_ model: String) throws {
    let target = try Target.named("avx2")
    var manager = PassManager()
    let graph = try manager.run(Pipeline.passes(for: target), on: ModelLoader.load(model: model).graph)
    let program = try GraphLowering.lower(graph, for: CompilationTarget(target: target, workers: 1))
    let plan = PlanMemory.plan(program, workers: 1)
    #expect(Double(plan.scratchBase) <= 1.1 * Double(plan.peakLivenessBytes))
  }

  @Test func planOverlapsOnlyTheDead() throws {
    let target = try Target.named("avx2")
    let loaded = try ModelLoader.load(model: "mobilevig_ti", inputSize: (96, 64))
    var manager = PassManager()
    let optimized = try manager.run(Pipeline.passes(for: target), on: loaded.graph)
    let program = try GraphLowering.lower(optimized, for: CompilationTarget(target: target, workers: 2))
    let plan = PlanMemory.plan(program, workers: 2)
    #expect(Double(plan.scratchBase) <= 1.1 * Double(plan.peakLivenessBytes))
    var lives: [String: ClosedRange<Int>] = [:]
    for (step, statement) in program.entry.enumerated() {
      for name in statement.bufferNames { lives[name] = (lives[name]?.lowerBound ?? step)...step }
    }
    let buffers = program.buffers.filter { $0.storage == .arena }
    for a in buffers {
      for b in buffers where a.name < b.name {
        guard let x = lives[a.name], let y = lives[b.name], x.overlaps(y),
          let p = plan.offsets[a.name], let q = plan.offsets[b.name]
        else { continue }
        #expect(p + a.byteCount <= q || q + b.byteCount <= p, "\(a.name) and \(b.name) overlap")
      }
    }
  }
}
