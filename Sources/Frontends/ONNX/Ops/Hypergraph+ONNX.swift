import IR

/// Fuzzy c-means as a `Loop` that stops early, as the definition does, then which pixels are members of which
/// hyperedges.
extension Hypergraph: ONNXConstruction {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> ONNXValue {
    let shape = call.type(0).shape
    let rounds = Rounds(batch: shape[0], pixels: shape[2] * shape[3], hyperedges: hyperedges, element: call.element)
    let flat = builder.reshape(call.tensor(0), [shape[0], shape[1], rounds.pixels])
    let features = builder.transpose(flat, [0, 2, 1])
    let squares = builder.fold("ReduceSumSquare", features, axes: [2])
    let first = rounds.dividedBySums(&builder, call.tensor(1))
    let body = rounds.body(&builder, features: features, squares: squares)
    let most = builder.constant(
      TensorData(encoding: Tensor<Double>(.i64, shape: [], [Double(Self.mostRounds)])), name: "rounds")
    let goesOn = builder.constant(TensorData(encoding: Tensor<Double>(.bool, shape: [], [1])), name: "true")
    let memberships = builder.add("Loop", [most, goesOn, first], [.graph("body", body)])
    return incidence(&builder, memberships, element: call.element)
  }

  /// The rules of membership, on memberships [N, pixels, hyperedges].
  private func incidence(_ builder: inout ONNXBuilder, _ memberships: String, element: ElementType) -> ONNXValue {
    func scalar(_ value: Double) -> String { builder.scalar(value, element) }
    func asNumber(_ condition: String) -> String {
      builder.add("Cast", [condition], [.integer("to", element.onnx.rawValue)])
    }
    let largest = builder.fold("ReduceMax", memberships, axes: [2])
    let isWeak = builder.add("Less", [largest, scalar(Self.weakMembership)])
    let anyIsWeak = builder.add(
      "Greater", [builder.fold("ReduceMax", asNumber(isWeak), axes: [0, 1, 2]), scalar(0)])
    let threshold = builder.add(
      "Where", [anyIsWeak, scalar(Self.membershipBesideWeak), scalar(Self.membershipOfMembers)])
    let isAbove = builder.add("Greater", [memberships, threshold])
    // Of equal elements the first.
    let nearest = builder.add(
      "ArgMax", [memberships], [.integer("axis", 2), .integer("keepdims", 1), .integer("select_last_index", 0)])
    let isNearest = builder.add("Equal", [builder.integers(Array(0..<hyperedges)), nearest])
    let ofWeak = builder.add("And", [isWeak, isNearest])
    let ofOthers = builder.add("And", [builder.add("Not", [isWeak]), isAbove])
    let members = asNumber(builder.add("Or", [ofWeak, ofOthers]))
    let isMember = builder.add("Greater", [builder.fold("ReduceMax", members, axes: [2]), scalar(0)])
    let reads = builder.add("Where", [isMember, members, asNumber(isNearest)])
    return .incidence(members: members, reads: reads)
  }

  /// The rounds of fuzzy c-means on memberships [batch, pixels, hyperedges].
  private struct Rounds {
    var batch: Int
    var pixels: Int
    var hyperedges: Int
    var element: ElementType

    func dividedBySums(_ builder: inout ONNXBuilder, _ memberships: String) -> String {
      builder.add("Div", [memberships, builder.sum(memberships, axes: [2])])
    }

    /// One round: it takes the round's number, whether it runs, and the memberships; it gives whether another runs, and
    /// the memberships. Features are [batch, pixels, channels], their squares' sums [batch, pixels, 1].
    func body(_ builder: inout ONNXBuilder, features: String, squares: String) -> Onnx_GraphProto {
      let memberships = TensorType(element, [batch, pixels, hyperedges])
      let condition = TensorType(.bool, [])
      return builder.nested(
        "fuzzy_c_means",
        inputs: [("round", TensorType(.i64, [])), ("running", condition), ("memberships", memberships)],
        outputs: [condition, memberships]
      ) { builder, inputs in
        let updated = updated(&builder, inputs[2], features: features, squares: squares)
        let difference = builder.add("Sub", [updated, inputs[2]])
        let change = builder.add("ReduceL2", [difference], [.integer("keepdims", 0)])
        let isSettled = builder.add("Less", [change, builder.scalar(Hypergraph.leastChange, element)])
        let isLater = builder.add("Greater", [inputs[0], builder.scalar(0, .i64)])
        return [builder.add("Not", [builder.add("And", [isLater, isSettled])]), updated]
      }
    }

    private func updated(
      _ builder: inout ONNXBuilder, _ memberships: String, features: String, squares: String
    ) -> String {
      let weights = builder.transpose(builder.add("Mul", [memberships, memberships]), [0, 2, 1])
      let sums = builder.sum(weights, axes: [2])
      let centers = builder.add("Div", [builder.add("MatMul", [weights, features]), sums])
      let centerSquares = builder.transpose(builder.fold("ReduceSumSquare", centers, axes: [2]), [0, 2, 1])
      let products = builder.add("MatMul", [features, builder.transpose(centers, [0, 2, 1])])
      let doubled = builder.add("Mul", [products, builder.scalar(2, element)])
      let distances = builder.add("Sub", [builder.add("Add", [squares, centerSquares]), doubled])
      let clamped = builder.add("Max", [distances, builder.scalar(Hypergraph.leastDistance, element)])
      let shares = dividedBySums(&builder, builder.add("Reciprocal", [clamped]))
      // If sums overflow or features are NaN, hyperedges cannot be compared.
      let even = builder.scalar(1 / Double(hyperedges), element)
      return builder.add("Where", [builder.add("IsNaN", [shares]), even, shares])
    }
  }
}

/// A mean over a padded list is the sum over its mask, and the last element for as often as the longest list is longer.
extension IncidenceMean: ONNXOp {
  func export(_ builder: inout ONNXBuilder, _ call: ONNXCall) throws -> [ONNXValue] {
    guard case .incidence(let members, let reads) = call.operands[1] else {
      preconditionFailure("typing wants a hypergraph")
    }
    let type = call.type(0)
    let places = type.shape[2] * type.shape[3]
    // The mask is [N, places, lists].
    let mask =
      switch target {
      case .hyperedges: members
      case .nodes: builder.transpose(reads, [0, 2, 1])
      }
    let flat = builder.reshape(call.tensor(0), [type.shape[0], type.shape[1], places])
    let sums = builder.add("MatMul", [flat, mask])
    let lengths = builder.sum(mask, axes: [1])
    let longest = builder.add(
      "Max", [builder.fold("ReduceMax", lengths, axes: [0, 1, 2]), builder.scalar(1, type.element)])
    let missing = builder.add("Sub", [longest, lengths])
    let last = builder.slice(flat, axis: 2, from: places - 1, to: places)
    let padded = builder.add("Add", [sums, builder.add("Mul", [last, missing])])
    return [.tensor(builder.reshape(builder.add("Div", [padded, longest]), call.result.shape))]
  }
}
