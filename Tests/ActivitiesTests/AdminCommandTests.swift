import Activities
import Basics
import Lottery
import TestSupport
import Testing
import TrafficGate

/// Admin commands only for admins; each is audited with before and after. Spec.md section 7, promise 5.
struct AdminCommandTests {
    static let forAdmins = CommandName.allCases.filter(\.isForAdmins)

    @Test func theAdminsCommandsAreTheTablesOnes() {
        #expect(
            Set(Self.forAdmins) == [
                .start, .stop, .activities, .importActivity, .setNumber, .traffic, .setTraffic, .maintenance, .void,
                .export,
            ])
    }

    @Test("hardening row 16: an admin word of a player is denied and audited", arguments: forAdmins)
    func aPlayerIsNotPermittedAndThatIsAudited(_ name: CommandName) async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(awards: [.normal("gold")]))
        try await bench.bind("qq:11")
        try await bench.draw("qq:11")
        let before = (bench.machine.gate.configuration, try await bench.store.wholeLedger(of: "spring"))
        let auditCount = bench.audits.count
        let requests: [Request] = [
            .saying(.example(of: name), as: "qq:11"),
            Request(user: "qq:11", chat: groupChat, role: .player, content: .badArgument(name, .missing)),
        ]
        #expect(try await bench.together(requests) == [.notPermitted(name), .notPermitted(name)])
        let audits = bench.audits.dropFirst(auditCount)
        #expect(audits.map(\.action) == [name.rawValue, name.rawValue])
        #expect(audits.allSatisfy { $0.actor == "qq:11" && $0.chat == groupChat && $0.result == .notPermitted })
        #expect(bench.machine.gate.configuration == before.0)
        #expect(try await bench.store.wholeLedger(of: "spring") == before.1)
    }

    @Test(arguments: forAdmins)
    func everyCommandOfAnAdminIsAudited(_ name: CommandName) async throws {
        let bench = try await DecisionBench()
        if name == .start { try await bench.put(.sample()) } else { try await bench.open() }
        bench.library.put(.sample("autumn", name: "秋"), as: "spring.yaml")
        try await bench.bind("qq:11")
        try await bench.draw("qq:11")
        let auditCount = bench.audits.count
        bench.now = noon.advanced(bySeconds: 5)
        _ = try await bench.decide([.saying(.example(of: name), as: admin, isAdmin: true)])
        let audits = Array(bench.audits.dropFirst(auditCount))
        #expect(audits.map(\.action) == [name.rawValue])
        #expect(audits.first?.actor == admin.text)
        #expect(audits.first?.at == bench.now)
        #expect(audits.first?.result == .ok)
    }

    @Test func whatChangesIsAuditedWithBeforeAndAfter() async throws {
        let bench = try await DecisionBench()
        try await bench.put(.sample())
        let started = try #require(try await bench.command(.start(activity: "春节抽奖")).started)
        try await bench.bind("qq:11")
        try await bench.draw("qq:11")
        try await bench.command(.setNumber(activity: nil, award: "gold", number: 20))
        try await bench.command(.void(Receipt(activity: "spring", seq: 1), reason: "代抽"))
        try await bench.command(.setTraffic(key: "max_concurrent_users", value: "900"))
        try await bench.command(.maintenance(isOn: true, reason: "换服"))
        let stopped = try #require(try await bench.command(.stop(activity: nil)).stopped)
        let audits = bench.audits
        #expect(
            audits.map(\.action) == ["import", "start", "number", "void", "set", "maintenance", "stop"])
        #expect(
            audits.map(\.target) == [
                "spring", "spring", "spring:gold", "spring-1", "max_concurrent_users", "maintenance_mode", "spring",
            ])
        #expect(audits.map(\.before) == [nil, "idle", "10", "gold", "1000", "false", "active"])
        #expect(audits[0].after == "created 1 awards")
        #expect(audits[1].after == "active round 1 commitment \(started.commitment)")
        #expect(audits[2...5].map(\.after) == ["20", "代抽", "900", "true 换服"])
        #expect(audits[6].after == "inactive round 2 head \(stopped.head)")
        // No seed in it before or after.
        let seed = stopped.seed
        #expect(!audits.contains { "\($0)".contains(seed) })
    }

    @Test(arguments: [
        Command.start(activity: "x"), .stop(activity: "x"), .stop(activity: nil), .importActivity(file: "x"),
        .setNumber(activity: nil, award: "x", number: 1), .setNumber(activity: "x", award: "x", number: 1),
        .setTraffic(key: "x", value: "1"), .setTraffic(key: "rush_hour_start", value: "24"),
        .setTraffic(key: "maintenance_reason", value: "x"), .void(Receipt(activity: "x", seq: 1), reason: "x"),
        .export(activity: "x"),
    ])
    func everyRefusedCommandIsBadArgumentAndAudited(_ command: Command) async throws {
        let bench = try await DecisionBench()
        #expect(try await bench.command(command).code == .badArgument)
        #expect(bench.audits.map(\.action) == [command.name.rawValue])
        #expect(bench.audits.map(\.result) == [.badArgument])
        #expect(bench.changes.allSatisfy { $0.configuration.isEmpty && $0.ledger.isEmpty && $0.activities.isEmpty })
    }

    // MARK: 流量, 流量设置, 维护

    @Test func settingsHoldAtOnceAndAfterARestart() async throws {
        let bench = try await DecisionBench()
        #expect(
            try await bench.command(.setTraffic(key: "max_concurrent_users", value: "2"))
                == .ok(.trafficSet(key: "max_concurrent_users", old: "1000", new: "2")))
        #expect(
            try await bench.command(.setTraffic(key: "rush_hour_start", value: "24")).refusal
                == .trafficSetting(
                    .invalidValue(key: "rush_hour_start", value: "24", expected: .integer(0...23))))
        try await bench.restart()
        for user in ["qq:11", "qq:12", "qq:13"] as [UserID] { try await bench.say(.pool, as: user) }
        guard case .ok(.traffic(let summary)) = try await bench.command(.traffic) else {
            Issue.record("流量 gives a summary")
            return
        }
        #expect((summary.activeUsers, summary.queuedUsers, summary.capacity) == (2, 1, 2))
        #expect(summary.totalRequests == 3)
        #expect(bench.machine.gate.configuration.rushHourStart == 11)
    }

    @Test func maintenanceAndItsReasonOutliveARestart() async throws {
        let bench = try await DecisionBench()
        #expect(
            try await bench.command(.maintenance(isOn: true, reason: "换服"))
                == .ok(.maintenance(isOn: true, reason: "换服")))
        try await bench.restart()
        #expect(try await bench.draw("qq:11") == .maintenance(reason: "换服"))
        #expect(
            try await bench.command(.maintenance(isOn: false, reason: nil))
                == .ok(.maintenance(isOn: false, reason: nil)))
        try await bench.command(.maintenance(isOn: true, reason: nil))
        #expect(try await bench.draw("qq:11") == .maintenance(reason: nil))
    }

    @Test func rowsOfAnotherProgramAreTakenAndBadOnesKeepTheOldValue() async throws {
        let bench = try await DecisionBench()
        try await bench.command(.setTraffic(key: "max_concurrent_users", value: "500"))
        func row(_ key: String, _ value: String, isActive: Bool = true) -> ConfigurationRow {
            ConfigurationRow(key: key, value: value, isActive: isActive)
        }
        _ = try await bench.decide(
            [],
            configuration: [
                row("max_concurrent_users", "none"), row("queue_timeout_seconds", "600"),
                row("rush_hour_end", "24"), row("heartbeat_timeout_seconds", "5", isActive: false),
                row("surprise", "1"), row("maintenance_mode", "true"), row("maintenance_reason", "外部"),
            ])
        let configuration = bench.machine.gate.configuration
        #expect(configuration.maxConcurrentUsers == 500)
        #expect(configuration.queueTimeoutSeconds == 600)
        #expect(configuration.rushHourEnd == 20)
        #expect(configuration.heartbeatTimeoutSeconds == 60)
        #expect(
            bench.notices == [
                .configurationIgnored(key: "max_concurrent_users", value: "none"),
                .configurationIgnored(key: "rush_hour_end", value: "24"),
                .configurationIgnored(key: "surprise", value: "1"),
            ])
        // In the same batch already, and a row that is gone or inactive means the default.
        #expect(try await bench.draw("qq:11") == .maintenance(reason: "外部"))
        let decided = try await bench.decide(
            [.saying(.pool, as: "qq:11")], configuration: [row("max_concurrent_users", "7", isActive: false)])
        #expect(decided.map(\.decision) == [.answered(.noActivity)])
        #expect(bench.machine.gate.configuration == GateConfiguration())
    }
}
