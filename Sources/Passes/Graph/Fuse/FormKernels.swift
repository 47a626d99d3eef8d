import IR

/// Offers each node to the kernels that run ops other than products (`Kernels`): graph constructions with the aggregation
/// over them, means through hypergraphs, pools. A kernel takes in the nodes it can run together.
///
///     %n = neighborhood(%x) {kind = "svga", step = 2}
///     %a = aggregate(%x, %n) {kind = "max_relative"}        =>
///
///     %a = fuse "max_relative" (%x) {lowering = "windowed", ...} { the two }
///
/// A graph of indices stays a value, made by a kernel of its own and read by another:
///
///     %n = fuse "nearest" (%x) {lowering = "streamed_top_k", ...} { %n = neighborhood(%x) {kind = "knn", k = 9} }
///     %a = fuse "indexed_max_relative" (%x, %n) { %a = aggregate(%x, %n) {kind = "max_relative"} }
///
/// If a kernel has several lowerings, the one that it estimates to be the cheapest is chosen, unless the user asked for
/// another. The schedule says what was chosen, why, and over what.
public struct FormKernels: Pass {
  public static let name = "form-kernels"
  public static let summary =
    "makes kernels of graph constructions, aggregations and pools, and chooses their lowering by cost"

  public var requests: LoweringRequests

  public init(requests: LoweringRequests = LoweringRequests()) { self.requests = requests }

  public func run(_ graph: Graph) throws -> Graph {
    var forming = KernelForming(.operations, requests: requests)
    return try forming.run(graph)
  }
}
