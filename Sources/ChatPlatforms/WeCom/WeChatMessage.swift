internal import Basics

/// A text message in the XML that WeCom and WeChat Official Accounts share.
///
/// - Source: platforms.md sections 9 and 10.
struct WeChatMessage {
    /// The account that was written to.
    let receiver: String
    let sender: String
    let messageID: String
    let text: String
    let sentAt: Instant

    /// The longest text of a reply. The platforms take 2048 bytes; some room is left.
    static let textLimit = TextLimit(2000, .bytes)

    /// - Returns: Nil for anything but a text: events, pictures, voice.
    /// - Throws: `malformedBody` when a text lacks something or has it wrong.
    init?(_ texts: [String: String]) throws(WebhookFault) {
        guard let kind = texts["MsgType"] else { throw .malformedBody }
        guard kind == "text" else { return nil }
        guard let text = texts["Content"] else { throw .malformedBody }
        receiver = try MessageField.id(texts["ToUserName"])
        sender = try MessageField.id(texts["FromUserName"])
        messageID = try MessageField.id(texts["MsgId"])
        self.text = MessageField.text(text)
        sentAt = try MessageField.instant(digits: texts["CreateTime"], millisecondsPerUnit: 1000)
    }

    /// The message as it goes on. Always in private: neither platform knows groups here.
    var incoming: IncomingMessage {
        var message = IncomingMessage(
            userID: sender, chatID: "", messageID: messageID, text: text, dedupe: messageID)
        message.isPrivate = true
        message.sentAt = sentAt
        return message
    }

    /// A text reply. Links in it are disarmed, and it is cut to ``textLimit``.
    static func reply(_ text: String, from account: String, to user: String, at timestamp: Int64) -> String {
        "<xml>" + FlatXML.element("ToUserName", user) + FlatXML.element("FromUserName", account)
            + "<CreateTime>\(timestamp)</CreateTime>" + FlatXML.element("MsgType", "text")
            + FlatXML.element("Content", textLimit.cut(text.withTagsDisarmed)) + "</xml>"
    }
}

extension WebhookRequest {
    /// The body as flat XML. May be called before anything is verified.
    ///
    /// - Throws: `wrongMediaType`, and `notEncrypted` when it is none: there is nothing in it to verify.
    func flatXMLBody() throws(WebhookFault) -> [String: String] {
        guard isOfType("text/xml") || isOfType("application/xml") else { throw .wrongMediaType }
        guard let texts = FlatXML.texts(of: body) else { throw .notEncrypted }
        return texts
    }
}
