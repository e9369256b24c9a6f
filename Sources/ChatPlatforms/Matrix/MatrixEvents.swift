internal import Basics

/// Reads a transaction's events. Whatever is wrong with one concerns that one alone.
///
/// - Source: platforms.md section 15.
struct MatrixEvents: Sendable {
    /// The bot's id; nil: not known.
    let ownUserID: String?
    /// What the ids of our own users begin with.
    let ownPrefix: String?

    func messages(inTransaction body: [UInt8]) -> [IncomingMessage] {
        MatrixTransaction.events(in: body).compactMap { event in event.objectValue.flatMap(message) }
    }

    /// Nil for what is no text message of a person, and for what lacks a field. Ids of more than 128 bytes are left out,
    /// too, although Matrix allows 255.
    private func message(of event: JSONObject) -> IncomingMessage? {
        guard event["type"]?.stringValue == "m.room.message", event["state_key"] == nil,
            let content = event["content"]?.objectValue, content["msgtype"]?.stringValue == "m.text",
            let written = content["body"]?.stringValue, let user = try? MessageField.id(event["sender"]), !isOurs(user),
            let room = try? MessageField.id(event["room_id"]), let eventID = try? MessageField.id(event["event_id"]),
            let sentAt = try? MessageField.instant(event["origin_server_ts"], millisecondsPerUnit: 1)
        else { return nil }
        let relation = content["m.relates_to"]?.objectValue
        if relation?["rel_type"]?.stringValue == "m.replace" { return nil }
        let isReply = relation?["m.in_reply_to"]?.objectValue != nil
        let spoken = (isReply ? Self.withoutQuotation(written) : written).trimmed
        let addressed = withoutOwnName(spoken, formatted: content["formatted_body"]?.stringValue)
        let mentioned = content["m.mentions"]?.objectValue?["user_ids"]?.arrayValue ?? []

        var message = IncomingMessage(
            userID: user, chatID: room, messageID: eventID, text: MessageField.text(addressed ?? spoken),
            dedupe: eventID)
        message.account = ownUserID ?? ""
        message.sentAt = sentAt
        message.isMentioned = addressed != nil || ownUserID.map { mentioned.contains(.string($0)) } ?? false
        message.address = ReplyAddress(chat: room, isPrivate: false, user: user, message: eventID)
        return message
    }

    private func isOurs(_ user: String) -> Bool {
        if let ownUserID, areEqualBytes(user, ownUserID) { return true }
        return ownPrefix.map { user.utf8.starts(with: $0.utf8) } ?? false
    }

    /// A reply may repeat what it answers: lines that begin with `> `, then an empty one.
    private static func withoutQuotation(_ body: String) -> String {
        var lines = body.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)[...]
        let count = lines.count
        lines = lines.drop { $0.starts(with: "> ".utf8) || $0.elementsEqual(">".utf8) }
        if lines.count < count, let first = lines.first, first.isEmpty { lines = lines.dropFirst() }
        return lines.first.map { String(body[$0.startIndex...]) } ?? ""
    }

    /// What stands behind the bot's name where `text` begins with it; nil where it does not.
    ///
    /// The name is the bot's id, its local part with a colon, or, where the formatted body begins with a link to the
    /// bot, the text of that link.
    private func withoutOwnName(_ text: String, formatted: String?) -> String? {
        guard let ownUserID else { return nil }
        var names = [(name: ownUserID, needsColon: false, mayBeJoined: false)]
        if let colon = ownUserID.utf8.firstIndex(of: UInt8(ascii: ":")) {
            names.append((String(ownUserID[..<colon].dropFirst()), needsColon: true, mayBeJoined: false))
        }
        if let name = formatted.flatMap({ Self.linkText(atStartOf: $0, to: ownUserID) }) {
            names.append((name, needsColon: false, mayBeJoined: true))
        }
        for (name, needsColon, mayBeJoined) in names where text.utf8.starts(with: name.utf8) {
            let rest = String(decoding: text.utf8.dropFirst(name.utf8.count), as: UTF8.self).trimmed
            let isJoined = text.utf8.count - name.utf8.count == rest.utf8.count
            switch rest.unicodeScalars.first {
            case ":", "：":
                return String(rest.unicodeScalars.dropFirst()).trimmed
            case ",", "，":
                if !needsColon { return String(rest.unicodeScalars.dropFirst()).trimmed }
            case nil:
                if !needsColon { return "" }
            default:
                // `@bot:example.org.uk` is somebody else.
                if !needsColon, !isJoined || mayBeJoined { return rest }
            }
        }
        return nil
    }

    /// The text of `<a href="https://matrix.to/#/USER">TEXT</a>` where `html` begins with it; nil for a text with markup.
    private static func linkText(atStartOf html: String, to user: String) -> String? {
        var start = html.utf8[...]
        if start.starts(with: "<p>".utf8) { start = start.dropFirst(3) }
        for written in [user, OutboundURL.encode(user)] {
            let opening = "<a href=\"https://matrix.to/#/" + written + "\">"
            guard start.starts(with: opening.utf8) else { continue }
            let name = start.dropFirst(opening.utf8.count).prefix { $0 != UInt8(ascii: "<") && $0 != UInt8(ascii: "&") }
            guard !name.isEmpty, html.utf8[name.endIndex...].starts(with: "</a>".utf8) else { return nil }
            return String(decoding: name, as: UTF8.self)
        }
        return nil
    }
}
