internal import Basics
internal import Crypto
internal import Foundation
internal import NIOCore

/// Users who each draw once by a signed webhook, over keep-alive connections with one request at a time each, from
/// `hongbao serve` in a process of its own.
struct WebhookBenchmark: Benchmark {
    /// What signs the requests.
    enum Signing: String, CaseIterable {
        case standardWebhooks = "webhook"
        case oneBot11 = "onebot11"

        var namespace: String {
            switch self {
            case .standardWebhooks: "webhook"
            case .oneBot11: "qq"
            }
        }

        var title: String {
            switch self {
            case .standardWebhooks: "Standard Webhooks"
            case .oneBot11: "OneBot 11"
            }
        }
    }

    static let connectionCount = 64

    var name: String { "webhooks" }

    func figures(_ settings: BenchmarkSettings) async throws -> [Figure] {
        let drawCount = settings.scaled(60_000)
        var figures: [Figure] = []
        for signing in Signing.allCases {
            let title = "signed webhook draws, \(signing.title), \(Self.connectionCount) connections"
            let load = WebhookLoad(signing: signing, drawCount: drawCount)
            let comparison = try await settings.compare(
                title,
                ours: { seed in
                    try await load.drawsPerSecond(settings.program, folder: settings.folder, seed: seed)
                }, reference: { _ in try await load.plainRequestsPerSecond(settings.bench) })
            figures.append(
                Figure(
                    title, comparison, "draws/s", reference: "Hummingbird answering the same POST with a constant",
                    goal: .ratioAtLeast(0.6)))
        }
        return figures
    }
}

/// The requests of one run, and what answers them.
struct WebhookLoad {
    typealias Signing = WebhookBenchmark.Signing

    private static let signingKey = SymmetricKey(data: Data(repeating: 7, count: 12) + Data("hongbao-bench".utf8))
    private static let hexSecret = "b3c1f0de9a7788e1c2d4f6a8"

    let signing: Signing
    let drawCount: Int

    /// - Parameter program: The `hongbao` program.
    /// - Returns: Durable draws a second.
    /// - Throws: ``Wrong`` when afterwards not every draw is in the file.
    func drawsPerSecond(_ program: String, folder: String, seed: UInt64) async throws -> Double {
        try await Double(drawCount) / run(program, folder: folder, seed: seed, interval: nil).seconds
    }

    /// - Parameter drawsPerSecond: So many are due each second.
    /// - Returns: Milliseconds from the moment at which each draw was due to its answer, in no order.
    /// - Throws: As ``drawsPerSecond(_:folder:seed:)``.
    func latencies(
        _ program: String, folder: String, seed: UInt64, drawsPerSecond: Double
    ) async throws -> [Double] {
        let interval = TimeAmount.nanoseconds(Int64(1e9 / drawsPerSecond))
        return try await run(program, folder: folder, seed: seed, interval: interval).latencies.map { Double($0) / 1e6 }
    }

    private func run(
        _ program: String, folder: String, seed: UInt64, interval: TimeAmount?
    ) async throws -> RequestLoad.Result {
        let path = folder + "/hongbao.db"
        defer { BenchActivity.removeDatabase(path) }
        var generator = SeededGenerator(seed: seed)
        let ids = BenchActivity.platformIDs(drawCount, using: &generator)
        try await BenchActivity.prepare(path, users: ids.map { UserID("\(signing.namespace):\($0)") })
        let server = try ServerProcess(serving: path, with: program, configuration: configuration)
        defer { server.stop() }
        let result = try await load(server.port, interval).run(requests(ids, port: server.port))
        server.stop()
        try await BenchActivity.check(path, drawCount: drawCount)
        return result
    }

    private func load(_ port: Int, _ interval: TimeAmount? = nil) -> RequestLoad {
        RequestLoad(
            server: .port(port), connectionCount: WebhookBenchmark.connectionCount, interval: interval,
            answerSize: HTTPAnswer.reader(expecting: "恭喜中奖"))
    }

    /// Requests of the same size answered a second by Hummingbird with nothing behind it.
    ///
    /// - Parameter bench: This program.
    func plainRequestsPerSecond(_ bench: String) async throws -> Double {
        let server = try ServerProcess(bench, ["plain-server"])
        defer { server.stop() }
        let requests = requests((0..<drawCount).map { String(4_000_000_000_000_000 + $0) }, port: server.port)
        return Double(drawCount) / (try await load(server.port).run(requests).seconds)
    }

    private var configuration: String {
        switch signing {
        case .standardWebhooks:
            "endpoints:\n  webhook:\n    secret: \"whsec_\(Self.signingKey.withUnsafeBytes { Data($0).base64EncodedString() })\"\n"
        case .oneBot11: "endpoints:\n  onebot11:\n    secret: \"\(Self.hexSecret)\"\n"
        }
    }

    // MARK: Requests

    private func requests(_ ids: [String], port: Int) -> [[UInt8]] {
        let now = Int(Date().timeIntervalSince1970)
        let timestamp = Date(timeIntervalSince1970: Double(now)).formatted(.iso8601)
        return ids.enumerated().map { index, id in
            let body: String
            var headers: String
            switch signing {
            case .standardWebhooks:
                body =
                    #"{"type":"chat.message","timestamp":"\#(timestamp)","data":{"platform":"bench","user_id":"\#(id)","#
                    + #""chat_id":"","message_id":"m\#(index)","text":"抽奖","is_admin":false}}"#
                let key = Self.signingKey
                let signed = "msg_\(index).\(now).\(body)"
                let code = HMAC<SHA256>.authenticationCode(for: Data(signed.utf8), using: key)
                headers =
                    "webhook-id: msg_\(index)\r\nwebhook-timestamp: \(now)\r\n"
                    + "webhook-signature: v1,\(Data(code).base64EncodedString())\r\n"
            case .oneBot11:
                body =
                    #"{"time":\#(now),"self_id":20001,"post_type":"message","message_type":"group","sub_type":"normal","#
                    + #""message_id":\#(index),"group_id":88001,"user_id":\#(id),"anonymous":null,"#
                    + #""message":[{"type":"text","data":{"text":"抽奖"}}],"raw_message":"抽奖","font":0,"#
                    + #""sender":{"user_id":\#(id),"nickname":"阿花","card":"","role":"member"}}"#
                let key = SymmetricKey(data: Data(Self.hexSecret.utf8))
                let code = HMAC<Insecure.SHA1>.authenticationCode(for: Data(body.utf8), using: key)
                let hex = code.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
                headers = "x-self-id: 20001\r\nx-signature: sha1=\(hex)\r\n"
            }
            headers += "content-type: application/json\r\ncontent-length: \(body.utf8.count)\r\n"
            return Array(
                "POST /webhook/\(signing.rawValue) HTTP/1.1\r\nhost: 127.0.0.1:\(port)\r\n\(headers)\r\n\(body)"
                    .utf8)
        }
    }
}
