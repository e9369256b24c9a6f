import Foundation
import GRDB
import NIOConcurrencyHelpers
import SQLiteStore
import TestSupport
import Testing

@testable import hongbao

/// What a monitor is told.
@Suite struct ReadinessTests {
    /// Somebody holds the file with another program: writes wait, and a monitor hears of it instead of waiting too.
    @Test func itIsNotReadyWhileAnotherProgramHoldsTheDatabase() throws {
        let folder = try TemporaryFolder()
        let serve = try ServeProcess(in: folder, yaml: WebhookSender.yaml)
        #expect(try serve.get("/readyz").status == 200)
        let other = try DatabaseQueue(path: folder.path + "/serve.db")
        let answered = NIOLockedValueBox(0)
        let threads = DispatchGroup()
        try other.writeWithoutTransaction { db in
            try db.execute(sql: "BEGIN IMMEDIATE")
            // A message waits in front of the monitor.
            threads.enter()
            Thread {
                defer { threads.leave() }
                guard let client = try? SocketClient(serve.port) else { return }
                let answer = try? WebhookSender.send("绑定 独行者", of: "1", id: "msg_1", on: client)
                answered.withLockedValue { $0 = answer?.status ?? 0 }
                client.close()
            }.start()
            Thread.sleep(forTimeInterval: 0.3)
            let start = ContinuousClock.now
            for _ in 1...3 {
                let response = try serve.get("/readyz")
                #expect(response.status == 503)
                #expect(response.body.hasPrefix("database: "), "\(response.body)")
                #expect(response.body.hasSuffix("\n"))
            }
            #expect(ContinuousClock.now - start < .seconds(20))
            // It lives all the same, and what needs no write is answered.
            #expect(try serve.get("/healthz").status == 200)
            #expect(try serve.get("/api/traffic/check").status == 200)
            #expect(try serve.get("/metrics").status == 200)
            #expect(answered.withLockedValue { $0 } == 0)
            try db.execute(sql: "ROLLBACK")
        }
        try other.close()
        threads.wait()
        #expect(answered.withLockedValue { $0 } == 200)
        let end = Date(timeIntervalSinceNow: 20)
        while try serve.get("/readyz").status != 200, Date() < end { Thread.sleep(forTimeInterval: 0.1) }
        #expect(try serve.get("/readyz").body == "ready\n")
        #expect(try serve.stop().status == 0)
    }

    // MARK: What it finds, each by itself

    /// A store that lies on a disk with as much space as is said.
    private func readiness(
        of store: SQLiteStore, freeSpace: Int64?,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) -> Readiness {
        Readiness(of: store, freeSpace: { freeSpace }, sleep: sleep)
    }

    @Test(arguments: [(64 << 20, true), (64 << 20 - 1, false), (0, false), (nil, true)] as [(Int64?, Bool)])
    func itIsReadyWhileTheDiskHasRoom(_ freeSpace: Int64?, _ isReady: Bool) async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(path: folder.path + "/a.db")
        let faults = await readiness(of: store, freeSpace: freeSpace).faults()
        #expect(faults == (isReady ? [] : ["disk: less than 64 MiB free"]))
        try await store.close()
    }

    @Test func theDisksFreeSpaceIsWhatTheSystemSays() throws {
        let folder = try TemporaryFolder()
        let shown = try Shell.run("df -B1 --output=avail . | tail -1", in: folder.path).text
        let free = try #require(Readiness.freeSpace(inFolder: folder.path))
        let expected = try #require(Int64(shown.trimmingCharacters(in: .whitespacesAndNewlines)))
        // Others write meanwhile.
        #expect(abs(free - expected) < max(1 << 30, expected / 4), "\(free), \(expected)")
        #expect(Readiness.freeSpace(inFolder: folder.path + "/none") == nil)
    }

    /// `NORMAL` could lose the last wins in a power cut: it is not ready, though every write succeeds.
    @Test(arguments: [("OFF", false), ("NORMAL", false), ("FULL", true)])
    func itIsReadyWhileWritesAreFlushed(_ synchronous: String, _ isReady: Bool) async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(path: folder.path + "/a.db")
        _ = try await store.pragma("synchronous = \(synchronous)")
        let faults = await readiness(of: store, freeSpace: nil).faults()
        #expect(faults.isEmpty == isReady)
        #expect(faults.allSatisfy { $0.hasPrefix("database: ") && $0.contains("synchronous is not FULL") }, "\(faults)")
        try await store.close()
    }

    @Test func aFileThatIsClosedIsNotReady() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(path: folder.path + "/a.db")
        try await store.close()
        #expect(await readiness(of: store, freeSpace: nil).faults().first?.hasPrefix("database: ") == true)
    }

    /// Monitors ask often: what would tell them that they waited in vain must not outlive their answer.
    @Test func nothingIsLeftBehindByAnAnsweredQuestion() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(path: folder.path + "/a.db")
        let sleepers = NIOLockedValueBox((begun: 0, cancelled: 0))
        let readiness = readiness(of: store, freeSpace: nil) { _ in
            sleepers.withLockedValue { $0.begun += 1 }
            do {
                try await Task.sleep(for: .seconds(3600))
            } catch {
                sleepers.withLockedValue { $0.cancelled += 1 }
                throw error
            }
        }
        for _ in 1...5 { #expect(await readiness.faults() == []) }
        let end = ContinuousClock.now + .seconds(30)
        while sleepers.withLockedValue({ $0.begun < 5 || $0.cancelled < 5 }), ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(sleepers.withLockedValue { $0 } == (5, 5))
        try await store.close()
    }

    // MARK: Beside the page's own port

    /// As many as the server takes by default say nothing. Who comes then waits no longer than they may; a monitor on its
    /// own port does not wait at all.
    @Test(
        "hardening row 56: five thousand idle connections stop nobody",
        .enabled(if: OpenFileLimit.allows(17_000), "needs a limit of 17,000 open files (ulimit -n)"))
    func fiveThousandIdleConnectionsStopNeitherANewcomerForLongNorAMonitor() throws {
        let folder = try TemporaryFolder()
        let (serve, operationPort) = try withOperationPort(in: folder)
        var idle: [SocketClient] = []
        defer { for client in idle { client.close() } }
        let start = ContinuousClock.now
        for _ in 0..<5_000 { idle.append(try SocketClient(serve.port)) }
        let filled = ContinuousClock.now
        let newcomer = try SocketClient(serve.port, timeoutSeconds: 60)
        defer { newcomer.close() }
        for path in ["/healthz", "/readyz"] {
            let monitor = try SocketClient(operationPort)
            #expect(try monitor.ask("GET", path).status == 200)
            monitor.close()
        }
        let monitored = ContinuousClock.now
        #expect(try newcomer.ask("GET", "/api/traffic/check").status == 200)
        let served = ContinuousClock.now
        // The silent ones in front of the newcomer were closed, 15 s after they came; not all at one instant.
        #expect(served - start > .seconds(10), "it was not full")
        #expect(served - filled < .seconds(40))
        #expect(try serve.get("/api/traffic/check").status == 200)
        #expect(try serve.stop().status == 0)
        print("5,000 idle: opened in \(filled - start), monitors \(monitored - filled), newcomer \(served - filled)")
    }

    /// A shell's limit of open files may be lower than the server's connections: it must not be what stops them.
    @Test func fewOpenFilesAreNotUsedUpByConnections() throws {
        let folder = try TemporaryFolder()
        let (serve, operationPort) = try withOperationPort(in: folder, limits: "ulimit -n 320")
        #expect(serve.program.errorText.contains("fewer connections are taken"), "\(serve.program.errorText)")
        var idle: [SocketClient] = []
        defer { for client in idle { client.close() } }
        for _ in 0..<400 { idle.append(try SocketClient(serve.port)) }
        Thread.sleep(forTimeInterval: 0.5)
        for _ in 1...3 {
            let monitor = try SocketClient(operationPort, timeoutSeconds: 5)
            #expect(try monitor.ask("GET", "/readyz").status == 200)
            monitor.close()
        }
        #expect(try serve.stop().status == 0)
    }

    @Test func aLowLimitOfAShellIsRaised() throws {
        let folder = try TemporaryFolder()
        let serve = try ServeProcess(in: folder, limits: "ulimit -Sn 320")
        #expect(!serve.program.errorText.contains("fewer connections are taken"), "\(serve.program.errorText)")
        #expect(try serve.stop().status == 0)
    }

    private func withOperationPort(
        in folder: TemporaryFolder, limits: String? = nil
    ) throws -> (serve: ServeProcess, operationPort: Int) {
        // A port that was free a moment ago.
        let probe = try ServeProcess(in: folder)
        let port = probe.port
        #expect(try probe.stop().status == 0)
        return (
            try ServeProcess(in: folder, environment: ["HONGBAO_OPERATION_PORT": "\(port)"], limits: limits), port
        )
    }

    @Test func monitorsMayHaveAPortOfTheirOwn() throws {
        let folder = try TemporaryFolder()
        let (serve, port) = try withOperationPort(in: folder)
        for path in ["/healthz", "/readyz", "/metrics"] {
            #expect(try serve.get(path).status == 404, "\(path)")
            let client = try SocketClient(port)
            #expect(try client.ask("GET", path).status == 200, "\(path)")
            #expect(try client.ask("HEAD", path).body.isEmpty, "\(path)")
            client.close()
        }
        let client = try SocketClient(port)
        #expect(try client.ask("GET", "/api/traffic/check").status == 404)
        #expect(try client.ask("POST", "/healthz").status == 405)
        client.close()
        #expect(try serve.stop().status == 0)
    }

    /// Names and values as Prometheus takes them, and nothing in a label that a stranger could have written.
    @Test func metricsAreTextThatPrometheusReads() throws {
        let folder = try TemporaryFolder()
        let serve = try ServeProcess(in: folder, yaml: WebhookSender.yaml)
        let client = try SocketClient(serve.port)
        _ = try WebhookSender.send("绑定 evil-game-id", of: "evil-user", id: "evil-id", on: client)
        _ = try WebhookSender.send("抽奖", of: "evil-user", id: "evil-id", on: client)
        _ = try client.ask("POST", "/webhook/webhook", headers: ["webhook-id": "evil-id"], body: "evil-body")
        _ = try client.ask("GET", "/webhook/evil-path?evil-query=1")
        _ = try client.ask("GET", "/evil-path")
        _ = try client.ask(
            "POST", "/api/traffic/join", headers: ["content-type": "application/json"],
            body: #"{"action":"join","sessionId":"evil-session","userId":"evil-user"}"#)
        client.close()
        let response = try serve.get("/metrics")
        #expect(response.head.lowercased().contains("content-type: text/plain; version=0.0.4; charset=utf-8"))
        #expect(!response.body.contains("evil"))
        #expect(response.body.hasSuffix("\n"))
        var types: [String: String] = [:]
        var series: Set<String> = []
        for line in response.body.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            if let match = line.wholeMatch(of: /# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary)/) {
                #expect(types.updateValue(String(match.2), forKey: String(match.1)) == nil, "\(line)")
            } else if line.wholeMatch(of: /# HELP [a-zA-Z_:][a-zA-Z0-9_:]* .+/) == nil {
                let sample = line.wholeMatch(of: /([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^{}]+\})? (\S+)/)
                let labels = sample?.2?.dropFirst().dropLast().split(separator: ",", omittingEmptySubsequences: false)
                for label in labels ?? [] {
                    #expect(label.wholeMatch(of: /[a-z_]+="[a-zA-Z0-9_+.]*"/) != nil, "\(line)")
                }
                guard let sample else {
                    Issue.record("not a sample: \(line)")
                    continue
                }
                #expect(Double(sample.3.replacing("+Inf", with: "inf")) != nil, "\(line)")
                #expect(series.insert("\(sample.1)\(sample.2 ?? "")").inserted, "twice: \(line)")
                let family = String(sample.1)
                let base = family.replacing(/_(bucket|sum|count)$/, with: "")
                #expect(types[family] != nil || types[base] != nil, "no type: \(line)")
            }
        }
        for name in [
            "hongbao_messages_total", "hongbao_draws_total", "hongbao_refusals_total", "hongbao_batch_requests",
            "hongbao_commit_duration_seconds", "hongbao_waiting_requests", "hongbao_active_users",
            "hongbao_queued_users",
        ] {
            #expect(types[name] != nil, "\(name)")
        }
        #expect(response.body.contains(#"hongbao_refusals_total{fault="missing_signature",platform="webhook"} 1"#))
        #expect(response.body.contains(#"hongbao_messages_total{code="ok",platform="webhook"} 1"#))
        #expect(response.body.contains(#"hongbao_messages_total{code="bad_argument",platform="webhook"} 1"#))
        #expect(try serve.stop().status == 0)
    }
}
