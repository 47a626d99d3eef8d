import Testing

@testable import Frontends

@Suite struct StridedViewTests {
  private func problem(_ shape: [Int], _ strides: [Int], offset: Int = 0, of available: Int = 100) -> String {
    do {
      _ = try StridedView(offset: offset, shape: shape, strides: strides, available: available)
      Issue.record("expected a problem")
    } catch let problem as StridedView.Problem {
      return problem.text
    } catch {
      Issue.record("expected a problem, not \(error)")
    }
    return ""
  }

  /// Against the plain definition, over every small view.
  @Test func gathersWhatTheStridesSay() throws {
    let array = (0..<64).map { UInt8($0) }
    for shape in [[], [4], [2, 3], [3, 1, 2], [2, 2, 2], [0, 3]] {
      for step in 0..<216 {
        let strides = shape.indices.map { [0, 1, 2, 3, 4, 6][step / [1, 6, 36][$0] % 6] }
        let view = try StridedView(offset: 5, shape: shape, strides: strides, available: 64)
        var expected: [UInt8] = []
        for index in 0..<shape.reduce(1, *) {
          var rest = index
          var place = 5
          for axis in shape.indices.reversed() {
            place += rest % shape[axis] * strides[axis]
            rest /= shape[axis]
          }
          expected.append(UInt8(place))
        }
        let span = Array(array[view.offset..<view.offset + view.span])
        #expect(view.gathered(span, width: 1) == expected, "\(shape) by \(strides)")
      }
    }
  }

  @Test func refusesWhatLeavesTheStorage() throws {
    #expect(problem([101], [1]) == "reaches element 100 of a storage that holds 100")
    #expect(problem([2, 3], [50, 25]) == "reaches element 100 of a storage that holds 100")
    #expect(problem([1], [1], offset: 100) == "reaches element 100 of a storage that holds 100")
    #expect(problem([1], [1], offset: -1) == "starts at element -1 of its storage")
    #expect(problem([2], [-1], offset: 5) == "has a negative stride: [-1]")
    #expect(problem([-2], [1]) == "has a negative size: [-2]")
    #expect(problem([2, 2], [1]) == "has 2 sizes and 1 strides")
    #expect(problem([Int.max, Int.max], [0, 0]).hasPrefix("has more elements than can be counted"))
    #expect(problem([3], [Int.max]) == "reaches past its storage")
    #expect(problem([2], [Int.max], offset: 1) == "reaches past its storage")
    #expect(problem([1 << 40], [0]) == "makes 1099511627776 elements out of 1")
    // Axes of one element never step, and of none there is nothing to reach.
    #expect(try StridedView(offset: 99, shape: [1, 1], strides: [.max, .max], available: 100).span == 1)
    #expect(try StridedView(offset: 200, shape: [0, .max], strides: [.max, 1], available: 100).span == 0)
    let wide = 1 << 40
    #expect(try StridedView(offset: 0, shape: [0, wide, wide], strides: [1, wide, 1], available: 0).isContiguous)
  }
}
