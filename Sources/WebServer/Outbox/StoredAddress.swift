internal import Activities
internal import Basics
internal import ChatPlatforms

/// Where a reply goes, with the endpoint that it goes through: as it is kept with its message.
struct StoredAddress: Hashable, Sendable {
    /// The endpoint's name.
    var endpoint: String
    var address: ReplyAddress

    init(endpoint: String, address: ReplyAddress) {
        self.endpoint = endpoint
        self.address = address
    }

    /// - Returns: Nil for what is none of ours.
    init?(_ destination: Destination) {
        guard let object = (try? StrictJSON.parse(destination.address.utf8, maximumSize: 64 * 1024))?.objectValue,
            let chat = object["chat"]?.stringValue, let user = object["user"]?.stringValue
        else { return nil }
        endpoint = destination.endpoint
        address = ReplyAddress(
            chat: chat, isPrivate: object["private"]?.boolValue ?? false, user: user,
            message: object["message"]?.stringValue, thread: object["thread"]?.stringValue,
            account: object["account"]?.stringValue, url: object["url"]?.stringValue,
            expiresAt: object["expires_at_ms"]?.integerValue.map { Instant(milliseconds: $0) })
    }

    var destination: Destination {
        var bytes: [UInt8] = []
        JSONWriter.append(
            .object([
                "chat": .string(address.chat), "private": address.isPrivate ? true : nil, "user": .string(address.user),
                "message": address.message.map { .string($0) }, "thread": address.thread.map { .string($0) },
                "account": address.account.map { .string($0) }, "url": address.url.map { .string($0) },
                "expires_at_ms": address.expiresAt.map { .integer($0.milliseconds) },
            ]), to: &bytes)
        return Destination(endpoint: endpoint, address: String(decoding: bytes, as: UTF8.self))
    }
}
