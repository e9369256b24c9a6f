import Basics
import ChatPlatforms
import Foundation
import Testing

/// One case of `Fixtures/platform-vectors.json`: a request or an input, and what must come of it.
///
/// - Source: platforms.md section 19.
struct PlatformVector: Decodable, Sendable, CustomTestStringConvertible {
    var id: String
    var platform: String
    var scheme: String
    var kind: String
    var secret: [String: String]?
    var seedHex: String?
    var method: String?
    var path: String?
    var query: [String: String]?
    var headers: [String: String]?
    var body: String?
    var input: [String: String]?
    var acceptSchemes: [String]?
    var botUsername: String?
    var selfID: String?
    /// Unix seconds; nil where time does not matter.
    var now: Int64?
    var valid: Bool
    var expected: [String: String]

    enum CodingKeys: String, CodingKey {
        case id, platform, scheme, kind, secret, method, path, query, headers, body, input, now, valid, expected
        case seedHex = "seed_hex"
        case acceptSchemes = "accept_schemes"
        case botUsername = "bot_username"
        case selfID = "self_id"
    }

    var testDescription: String { id }

    static let all: [PlatformVector] = {
        guard
            let url = Bundle.module.url(
                forResource: "platform-vectors", withExtension: "json", subdirectory: "Fixtures"),
            let data = try? Data(contentsOf: url),
            let vectors = try? JSONDecoder().decode([PlatformVector].self, from: data)
        else { preconditionFailure("the fixture platform-vectors.json cannot be read") }
        return vectors
    }()

    static func of(_ platform: Platform) -> [PlatformVector] {
        all.filter { $0.platform == platform.rawValue }
    }

    /// Those that are a request to the webhook.
    static func requests(of platform: Platform) -> [PlatformVector] {
        of(platform).filter { ["signature", "token", "handshake", "payload"].contains($0.kind) }
    }

    /// - Parameter endpointPath: What of the vector's path is the endpoint's own.
    func request(endpointPath: String? = nil) -> WebhookRequest {
        var rest = ""
        if let endpointPath, let path, path.hasPrefix(endpointPath) {
            rest = String(path.dropFirst(endpointPath.count))
        }
        return WebhookRequest(
            method: method ?? "POST", path: rest, query: (query ?? [:]).map { ($0.key, $0.value) },
            headers: (headers ?? [:]).map { ($0.key, $0.value) }, body: Array((body ?? "").utf8))
    }

    var nowInstant: Instant { Instant(milliseconds: (now ?? 1_760_000_000) * 1000) }

    /// Holds an adapter's answer against what is expected, field by field.
    func check(_ adapter: some PlatformAdapter, request: WebhookRequest? = nil) {
        let request = request ?? self.request()
        let event: WebhookEvent
        do throws(WebhookFault) {
            event = try adapter.receive(request, now: nowInstant)
        } catch {
            #expect(!valid, "\(id) was refused as \(error.rawValue)")
            if !valid { #expect(error.rawValue == expected["error"], "\(id)") }
            return
        }
        guard valid else {
            Issue.record("\(id) was accepted, expected \(expected["error"] ?? "a refusal")")
            return
        }
        switch event {
        case .answer(let response):
            #expect(expected["user_id"] == nil, "\(id) is a message")
            if let status = expected["status"] { #expect(String(response.status) == status, "\(id)") }
            if let body = expected["response_body"] {
                #expect(String(decoding: response.body, as: UTF8.self) == body, "\(id)")
            }
            if let type = expected["content_type"] { #expect(response.contentType == type, "\(id)") }
        case .messages(let messages):
            if expected["user_id"] == nil {
                // Accepted without a command: what is then answered is the empty acknowledgement.
                #expect(messages.isEmpty, "\(id)")
                let response = adapter.response(to: [], now: nowInstant)
                if let status = expected["status"] { #expect(String(response.status) == status, "\(id)") }
                if let body = expected["response_body"] {
                    #expect(String(decoding: response.body, as: UTF8.self) == body, "\(id)")
                }
                return
            }
            #expect(messages.count == 1, "\(id)")
            guard let message = messages.first else { return }
            let fields: [String: String] = [
                "user_id": message.userID, "chat_id": message.chatID, "message_id": message.messageID,
                "text": message.text, "is_admin": message.adminHint.rawValue,
                "is_private": String(message.isPrivate), "dedupe": message.dedupe,
            ]
            for (name, value) in fields { #expect(value == expected[name], "\(id): \(name)") }
        }
    }
}
