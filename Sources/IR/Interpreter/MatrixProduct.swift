import CBLAS
import RealModule

/// Row-major matrix products for the interpreter, by OpenBLAS on one thread: the same bits on every run.
enum MatrixProduct {
  private static let useOneThread: Void = openblas_set_num_threads(1)

  /// c = a * b: `a` is [rows, depth], `b` is [depth, columns], `c` is [rows, columns].
  static func multiply<T: Real & BinaryFloatingPoint & Sendable>(
    _ a: UnsafePointer<T>, _ b: UnsafePointer<T>, into c: UnsafeMutablePointer<T>, rows: Int, depth: Int, columns: Int
  ) {
    _ = useOneThread
    guard let m = Int32(exactly: rows), let k = Int32(exactly: depth), let n = Int32(exactly: columns) else {
      preconditionFailure("a matrix of more than 2^31 rows or columns")
    }
    if T.self == Float.self {
      cblas_sgemm(
        CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1,
        UnsafeRawPointer(a).assumingMemoryBound(to: Float.self), k,
        UnsafeRawPointer(b).assumingMemoryBound(to: Float.self), n, 0,
        UnsafeMutableRawPointer(c).assumingMemoryBound(to: Float.self), n)
    } else if T.self == Double.self {
      cblas_dgemm(
        CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1,
        UnsafeRawPointer(a).assumingMemoryBound(to: Double.self), k,
        UnsafeRawPointer(b).assumingMemoryBound(to: Double.self), n, 0,
        UnsafeMutableRawPointer(c).assumingMemoryBound(to: Double.self), n)
    } else {
      for row in 0..<rows {
        for column in 0..<columns {
          var sum: T = 0
          for step in 0..<depth { sum += a[row * depth + step] * b[step * columns + column] }
          c[row * columns + column] = sum
        }
      }
    }
  }
}
