import Dispatch
import Foundation
import Synchronization

/// What Ctrl-C and `kill` do: the work is cancelled, which ends compilers and programs that run for it and removes
/// temporary files, and then the process ends by the signal, as a shell expects. Work that does not end within
/// `patience`, and a second signal, end it at once.
final class Interruption: Sendable {
  private static let numbers = [SIGINT, SIGTERM, SIGHUP]
  /// Longer than a child takes to die, shorter than people wait.
  private static let patience = DispatchTimeInterval.seconds(2)

  private let first = Mutex<Int32?>(nil)

  var hasHappened: Bool { first.withLock { $0 != nil } }

  /// Runs `work`, which an interruption cancels.
  static func cancelling(_ work: @escaping @Sendable (Interruption) async -> Void) async {
    let interruption = Interruption()
    let task = Task { await work(interruption) }
    let sources = numbers.map { number in
      // The default action would end the process before the source hears of it.
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global(qos: .userInitiated))
      source.setEventHandler {
        let isSecond = interruption.first.withLock { first in
          defer { first = first ?? number }
          return first != nil
        }
        if isSecond { end(by: number) }
        task.cancel()
        DispatchQueue.global().asyncAfter(deadline: .now() + patience) { end(by: number) }
      }
      source.resume()
      return source
    }
    await task.value
    for source in sources { source.cancel() }
    if let number = interruption.first.withLock({ $0 }) { end(by: number) }
  }

  private static func end(by number: Int32) -> Never {
    signal(number, SIG_DFL)
    // Dispatch's threads block signals.
    var only = sigset_t()
    sigemptyset(&only)
    sigaddset(&only, number)
    pthread_sigmask(SIG_UNBLOCK, &only, nil)
    raise(number)
    _exit(128 + number)
  }
}
