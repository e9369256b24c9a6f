internal import Foundation
internal import NIOConcurrencyHelpers
internal import SQLiteStore
internal import UnixSignals

/// Long work on a database: shown on a terminal, and broken off in order when the process is told to stop.
enum Interruptible {
    /// - Parameter work: Asks the observer now and then, which throws `CancellationError` once it should end.
    static func run<Result: Sendable>(
        _ work: @escaping @Sendable (@escaping DatabaseWorkObserver) throws -> Result
    ) async throws -> Result {
        let isStopped = NIOLockedValueBox(false)
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        let watcher = Task {
            for await _ in signals { isStopped.withLockedValue { $0 = true } }
        }
        defer { watcher.cancel() }
        let display = WorkDisplay()
        defer { display.clear() }
        return try await Task.detached {
            try work { step in
                if isStopped.withLockedValue({ $0 }) { throw CancellationError() }
                display.show(step)
            }
        }.value
    }
}

/// A line on a terminal for work that takes more than a second.
private final class WorkDisplay: Sendable {
    private let start = ContinuousClock.now
    private let shown = NIOLockedValueBox("")

    func show(_ work: DatabaseWork) {
        guard Terminal.hasErrorReader, ContinuousClock.now - start > .seconds(1) else { return }
        let text =
            switch work {
            case .copying(let share): "正在复制 copying \(Int(share * 100))%"
            case .checkingStructure: "正在检查文件 checking the file…"
            case .checkingLedgers(let share): "正在校验账本 verifying ledgers \(Int(share * 100))%"
            }
        shown.withLockedValue { shown in
            guard shown != text else { return }
            shown = text
            FileHandle.standardError.write(Data("\r\u{1B}[K\(text)".utf8))
        }
    }

    func clear() {
        shown.withLockedValue { shown in
            if !shown.isEmpty { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
            shown = ""
        }
    }
}
