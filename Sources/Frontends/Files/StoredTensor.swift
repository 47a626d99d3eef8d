import IR

/// A tensor in a file: its type and shape, and how to read it once it is known to be wanted.
///
/// A file may claim any shape. Memory is spent only on what a model asks for in the same shape.
struct StoredTensor: Sendable {
  let element: ElementType
  let shape: [Int]
  private let contents: @Sendable () throws -> TensorData

  init(element: ElementType, shape: [Int], contents: @escaping @Sendable () throws -> TensorData) {
    self.element = element
    self.shape = shape
    self.contents = contents
  }

  /// One that has been read.
  init(_ data: TensorData) {
    self.init(element: data.element, shape: data.shape) { data }
  }

  var type: TensorType { TensorType(element, shape) }

  /// Whether it converts to float32.
  var isFloatingPoint: Bool {
    switch element {
    case .f16, .bf16, .f32, .f64: true
    case .i8, .u8, .i16, .u16, .i32, .u32, .i64, .u64, .bool: false
    }
  }

  func read() throws -> TensorData { try contents() }

  /// As float32; nil for integers.
  func readFloat32() throws -> TensorData? {
    isFloatingPoint ? try read().convertedToFloat32() : nil
  }
}

/// Which elements of a flat array make up a tensor, by strides: all of them in order, or a transposed or sliced view.
struct StridedView: Hashable, Sendable {
  let offset: Int
  let shape: [Int]
  /// Zero along axes of one element, which never step.
  let strides: [Int]
  let count: Int
  /// Elements from the first to the last, both included.
  let span: Int

  /// What is wrong with a view, for a message about the tensor.
  struct Problem: Error {
    var text: String
    init(_ text: String) { self.text = text }
  }

  private static let deepest = 64
  /// A tensor of at most this many elements may always repeat fewer stored ones (strides of zero).
  private static let repeated = 1 << 24

  /// - Throws: A `Problem` if it leaves an array of `available` elements, or would walk it backwards.
  init(offset: Int, shape: [Int], strides: [Int], available: Int) throws {
    guard shape.count == strides.count, shape.count <= Self.deepest else {
      throw Problem("has \(shape.count) sizes and \(strides.count) strides")
    }
    guard shape.allSatisfy({ $0 >= 0 }) else { throw Problem("has a negative size: \(shape)") }
    guard strides.allSatisfy({ $0 >= 0 }) else { throw Problem("has a negative stride: \(strides)") }
    guard offset >= 0 else { throw Problem("starts at element \(offset) of its storage") }
    guard let count = checkedProduct(shape) else { throw Problem("has more elements than can be counted: \(shape)") }
    self.offset = offset
    self.shape = shape
    self.count = count
    self.strides = zip(shape, strides).map { $0 > 1 ? $1 : 0 }
    guard count > 0 else {
      span = 0
      return
    }
    var last = offset
    for (size, stride) in zip(shape, self.strides) {
      let (step, tooFar) = (size - 1).multipliedReportingOverflow(by: stride)
      let (next, overflow) = last.addingReportingOverflow(step)
      guard !tooFar, !overflow else { throw Problem("reaches past its storage") }
      last = next
    }
    guard last < available else {
      throw Problem("reaches element \(last) of a storage that holds \(available)")
    }
    span = last - offset + 1
    guard count <= Self.repeated || count / 16 <= span else {
      throw Problem("makes \(count) elements out of \(span)")
    }
  }

  /// A whole array, the first axis the fastest.
  ///
  /// - Precondition: The number of elements can be counted.
  static func columnMajor(_ shape: [Int]) throws -> StridedView {
    let strides = shape.indices.map { shape[..<$0].reduce(1, *) }
    return try StridedView(offset: 0, shape: shape, strides: strides, available: shape.reduce(1, *))
  }

  /// Whether its elements lie one after another in row-major order.
  var isContiguous: Bool {
    if count == 0 { return true }
    var expected = 1
    for (size, stride) in zip(shape, strides).reversed() where size > 1 {
      if stride != expected { return false }
      expected *= size
    }
    return true
  }

  /// The elements in row-major order, of `width` bytes each, taken from the bytes of the span.
  func gathered(_ bytes: [UInt8], width: Int) -> [UInt8] {
    precondition(bytes.count == span * width, "the bytes of the span")
    if isContiguous { return bytes }
    var result: [UInt8] = []
    result.reserveCapacity(count * width)
    var index = [Int](repeating: 0, count: shape.count)
    var place = 0
    for _ in 0..<count {
      result += bytes[place * width..<(place + 1) * width]
      for axis in shape.indices.reversed() {
        index[axis] += 1
        place += strides[axis]
        if index[axis] < shape[axis] { break }
        place -= shape[axis] * strides[axis]
        index[axis] = 0
      }
    }
    return result
  }
}
