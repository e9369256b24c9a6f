import Basics
import ChatPlatforms

/// Plays Telegram: sends updates with the secret header, and takes `sendMessage` in responses and by calls.
struct TelegramPeer: PlatformPeer {
    let platform = Platform.telegram
    let repliesByCall = false

    private static let secret = "peer-telegram_secret-000001"
    private static let botToken = "7000000001:peer-telegram_bot-token-000001"

    func settings(api: String) -> [String: String] {
        ["secret_token": Self.secret, "bot_username": "PeerDrawBot", "bot_token": Self.botToken, "api_url": api]
    }

    /// `setWebhook` asks nothing of the address.
    func handshake(at now: Instant) -> (request: PeerRequest, isRight: @Sendable (PeerResponse) -> Bool)? { nil }

    /// A number of up to 48 bits that stands for a name, always the same (FNV-1a).
    private static func number(_ name: String) -> Int64 {
        let hash = name.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return Int64(hash >> 16) + 1
    }

    func request(_ message: PeerMessage) -> PeerRequest {
        let user = Self.number(message.user)
        let from = JSONValue.object([
            "id": .integer(user), "is_bot": .bool(message.kind == .bot), "first_name": .string(message.user),
        ])
        let chat: JSONValue =
            if let chat = message.chat {
                .object([
                    "id": .integer(-1_000_000_000_000 - Self.number(chat)), "title": "Guild", "type": "supergroup",
                ])
            } else {
                .object(["id": .integer(user), "first_name": .string(message.user), "type": "private"])
            }
        let isEdited = message.kind == .edited
        let seconds = message.sentAt.milliseconds / 1000
        let content = JSONValue.object([
            "message_id": .integer(Int64(message.id)), "from": from, "chat": chat, "date": .integer(seconds),
            "edit_date": isEdited ? .integer(seconds) : nil, "text": .string(message.text),
        ])
        var body: [UInt8] = []
        JSONWriter.append(
            .object([
                "update_id": .integer(910_000_000 + Int64(message.id)), "message": isEdited ? nil : content,
                "edited_message": isEdited ? content : nil,
            ]), to: &body)
        return PeerRequest(
            headers: ["Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": Self.secret], body: body)
    }

    /// Nothing covers the body, so it is the token that is wrong.
    func tampered(_ message: PeerMessage) -> PeerRequest {
        var request = request(message)
        request.headers["X-Telegram-Bot-Api-Secret-Token"] = Self.secret.uppercased()
        return request
    }

    func stale(_ message: PeerMessage) -> PeerRequest? { nil }

    func reply(in response: PeerResponse) -> String? {
        guard response.status == 200, let method = object(response.body),
            method["method"]?.stringValue == "sendMessage", method["chat_id"]?.integerValue != nil
        else { return nil }
        return method["text"]?.stringValue
    }

    func reply(in call: PeerRequest) -> String? {
        guard isMessageCall(call), let body = object(call.body), body["chat_id"]?.integerValue != nil else {
            return nil
        }
        return body["text"]?.stringValue
    }

    func answer(to call: PeerRequest) -> PeerResponse {
        guard isMessageCall(call) else {
            return json(#"{"ok":false,"error_code":404,"description":"Not Found"}"#, status: 404)
        }
        guard let text = reply(in: call), 1...4096 ~= text.utf16.count else {
            return json(
                #"{"ok":false,"error_code":400,"description":"Bad Request: message text is empty"}"#, status: 400)
        }
        return json(#"{"ok":true,"result":{"message_id":1}}"#)
    }

    private func isMessageCall(_ call: PeerRequest) -> Bool {
        call.method == "POST" && call.path == "/bot\(Self.botToken)/sendMessage"
    }

    private func object(_ bytes: [UInt8]) -> JSONObject? {
        (try? StrictJSON.parse(bytes, maximumSize: 1 << 20))?.objectValue
    }

    private func json(_ text: String, status: Int = 200) -> PeerResponse {
        PeerResponse(status: status, headers: ["content-type": "application/json"], body: Array(text.utf8))
    }
}
