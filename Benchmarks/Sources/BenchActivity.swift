internal import Activities
internal import Basics
internal import Foundation
internal import Logging
internal import Lottery
internal import SQLiteStore

/// A figure that could not be measured because something else came out than should have.
struct Wrong: Error, CustomStringConvertible {
    let description: String
}

/// What is drawn in: awards with stock, and one for everybody else, so that every draw writes a win.
enum BenchActivity {
    private struct Library: ActivityLibrary {
        func activity(inFile name: String) -> Result<Activity, ImportRefusal> {
            .success(BenchActivity.activity)
        }
        func export(_ activity: ActivityID, from store: any Store) async throws -> [String] { [] }
    }

    static let activity = Activity(
        id: "bench", name: "bench", maxAttempts: 1,
        awards: [
            award("gold", .ONLY, "0.5", 1), award("silver", .NORNAL, "3", 1_000_000),
            award("bronze", .NORNAL, "12", 10_000_000), award("lucky", .NORNAL, "30", 100_000_000),
            award("bao", .DI_BAO, "0", 0),
        ])

    static let clock: WallClock = { Instant(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }

    static let library: any ActivityLibrary = Library()

    private static func award(_ id: String, _ kind: AwardKind, _ percent: String, _ number: Int) -> ActivityAward {
        ActivityAward(
            id: AwardID(id), kind: kind, percent: Percent(percent) ?? .zero, prefix: "奖", name: id, number: number)
    }

    static func open(in service: ActivityService) async throws {
        try await run([.importActivity(file: "bench"), .start(activity: "bench")], in: service)
    }

    static func run(_ commands: [Command], in service: ActivityService) async throws {
        for command in commands {
            let request = Request(user: "qq:1", chat: nil, role: .admin, content: .command(command))
            guard try await service.submit(request).outcome.code == .ok else {
                throw Wrong(description: "\(command) was refused")
            }
        }
    }

    /// Binds users to game ids, past the service: that is not what is measured.
    static func bind(_ users: [UserID], in store: SQLiteStore) async throws {
        for first in stride(from: 0, to: users.count, by: 10_000) {
            var changes = Changes()
            for user in users[first..<min(first + 10_000, users.count)] {
                changes.bindings[user] = .some(GameID(stored: "角色\(user.text.suffix(8))"))
            }
            let batch = changes
            try await store.transact(FactQuery()) { _ in (batch, ()) }
        }
    }

    /// Makes a file with these users bound and the activity open, for a program that is started on it.
    static func prepare(_ path: String, users: [UserID]) async throws {
        removeDatabase(path)
        let store = try SQLiteStore(path: path)
        try await bind(users, in: store)
        let service = ActivityService(
            store: store, stored: try await store.load(), library: library, clock: clock,
            logger: Logger(label: "bench"))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.run() }
            try await open(in: service)
            service.shutDown()
            try await group.waitForAll()
        }
        try await store.close()
    }

    /// Random ids as a platform gives them, without a namespace.
    static func platformIDs(_ count: Int, using generator: inout SeededGenerator) -> [String] {
        (0..<count).map { _ in String(generator.next() as UInt64 >> 12) }
    }

    static func removeDatabase(_ path: String) {
        for suffix in ["", "-wal", "-shm", ".lock", ".heads"] {
            try? FileManager.default.removeItem(atPath: path + suffix)
        }
    }

    /// - Throws: ``Wrong`` when not every draw is in the file.
    static func check(_ path: String, drawCount: Int) async throws {
        let store = try SQLiteStore(path: path, mode: .readOnly)
        let record = try await store.load().activities.first { $0.activity.id == activity.id }
        try await store.close()
        guard record?.drawCount == drawCount, record?.issued.reduce(0, +) == drawCount else {
            throw Wrong(description: "\(drawCount) draws were answered, the file has \(record?.drawCount ?? 0)")
        }
    }
}
