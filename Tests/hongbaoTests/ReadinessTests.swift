import Foundation
import GRDB
import NIOConcurrencyHelpers
import Testing

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

    @Test func monitorsMayHaveAPortOfTheirOwn() throws {
        let folder = try TemporaryFolder()
        // A port that was free a moment ago.
        let probe = try ServeProcess(in: folder)
        let port = probe.port
        #expect(try probe.stop().status == 0)
        let serve = try ServeProcess(in: folder, environment: ["HONGBAO_OPERATION_PORT": "\(port)"])
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
