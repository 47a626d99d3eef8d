import Codegen
import Foundation
import Frontends
import IR
import Passes

let args = CommandLine.arguments
let modelName = args[1]
let target = try Target.named(args[2])
let workers = args.count > 3 ? Int(args[3])! : 1
let size = args.count > 4 ? Int(args[4]) : nil
let start = Date()
func lap(_ s: String) { print(String(format: "%7.3f %@", Date().timeIntervalSince(start), s)) }
let loaded = try ModelLoader.load(model: modelName, inputSize: size.map { ($0, $0 + 32) })
lap("loaded")
var manager = PassManager()
let optimized = try manager.run(Pipeline.passes(for: target), on: loaded.graph)
for r in manager.reports { print(r) }
lap("optimized")
try GraphPrinter.print(optimized).write(toFile: "/tmp/opt.vir", atomically: true, encoding: .utf8)
let program = try GraphLowering.lower(optimized, for: CompilationTarget(target: target, workers: workers))
lap("lowered \(program.functions.count) functions")
try program.text.write(toFile: "/tmp/opt.vil", atomically: true, encoding: .utf8)
do { try program.verify(target: target) } catch { print("VERIFY:", String("\(error)".prefix(3000))) }
lap("verified")
let plan = PlanMemory.plan(program, workers: workers)
print("arena", plan.arenaBytes, "peak", plan.peakLivenessBytes, "scratch", plan.scratchBytes)
let input = SyntheticWeights().uniform("input", count: loaded.graph.tensorType(of: loaded.graph.inputs[0]).count)
let shape = loaded.graph.tensorType(of: loaded.graph.inputs[0]).shape
let reference = try GraphInterpreter<Double>().run(loaded.graph, inputs: [Tensor(shape: shape, real: input.map(Double.init))])[0].real
lap("graph interpreter")
let opt = try GraphInterpreter<Double>().run(optimized, inputs: [Tensor(shape: shape, real: input.map(Double.init))])[0].real
func err(_ a: [Double]) -> Double { sqrt(zip(a, reference).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / reference.reduce(0) { $0 + $1 * $1 }) }
print("optimized graph error", err(opt))
if !args.contains("nointerp") {
let interpreter = try LoopInterpreter(program: program, target: target)
lap("compiled")
let result = try interpreter.run(floats: ["input": input])["output"]!
lap("loop interpreter")
print("loop error", err(result.map(Double.init)))
}
let library = try emitLibrary(program, plan: plan, target: target, options: LibraryOptions(name: modelName, inputShapes: [shape], outputShapes: [[1, 1000]], weightsDescription: "synthetic"))
lap("emitted")
try library.write(to: "/tmp/out")
lap("written")
