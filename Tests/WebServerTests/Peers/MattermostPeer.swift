import Basics
import ChatPlatforms
import Foundation

/// Mattermost: outgoing webhooks in channels, slash commands in private. Both are answered in the response.
struct MattermostPeer: PlatformPeer {
    private static let token = "mm-outgoing-token-for-tests-01"

    var platform: Platform { .mattermost }
    var repliesByCall: Bool { false }
    /// Outgoing webhooks are called for new posts only, and do not say who is a bot.
    var hasEdits: Bool { false }
    var hasBots: Bool { false }

    func settings(api: String) -> [String: String] { ["token": Self.token, "bot_user_id": Self.id("bot")] }

    func handshake(at now: Instant) -> (request: PeerRequest, isRight: @Sendable (PeerResponse) -> Bool)? { nil }

    func request(_ message: PeerMessage) -> PeerRequest { request(message, token: Self.token) }

    func tampered(_ message: PeerMessage) -> PeerRequest { request(message, token: "mm-outgoing-token-for-tests-02") }

    func stale(_ message: PeerMessage) -> PeerRequest? { nil }

    func others(like message: PeerMessage) -> [String: PeerRequest] {
        var own = message
        own.user = "bot"
        return ["its own": request(own)]
    }

    func reply(in response: PeerResponse) -> String? {
        guard response.headers["content-type"]?.hasPrefix("application/json") == true else { return nil }
        return JSONFields(response.body)?["text"] as? String
    }

    private func request(_ message: PeerMessage, token: String) -> PeerRequest {
        let user = Self.id(message.user)
        var fields = [
            "token": token, "team_domain": "guild", "team_id": Self.id("tm"), "user_id": user, "user_name": "hana",
        ]
        var headers = ["Content-Type": "application/x-www-form-urlencoded"]
        if let chat = message.chat {
            fields["channel_id"] = chat
            fields["channel_name"] = "town-square"
            fields["post_id"] = "post\(message.id)"
            fields["text"] = message.text
            fields["timestamp"] = String(message.sentAt.milliseconds / 1000)
            fields["trigger_word"] = ""
            fields["file_ids"] = ""
        } else {
            // The command's first word is what is registered with Mattermost.
            let words = message.text.split(separator: " ", maxSplits: 1).map(String.init)
            let command = words.first ?? ""
            fields["channel_id"] = Self.id("dm" + message.user)
            fields["channel_name"] = Self.id("bot") + "__" + user
            fields["command"] = command.hasPrefix("/") ? command : "/" + command
            fields["text"] = words.count > 1 ? words[1] : ""
            fields["response_url"] = "https://chat.example.org/hooks/commands/\(message.id)"
            // Real ones hold a signature, and are about this long.
            fields["trigger_id"] = Data((String(repeating: "signature", count: 18) + "\(message.id)").utf8)
                .base64EncodedString()
            headers["Authorization"] = "Token " + token
        }
        let body = fields.sorted { $0.key < $1.key }.map { $0.key + "=" + Self.formEncoded($0.value) }
            .joined(separator: "&")
        return PeerRequest(headers: headers, body: Array(body.utf8))
    }

    /// Ids have 26 letters and digits.
    private static func id(_ text: String) -> String {
        text.lowercased() + String(repeating: "0", count: max(26 - text.utf8.count, 0))
    }

    private static func formEncoded(_ text: String) -> String {
        text.utf8.map { byte in
            let character = Character(Unicode.Scalar(byte))
            return byte < 0x80 && (character.isLetter || character.isNumber)
                ? String(character)
                : byte == 0x20 ? "+" : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }.joined()
    }
}
