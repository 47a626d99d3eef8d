import IR

/// Which of the dictionaries in a checkpoint holds the weights.
///
/// Either the checkpoint is a state dict, tensors by name, or it holds one under a name that training scripts give it,
/// beside the epoch, an optimiser's state and perhaps moving averages (EMA) of the weights.
enum StateDictionary {
  /// The names under which trained weights are found; earlier ones are preferred.
  static let trainedKeys = ["state_dict", "model", "model_state_dict", "net", "network", "module"]
  /// The names under which their moving averages are found.
  static let averagedKeys = [
    "state_dict_ema", "model_ema", "ema_state_dict", "model_ema_state_dict", "model_state_dict_ema", "ema_model", "ema",
  ]

  /// The tensors by their names, in the checkpoint's order.
  static func tensors(
    in pickle: Pickle, averaged: Bool, file: String
  ) throws -> [(name: String, tensor: Pickle.Tensor)] {
    guard let members = pickle.members(pickle.root) else {
      throw Diagnostic("\(file) holds \(kind(pickle.root, in: pickle)), not a state dict: tensors by name")
    }
    let copies = members.filter { averagedKeys.contains($0.key) && pickle.members($0.value) != nil }
    let start: Pickle.Value
    if averaged {
      guard let key = averagedKeys.first(where: { key in copies.contains { $0.key == key } }),
        let copy = copies.last(where: { $0.key == key })
      else {
        throw Diagnostic("\(file) holds no EMA copy of the weights: leave out --ema", notes: [keys(members)])
      }
      start = copy.value
    } else {
      start = pickle.root
    }
    if let found = search(start, in: pickle, depth: 0) { return found }
    let expected = trainedKeys.joined(separator: ", ")
    let hint = averaged || copies.isEmpty ? [] : ["it has an EMA copy of some: --ema reads that"]
    throw Diagnostic(
      "\(file) holds no state dict: neither tensors by name nor a dictionary of them under \(expected)",
      notes: [keys(pickle.members(start) ?? [])] + hint)
  }

  /// Looks under the known names first: other entries may hold a tensor too.
  private static func search(
    _ value: Pickle.Value, in pickle: Pickle, depth: Int
  ) -> [(name: String, tensor: Pickle.Tensor)]? {
    guard depth < 4, let members = pickle.members(value) else { return nil }
    for key in trainedKeys {
      guard let member = members.last(where: { $0.key == key }) else { continue }
      if let found = search(member.value, in: pickle, depth: depth + 1) { return found }
    }
    let tensors = members.compactMap { member -> (name: String, tensor: Pickle.Tensor)? in
      if case .tensor(let index) = member.value { (member.key, pickle.tensors[index]) } else { nil }
    }
    return tensors.isEmpty ? nil : tensors
  }

  private static func keys(_ members: [(key: String, value: Pickle.Value)]) -> String {
    let most = 12
    let listed = members.prefix(most).map { $0.key.shown }.joined(separator: ", ")
    if members.isEmpty { return "it has no keys that are text" }
    return "its keys: \(listed)" + (members.count > most ? " and \(members.count - most) more" : "")
  }

  private static func kind(_ value: Pickle.Value, in pickle: Pickle) -> String {
    switch value {
    case .none: "None"
    case .bool, .integer, .longInteger, .float: "a number"
    case .string: "text"
    case .global, .namespace, .passedOver: "an object"
    case .storage: "a storage"
    case .tensor: "a single tensor"
    case .container(let index):
      switch pickle.containers[index] {
      case .tuple: "a tuple"
      case .list: "a list"
      case .dictionary: "a dictionary"
      }
    }
  }

  /// Prefixes that wrappers around a model put before every name: `DataParallel`, `torch.compile`, averaging.
  private static let wrappers = ["module.", "_orig_mod.", "model.", "ema_model."]

  /// Tensors without the prefixes that wrappers gave to all of them, unless `names`, the model's own names, have these
  /// prefixes too.
  static func unwrapped(
    _ tensors: [String: StoredTensor], for names: some Sequence<String>
  ) -> [String: StoredTensor] {
    var result = tensors
    // The only thing that torch.optim.swa_utils.AveragedModel puts beside the model.
    if result["n_averaged"]?.shape == [] && result.count > 1 && !names.contains("n_averaged") {
      result["n_averaged"] = nil
    }
    while let prefix = wrappers.first(where: { prefix in
      !result.isEmpty && result.keys.allSatisfy { $0.hasPrefix(prefix) && $0.count > prefix.count }
        && !names.contains { $0.hasPrefix(prefix) }
    }) {
      result = Dictionary(uniqueKeysWithValues: result.map { (String($0.key.dropFirst(prefix.count)), $0.value) })
    }
    return result
  }
}
