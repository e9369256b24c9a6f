internal import Basics

/// An event as it comes in a POST and in a WebSocket frame alike.
///
/// - Source: platforms.md section 1; botuniverse/onebot-11: event/message.md.
enum OneBot11Event {
    /// Under this user id a group's anonymous members write.
    private static let anonymousUserID = "80000000"

    /// The message in an event of type `message`; nil when it is none of a person's: the bot's own, a notice of the
    /// system, or of a kind that OneBot 11 does not know.
    ///
    /// - Parameter isAnsweredByCall: Whether the message gets an address.
    /// - Throws: `malformedBody`.
    static func message(_ event: JSONObject, isAnsweredByCall: Bool) throws(WebhookFault) -> IncomingMessage? {
        guard let kind = event["message_type"]?.stringValue else { throw .malformedBody }
        guard kind == "group" || kind == "private" else { return nil }
        let isPrivate = kind == "private"
        let selfID = try MessageField.numberOrStringID(event["self_id"])
        let userID = try MessageField.numberOrStringID(event["user_id"])
        let subType = event["sub_type"]?.stringValue
        if areEqualBytes(userID, selfID) || (!isPrivate && subType == "notice") { return nil }
        let chatID = isPrivate ? "" : try MessageField.numberOrStringID(event["group_id"])
        let messageID = try MessageField.numberOrStringID(event["message_id"])
        let content = try OneBot11Text(event["message"], selfID: selfID)

        var message = IncomingMessage(
            userID: userID, chatID: chatID, messageID: messageID, text: content.text, dedupe: selfID + ":" + messageID)
        message.isPrivate = isPrivate
        message.isMentioned = content.isMentioned
        message.account = selfID
        message.sentAt = try MessageField.optionalInstant(event["time"], millisecondsPerUnit: 1000)
        message.isAnonymous =
            subType == "anonymous" || event["anonymous"]?.objectValue != nil
            || userID == anonymousUserID
        if !isPrivate { message.adminHint = adminHint(event["sender"]?.objectValue?["role"]?.stringValue) }
        if isAnsweredByCall {
            message.address = ReplyAddress(
                chat: isPrivate ? userID : chatID, isPrivate: isPrivate, user: userID, account: selfID)
        }
        return message
    }

    /// Everything about the sender is "as far as possible" in the specification, so a strange role is no fault.
    private static func adminHint(_ role: String?) -> IncomingMessage.AdminHint {
        switch role {
        case "owner", "admin": .yes
        case "member": .no
        default: .unknown
        }
    }
}
