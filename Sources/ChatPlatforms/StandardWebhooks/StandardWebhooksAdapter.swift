public import Basics
internal import Crypto

/// Any program that signs its requests by Standard Webhooks and brings messages in this project's own shape:
/// `{"type":"chat.message","timestamp","data":{"user_id","chat_id","message_id","text","is_admin"}}`.
///
/// Ids are strings. A `chat_id` that is missing, null or empty means a one-to-one chat, a missing `is_admin` that
/// nobody knows. Events of another type are accepted and answered `{}`. The reply stands in the response only.
///
/// - Source: platforms.md section 16; Standard Webhooks 1.0.0.
public struct StandardWebhooksAdapter: PlatformAdapter {
    public static let platform = Platform.webhook
    public static let signsRoles = true

    public static let settings = [
        PlatformSetting(
            "secret", isSecret: true,
            "双方共用的签名密钥，whsec_ 加 24 到 64 字节的 base64；与 public_key 至少填一个。"
                + "The shared signing secret, whsec_ and base64 of 24 to 64 bytes; this or public_key is needed."),
        PlatformSetting(
            "public_key",
            "发送方的 Ed25519 公钥，whpk_ 加 base64；填了它才接受 v1a 签名。"
                + "The sender's Ed25519 public key, whpk_ and base64; v1a signatures are taken only with it."),
    ]

    /// Begun with the key, to be continued with what is signed.
    private let code: HMAC<SHA256>?
    private let publicKey: Curve25519.Signing.PublicKey?

    public init(_ settings: PlatformSettings) throws(SettingFault) {
        code = try settings.secret("secret").map(Self.code)
        publicKey = try settings["public_key"].map(Self.publicKey)
        guard code != nil || publicKey != nil else {
            throw SettingFault("secret", "缺少 secret 或 public_key", "secret or public_key is missing")
        }
    }

    private static func code(_ secret: Secret) throws(SettingFault) -> HMAC<SHA256> {
        let text = secret.exposedText
        let encoded = text.hasPrefix("whsec_") ? String(text.dropFirst(6)) : text
        guard let bytes = Base64.decode(encoded), 24...64 ~= bytes.count else {
            throw SettingFault(
                "secret", "secret 应为 whsec_ 加 24 到 64 字节的 base64",
                "secret must be whsec_ and the base64 of 24 to 64 bytes")
        }
        return HMAC(key: SymmetricKey(data: bytes))
    }

    private static func publicKey(_ text: String) throws(SettingFault) -> Curve25519.Signing.PublicKey {
        guard text.hasPrefix("whpk_"), let bytes = Base64.decode(String(text.dropFirst(5))),
            let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes)
        else {
            throw SettingFault(
                "public_key", "public_key 应为 whpk_ 加 32 字节的 base64",
                "public_key must be whpk_ and the base64 of 32 bytes")
        }
        return key
    }

    public func receive(_ request: WebhookRequest, now: Instant) throws(WebhookFault) -> WebhookEvent {
        try request.requireOwnPOST()
        let id = try verifiedID(of: request, now: now)
        let body = try request.jsonBody()
        guard Self.isMessage(body) else { return .messages([]) }
        do throws(FieldFault) {
            return .messages([try Self.message(body, id: id)])
        } catch {
            throw .malformedBody
        }
    }

    /// 400 names the field that is not as it should be: `{"error":"malformed_body","field":"data.user_id"}`.
    public func refusal(_ fault: WebhookFault, of request: WebhookRequest) -> WebhookResponse {
        // Thrown only for what is verified.
        guard fault == .malformedBody, let body = try? request.jsonBody(), Self.isMessage(body) else {
            return refusal(fault)
        }
        do throws(FieldFault) {
            _ = try Self.message(body, id: "")
            return refusal(fault)
        } catch {
            return .json(
                .object(["error": .string(fault.rawValue), "field": .string(error.field)]), status: 400)
        }
    }

    /// Which field is missing or wrong.
    private struct FieldFault: Error {
        let field: String
    }

    private static func isMessage(_ body: JSONObject) -> Bool { body["type"]?.stringValue == "chat.message" }

    private static func message(_ body: JSONObject, id: String) throws(FieldFault) -> IncomingMessage {
        guard let data = body["data"]?.objectValue else { throw FieldFault(field: "data") }
        func readID(_ name: String) throws(FieldFault) -> String {
            guard let id = try? MessageField.id(data[name]) else { throw FieldFault(field: "data." + name) }
            return id
        }
        guard let text = data["text"]?.stringValue else { throw FieldFault(field: "data.text") }
        var chatID = ""
        if let value = MessageField.optional(data["chat_id"]), value != "" { chatID = try readID("chat_id") }
        var message = IncomingMessage(
            userID: try readID("user_id"), chatID: chatID, messageID: try readID("message_id"),
            text: MessageField.text(text), dedupe: id)
        message.isPrivate = chatID.isEmpty
        if let value = MessageField.optional(data["is_admin"]) {
            guard let isAdmin = value.boolValue else { throw FieldFault(field: "data.is_admin") }
            message.adminHint = isAdmin ? .yes : .no
        }
        if let value = MessageField.optional(body["timestamp"]) {
            guard let text = value.stringValue, let sentAt = ZonedTime.instant(text) else {
                throw FieldFault(field: "timestamp")
            }
            message.sentAt = sentAt
        }
        return message
    }

    public func answersInResponse(to message: IncomingMessage) -> Bool { true }

    /// `{"reply":"…"}`, or `{}` without anything to say; 409 when a `webhook-id` came again with another message.
    public func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse {
        if answered.contains(where: \.isConflict) {
            return .json(.object(["error": "message_key_reused"]), status: 409)
        }
        let texts = answered.compactMap(\.text)
        if texts.isEmpty { return .json(.object([:])) }
        let limit = TextLimit(64 * 1024, .bytes)
        return .json(.object(["reply": .string(limit.cut(texts.joined(separator: "\n")))]))
    }
}

extension StandardWebhooksAdapter {
    private static let maximumSignatureCount = 8

    /// The `webhook-id` of a request whose signature and time are good.
    private func verifiedID(of request: WebhookRequest, now: Instant) throws(WebhookFault) -> String {
        guard let id = request.header("webhook-id"), let timestamp = request.header("webhook-timestamp"),
            let list = request.header("webhook-signature")
        else { throw .missingSignature }
        // A full stop in the id would let one signature stand for two splits into id, time and body.
        guard 1...128 ~= id.utf8.count, id.isVisibleASCII, !id.utf8.contains(UInt8(ascii: ".")) else {
            throw .malformedSignature
        }
        let time = try SignedTime(timestamp)
        let signatures = list.split(separator: " ", maxSplits: Self.maximumSignatureCount)
        guard signatures.count <= Self.maximumSignatureCount else { throw .malformedSignature }
        guard isAnySignature(signatures, over: Array("\(id).\(timestamp).".utf8), request.body) else {
            throw .badSignature
        }
        try time.requireRecent(at: now)
        return id
    }

    /// Each kind of signature is held only against the key of its own kind; unknown versions are passed over.
    private func isAnySignature(_ signatures: [Substring], over head: [UInt8], _ body: [UInt8]) -> Bool {
        var expected: HMAC<SHA256>.MAC?
        for signature in signatures {
            if var code, signature.hasPrefix("v1,"), let bytes = Base64.decode(String(signature.dropFirst(3))) {
                if expected == nil {
                    code.update(data: head)
                    code.update(data: body)
                    expected = code.finalize()
                }
                // The library compares a code with bytes in constant time.
                if let expected, expected == bytes { return true }
            }
            if let publicKey, signature.hasPrefix("v1a,"), let bytes = Base64.decode(String(signature.dropFirst(4))),
                publicKey.isValidSignature(bytes, for: head + body)
            {
                return true
            }
        }
        return false
    }
}
