import Testing

@testable import IR

@Suite struct HypergraphTests {
  /// Fuzzy c-means and the rule of memberships written out pixel by pixel.
  private func expected(_ x: Tensor<Double>, _ start: Tensor<Double>, hyperedges: Int) -> [[Double]] {
    let pixels = x.shape[2] * x.shape[3]
    func feature(_ node: Int, _ channel: Int) -> Double {
      x.real[(node / pixels * x.shape[1] + channel) * pixels + node % pixels]
    }
    var u = (0..<(x.shape[0] * pixels)).map { node -> [Double] in
      let row = (0..<hyperedges).map { start.real[node * hyperedges + $0] }
      return row.map { $0 / row.reduce(0, +) }
    }
    for round in 0..<15 {
      let before = u
      for image in 0..<x.shape[0] {
        let nodes = (image * pixels)..<((image + 1) * pixels)
        let centers = (0..<hyperedges).map { edge in
          (0..<x.shape[1]).map { channel in
            nodes.reduce(0) { $0 + before[$1][edge] * before[$1][edge] * feature($1, channel) }
              / nodes.reduce(0) { $0 + before[$1][edge] * before[$1][edge] }
          }
        }
        for node in nodes {
          let near = centers.map { center in
            1
              / max(
                1e-10,
                center.indices.reduce(0) {
                  $0 + (feature(node, $1) - center[$1]) * (feature(node, $1) - center[$1])
                })
          }
          u[node] = near.map { $0 / near.reduce(0, +) }
        }
      }
      let change = zip(u, before).reduce(0) { sum, rows in
        sum + zip(rows.0, rows.1).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      }
      if round > 0 && change.squareRoot() < 1e-3 { break }
    }
    return u
  }

  private func lists<T>(_ value: RuntimeValue<T>) -> (nodes: [[Int]], edges: [[Int]]) {
    guard case .neighborhood(.incidence(let nodes, let edges), _) = value else { return ([], []) }
    return (nodes, edges)
  }

  /// With at most ten hyperedges some membership is always above 0.1: the branch that no published model's golden takes.
  @Test(arguments: [(1, 4, 5, 3), (2, 3, 7, 4), (3, 5, 4, 2), (1, 2, 2, 7)])
  func strongMembershipsAboveTheThreshold(_ batch: Int, _ height: Int, _ width: Int, _ hyperedges: Int) throws {
    let x: Tensor<Double> = randomTensor([batch, 3, height, width])
    let start: Tensor<Double> = randomTensor([batch, height * width, hyperedges], in: 0...1, seed: 4)
    let op = BuildNeighborhood(construction: Hypergraph(hyperedges: hyperedges))
    let found = lists(try op.evaluate([.tensor(x), .tensor(start)])[0])
    let memberships = expected(x, start, hyperedges: hyperedges)
    #expect(memberships.allSatisfy { ($0.max() ?? 0) >= 0.1 })
    let nodes = memberships.map { row in row.indices.filter { row[$0] > 0.01 } }
    #expect(found.nodes == nodes)
    for (place, members) in found.edges.enumerated() {
      let (image, edge) = (place / hyperedges, place % hyperedges)
      #expect(members == (0..<(height * width)).filter { nodes[image * height * width + $0].contains(edge) })
    }
    // Not everybody is in everything, or the threshold would not be seen.
    if hyperedges == 7 { #expect(nodes.contains { $0.count < hyperedges }) }
  }

  @Test func oneWeakPixelOfTheBatchChangesTheRuleForAll() {
    let construction = Hypergraph(hyperedges: 12)
    func row(_ values: [Int: Double], rest: Double) -> [Double] { (0..<12).map { values[$0] ?? rest } }
    let clear = row([3: 0.6, 5: 0.3], rest: 0.01)
    let mixed = row([2: 0.45, 7: 0.45], rest: 0.01)
    let strong = construction.incidence(clear + mixed, batch: 2, pixels: 1)
    guard case .incidence(let strongNodes, let strongEdges) = strong else { return }
    #expect(strongNodes == [[3, 5], [2, 7]])
    #expect(strongEdges[3] == [0] && strongEdges[12 + 7] == [0] && strongEdges[0].isEmpty)

    let weak = row([4: 0.09, 9: 0.09], rest: 0.082)
    let value = construction.incidence(clear + mixed + weak, batch: 3, pixels: 1)
    guard case .incidence(let nodes, let edges) = value else { return }
    // Above 0.5; none above 0.5: the nearest, read without being a member; weak: the nearest alone, the first of equals.
    #expect(nodes == [[3], [2], [4]])
    #expect(edges.enumerated().filter { !$0.element.isEmpty }.map(\.offset) == [3, 24 + 4])
  }

  /// What a choice in another precision is judged by: how far a membership that differs is from what decides.
  @Test func violationIsTheDistanceFromWhatDecides() throws {
    let construction = Hypergraph(hyperedges: 4)
    let type = NeighborhoodType(.incidence(hyperedges: 4), batch: 2, height: 3, width: 5)
    let x: Tensor<Double> = randomTensor([2, 3, 3, 5])
    let start: Tensor<Double> = randomTensor([2, 15, 4], in: 0...1, seed: 4)
    let memberships = expected(x, start, hyperedges: 4).flatMap { $0 }
    let chosen = try construction.evaluate(x, data: [start])
    #expect(try construction.violation(of: chosen, x: x, data: [start]) == 0)
    for place in [0, 57, 119] {
      var links = type.links(of: chosen)
      links[place] = 1 - links[place]
      let violation = try construction.violation(of: type.value(links: links), x: x, data: [start])
      #expect(abs(violation - abs(memberships[place] - 0.01)) < 1e-12)
    }
    #expect(try construction.violation(of: .offsets([]), x: x, data: [start]) == .infinity)
  }

  @Test func violationWherePixelsAreWeak() throws {
    let construction = Hypergraph(hyperedges: 12)
    let type = NeighborhoodType(.incidence(hyperedges: 12), batch: 1, height: 4, width: 5)
    let x: Tensor<Double> = randomTensor([1, 40, 4, 5])
    let start: Tensor<Double> = randomTensor([1, 20, 12], in: 0...1, seed: 4)
    let memberships = expected(x, start, hyperedges: 12)
    let chosen = try construction.evaluate(x, data: [start])
    #expect(try construction.violation(of: chosen, x: x, data: [start]) == 0)
    let node = try #require(memberships.firstIndex { ($0.max() ?? 1) < 0.1 })
    let order = memberships[node].indices.sorted { memberships[node][$0] > memberships[node][$1] }
    var links = type.links(of: chosen)
    (links[node * 12 + order[0]], links[node * 12 + order[1]]) = (0, 1)
    let violation = try construction.violation(of: type.value(links: links), x: x, data: [start])
    #expect(abs(violation - (memberships[node][order[0]] - memberships[node][order[1]])) < 1e-12)
    // A weak pixel reads a hyperedge as its member; 0.5 and 0.01 are far from any membership of this one.
    links[node * 12 + order[1]] = 2
    #expect(try construction.violation(of: type.value(links: links), x: x, data: [start]) > 1e-3)
  }

  /// Lists of different lengths in a batch: what is missing reads the last element, and counts.
  @Test func missingPlacesReadTheLast() throws {
    let type = NeighborhoodType(.incidence(hyperedges: 2), batch: 2, height: 1, width: 3)
    let graph = RuntimeValue<Double>.neighborhood(
      .incidence(
        nodeEdges: [[0], [0, 1], [1], [0], [0], [1]], edgeNodes: [[0, 1], [1, 2], [0, 1, 2], []]), type)
    let x = Tensor<Double>(shape: [2, 1, 1, 3], real: [1, 2, 6, 3, 9, 12])
    let edges = try IncidenceMean(to: .hyperedges).evaluate([.tensor(x), graph])[0].tensor
    #expect(edges.shape == [2, 1, 2, 1])
    // The longest list of the batch has three.
    #expect(edges.real == [3, 14.0 / 3, 8, 12])
    let back = try IncidenceMean(to: .nodes).evaluate([.tensor(edges), graph])[0].tensor
    #expect(back.shape == [2, 1, 1, 3])
    let (a, b) = (3.0, 14.0 / 3)
    #expect(back.real == [(a + b) / 2, (a + b) / 2, (b + b) / 2, 10, 10, 12])
  }

  @Test func anEmptyHyperedgeIsTheLastPixel() throws {
    let type = NeighborhoodType(.incidence(hyperedges: 1), batch: 1, height: 2, width: 1)
    let graph = RuntimeValue<Double>.neighborhood(.incidence(nodeEdges: [[0], [0]], edgeNodes: [[]]), type)
    let x = Tensor<Double>(shape: [1, 1, 2, 1], real: [1, 5])
    #expect(try IncidenceMean(to: .hyperedges).evaluate([.tensor(x), graph])[0].tensor.real == [5])
  }

  @Test func typing() {
    func message(_ op: any Op, _ types: ValueType...) -> String {
      do {
        _ = try op.resultTypes(types)
        return ""
      } catch {
        return (error as? Diagnostic)?.message ?? "\(error)"
      }
    }
    func tensor(_ shape: Int...) -> ValueType { .tensor(TensorType(.f32, shape)) }
    let op = BuildNeighborhood(construction: Hypergraph(hyperedges: 5))
    #expect(message(op, tensor(2, 3, 4, 6), tensor(2, 24, 5)) == "")
    #expect(message(op, tensor(2, 3, 4, 6), tensor(1, 24, 5)).contains("must be f32[2,24,5]"))
    #expect(message(op, tensor(2, 3, 4, 6)).contains("takes 2 operands (x, memberships)"))
    let none = BuildNeighborhood(construction: Hypergraph(hyperedges: 0))
    #expect(message(none, tensor(2, 3, 4, 6), tensor(2, 24, 1)).contains("0 hyperedges"))
    let graph = ValueType.neighborhood(NeighborhoodType(.incidence(hyperedges: 5), batch: 2, height: 4, width: 6))
    let rolls = ValueType.neighborhood(NeighborhoodType(.offsets([]), batch: 2, height: 4, width: 6))
    let mean = IncidenceMean(to: .hyperedges)
    #expect(message(mean, tensor(2, 3, 4, 6), graph) == "")
    #expect(message(IncidenceMean(to: .nodes), tensor(2, 3, 5, 1), graph) == "")
    #expect(message(mean, tensor(2, 3, 6, 4), graph).contains("must be [2, channels, 4, 6], for operand 1"))
    #expect(message(IncidenceMean(to: .nodes), tensor(2, 3, 4, 6), graph).contains("must be [2, channels, 5, 1]"))
    #expect(message(mean, tensor(2, 3, 4, 6), rolls).contains("must be of hyperedges"))
  }

  @Test func textRoundTrips() throws {
    var graph = Graph(name: "hypergraph")
    let x = graph.addInput(TensorType(.f32, [1, 4, 6, 4]), name: "x")
    let start = graph.addInput(TensorType(.f32, [1, 24, 3]), name: "start")
    let edges = try graph.add(BuildNeighborhood(construction: Hypergraph(hyperedges: 3)), [x, start])[0]
    let gathered = try graph.add(IncidenceMean(to: .hyperedges), [x, edges])[0]
    graph.outputs = try graph.add(IncidenceMean(to: .nodes), [gathered, edges])
    let text = GraphPrinter.print(graph)
    #expect(try GraphPrinter.print(GraphParser.parse(text, file: "h.vir")) == text)
  }
}
