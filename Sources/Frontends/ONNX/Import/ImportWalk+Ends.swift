import IR

// What a model begins with and what it gives.

extension ImportWalk {
  /// The weights that a graph holds, by their names.
  mutating func initializers(of graph: Onnx_GraphProto, prefix: String = "") throws -> [String: ImportedValue] {
    if !graph.sparseInitializer.isEmpty {
      throw problem("it has sparse weights, which are not read; store them as dense tensors")
    }
    var values: [String: ImportedValue] = [:]
    var empty: [String] = []
    for proto in graph.initializer {
      if values[proto.name] != nil {
        problems.append(problem("two initializers are called '\(proto.name)'"))
        continue
      }
      do {
        try builder.requireRoom()
        values[proto.name] = builder.known(try tensors.read(proto), name: prefix + proto.name, isInitializer: true)
      } catch is ImportedTensors.Empty {
        empty.append(proto.name)
      } catch let diagnostic as Diagnostic {
        problems.append(problem("the initializer '\(proto.name)': \(diagnostic.message)", notes: diagnostic.notes))
      }
    }
    if !empty.isEmpty {
      let more = empty.count > 3 ? " and \(empty.count - 3) more" : ""
      throw problem(
        "\(empty.count) of \(graph.initializer.count) initializers have a shape and no contents: "
          + empty.prefix(3).joined(separator: ", ") + more,
        notes: ["the model was saved without its weights; export it again with them"])
    }
    try DiagnosticList(problems).throwIfAny()
    return values
  }

  // Long because each input goes through all checks in turn, and one that fails must not keep the others from being checked.
  mutating func readInputs(
    _ dimensions: [String: Int], _ bindings: [String: InputSource], into scope: inout Scope
  ) throws {
    var used: Set<String> = []
    var names: [String] = []
    var bound: Set<String> = []
    for input in model.graph.input where scope.values[input.name]?.known?.isInitializer != true {
      guard case .tensorType(let tensor)? = input.type.value else {
        problems.append(problem("the input '\(input.name)' is not a tensor"))
        continue
      }
      guard tensor.hasShape else {
        problems.append(problem("the input '\(input.name)' has no shape; export the model with one"))
        continue
      }
      guard let element = ElementType(onnx: tensor.elemType) else {
        problems.append(
          problem("the input '\(input.name)' has elements of type \(tensor.elemType), which the graph has none for"))
        continue
      }
      var shape: [Int] = []
      for (axis, dimension) in tensor.shape.dim.enumerated() {
        if case .dimValue(let extent)? = dimension.value {
          shape.append(Int(extent))
          continue
        }
        // A dimension without a name goes by its place.
        let name = dimension.dimParam.isEmpty ? "\(input.name).\(axis)" : dimension.dimParam
        names.append(name)
        used.insert(name)
        if let extent = dimensions[name] {
          shape.append(extent)
        } else {
          problems.append(
            problem(
              "dimension \(axis) of the input '\(input.name)' is '\(name)', which has no size",
              notes: ["give it one: --dim \(name)=\(axis == 0 ? "1" : "224")"]))
          shape.append(1)
        }
      }
      let most = ImportBuilder.mostElements
      var count = 1
      for extent in shape { count = extent > 0 && extent <= most / count ? count * extent : most + 1 }
      // What is empty has nothing to compute with, and is known.
      let isEmpty = shape.contains(0) && bindings[input.name] != nil
      if (count > most || shape.contains(where: { $0 < 1 }))
        && !(isEmpty && shape.allSatisfy { (0...most).contains($0) })
      {
        let limits = "extents are at least 1, elements at most \(most)"
        problems.append(problem("the input '\(input.name)' has the shape \(shape); \(limits)"))
        continue
      }
      if scope.values[input.name] != nil {
        problems.append(problem("two inputs are called '\(input.name)'"))
        continue
      }
      if let source = bindings[input.name] {
        bound.insert(input.name)
        do {
          let contents = try source.load(TensorType(element, shape), name: input.name)
          scope.values[input.name] = builder.known(contents, name: input.name)
        } catch let diagnostic as Diagnostic {
          problems.append(problem("the input '\(input.name)': \(diagnostic.message)", notes: diagnostic.notes))
        }
        continue
      }
      scope.values[input.name] = .computed(builder.graph.addInput(TensorType(element, shape), name: input.name))
    }
    for name in dimensions.keys.sorted() where !used.contains(name) {
      let known = Set(names).sorted().joined(separator: ", ")
      problems.append(
        problem("it has no dimension '\(name)'; " + (known.isEmpty ? "all are fixed" : "there is \(known)")))
    }
    for name in bindings.keys.sorted() where !bound.contains(name) && problems.isEmpty {
      let known = model.graph.input.map(\.name).filter { scope.values[$0]?.known?.isInitializer != true }
      problems.append(
        problem(
          "it has no input '\(name)' to bind; "
            + (known.isEmpty ? "it has none" : "there is \(known.joined(separator: ", "))")))
    }
    try DiagnosticList(problems).throwIfAny()
  }

  mutating func readOutputs(_ scope: Scope) throws {
    if model.graph.output.isEmpty { problems.append(problem("it has no output")) }
    var seen: Set<String> = []
    for output in model.graph.output {
      if !seen.insert(output.name).inserted {
        problems.append(problem("two outputs are called '\(output.name)'"))
        continue
      }
      switch scope.values[output.name] {
      case .computed(let id)? where !builder.graph.inputs.contains(id) && !builder.graph.outputs.contains(id):
        builder.addOutput(id, as: output.name)
      case .computed(let id)?:
        // An input, or what is an output already, under a further name.
        let type = builder.graph.tensorType(of: id)
        let copy = try builder.graph.add(Reshape(shape: type.shape), [id], name: output.name)[0]
        builder.addOutput(copy, as: output.name)
      case .known(let tensor)?:
        // Nothing that depends on an input: contents, which are copied.
        let value = try builder.graphValue(.known(tensor))
        let shape = tensor.data.shape
        let copy = try builder.graph.add(Reshape(shape: shape), [value], name: output.name)[0]
        builder.addOutput(copy, as: output.name)
      case .sequence?:
        problems.append(
          problem(
            "the output '\(output.name)' is a sequence of tensors; export a model that returns them one by one, or "
              + "joined"))
      case .refused?:
        problems.append(
          problem("the output '\(output.name)' depends on a further output of a node, which is not computed"))
      case nil: problems.append(problem("the output '\(output.name)' is computed nowhere"))
      }
    }
  }
}
