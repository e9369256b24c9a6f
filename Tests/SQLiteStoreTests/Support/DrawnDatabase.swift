import Activities
import Basics
import Foundation
import Lottery
import SQLiteStore
import TestSupport

/// A database in a folder of a test's own, with open activities in which everybody draws once.
struct DrawnDatabase {
    static let activities: [ActivityID] = ["spring", "autumn"]
    let folder: TemporaryFolder

    /// Makes it, with `count` draws in each of the first `activityCount` activities.
    init(draws count: Int, activityCount: Int = 1) async throws {
        folder = try TemporaryFolder()
        let path = folder.path()
        var library: [String: Activity] = [:]
        for id in Self.activities.prefix(activityCount) {
            library["\(id).yaml"] = Activity(
                id: id, name: "活动 \(id)", scope: .chats([Self.chat(of: id)]), maxAttempts: 1,
                awards: [
                    ActivityAward(
                        id: "skin", kind: .NORNAL, percent: Percent("50") ?? .zero, prefix: "一等奖", name: "皮肤",
                        number: 1_000)
                ])
        }
        let names = Self.activities.prefix(activityCount)
        try await TestBench(path: path, library: MemoryLibrary(library)).running { bench in
            for id in names {
                try await bench.send(.importActivity(file: "\(id).yaml"), as: "qq:9", isAdmin: true)
                try await bench.send(.start(activity: id.text), as: "qq:9", isAdmin: true)
            }
        }
        for id in names { try await draw(1...count, in: id) }
    }

    static func chat(of id: ActivityID) -> ChatID { ChatID("qq:\(id)") }

    /// Each of `users` binds and draws.
    func draw(_ users: ClosedRange<Int>, in id: ActivityID = "spring", seed: UInt64 = 7) async throws {
        try await TestBench(path: folder.path(), seed: seed).running { bench in
            try await bench.draw(users, in: id)
        }
    }

    /// Everything in the folder, as it is.
    func contents() throws -> [String: Data] {
        var contents: [String: Data] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.url.path) {
            contents[name] = try folder.bytes(name)
        }
        return contents
    }
}

extension TestBench {
    func draw(_ users: ClosedRange<Int>, in id: ActivityID = "spring") async throws {
        for number in users {
            let user = UserID("qq:\(1000 + number)")
            try await send(.bind(GameID(stored: "角色 \(number)")), as: user, in: DrawnDatabase.chat(of: id))
            try await send(.draw, as: user, in: DrawnDatabase.chat(of: id), key: .test("\(id) \(number)"))
        }
    }
}

/// The sample of the ledger's tests under another id.
func sampleActivity(id: ActivityID) -> Activity {
    var activity = TestSupport.sampleActivity()
    activity.id = id
    return activity
}
