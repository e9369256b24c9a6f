internal import Basics
internal import ChatPlatforms

extension FuzzTarget {
    /// Everything that chat platforms send. The first byte picks the platform, or a reader that several share; the second
    /// one how the request looks. The rest is a body, signed here with the endpoint's own secret so that the code behind
    /// the signature is reached, or a whole request with nothing to vouch for it.
    public static let platforms = FuzzTarget("platforms") { input in
        var choices = Choices(input)
        let choice = Int(choices.next()) % 32
        let look = choices.next()
        let bytes = Array(choices.rest)
        switch choice {
        case 16: try PlatformPromises.checkSocket(bytes, isForUs: look & 1 == 0)
        case 17: try PlatformPromises.checkXML(bytes)
        case 18: try PlatformPromises.checkForm(bytes)
        case 19: try PlatformPromises.checkAddress(bytes)
        default:
            guard let peer = FuzzPeer.all[Platform.allCases[choice % Platform.allCases.count]] else { return }
            switch look & 3 {
            case 0, 1: try PlatformPromises.checkSigned(bytes, look, from: peer)
            case 2: try PlatformPromises.checkUnsigned(bytes, from: peer)
            default: try PlatformPromises.checkAnswer(bytes, look, to: peer)
            }
        }
    }
}

private enum PlatformPromises {
    // MARK: Requests

    static func checkSigned(_ body: [UInt8], _ look: UInt8, from peer: FuzzPeer) throws {
        let request = peer.signed(body, isForm: look & 4 != 0)
        let received = receive(request, from: peer)
        try check(received, of: request, from: peer)
        try require(receive(request, from: peer) == received, "the same request is the same event")
        guard let tampered = peer.tampered(request) else { return }
        switch receive(tampered, from: peer) {
        case .success: throw BrokenPromise(description: "what was changed on the way to \(peer.platform) was taken")
        case .failure(let fault): try require(fault.isOfIdentity, "what was changed on the way is refused for that")
        }
    }

    static func checkUnsigned(_ bytes: [UInt8], from peer: FuzzPeer) throws {
        let request = FuzzPeer.request(bytes)
        // A secret may stand in the body or the path, and a handshake may go without.
        try check(receive(request, from: peer), of: request, from: peer)
    }

    private static func receive(_ request: WebhookRequest, from peer: FuzzPeer) -> Result<WebhookEvent, WebhookFault> {
        Result { () throws(WebhookFault) in try peer.endpoint.receive(request, now: FuzzPeer.now).event }
    }

    private static func check(
        _ received: Result<WebhookEvent, WebhookFault>, of request: WebhookRequest, from peer: FuzzPeer
    ) throws {
        switch received {
        case .success(let event): try check(event, from: peer)
        case .failure(let fault): try check(peer.endpoint.adapter.refusal(fault, of: request))
        }
    }

    private static func check(_ event: WebhookEvent, from peer: FuzzPeer) throws {
        switch event {
        case .answer(let response): try check(response)
        case .messages(let messages):
            for message in messages { try check(message, from: peer) }
            let adapter = peer.endpoint.adapter
            try check(adapter.response(to: [], now: FuzzPeer.now))
            try check(adapter.lateResponse(for: messages))
            try check(
                adapter.response(
                    to: messages.map { AnsweredMessage(message: $0, text: $0.text) }, now: FuzzPeer.now))
        }
    }

    private static func check(_ response: WebhookResponse) throws {
        try require((200..<600).contains(response.status), "a response has a status")
        try check(body: response.body, of: response.contentType)
    }

    private static func check(body: [UInt8], of contentType: String?) throws {
        switch contentType?.prefix(while: { $0 != ";" }) {
        case "application/json":
            let value = try? StrictJSON.parse(body, maximumSize: 1 << 22)
            try require(value != nil, "what is said is JSON: \(String(decoding: body, as: UTF8.self).debugDescription)")
        case "text/xml": try require(FlatXML.texts(of: body) != nil, "what is said is XML")
        default: break
        }
    }

    // MARK: Messages

    private static func check(_ message: IncomingMessage, from peer: FuzzPeer) throws {
        for (name, id, isOptional) in [
            ("user", message.userID, false), ("chat", message.chatID, true), ("message", message.messageID, false),
            ("account", message.account, true), ("dedupe", message.dedupe, false),
            ("post", message.postID ?? "", true),
        ] {
            // Two ids may have been joined.
            try require(id.utf8.count <= 257, "the \(name)'s id is no longer than it may be")
            try require(isOptional || !id.isEmpty, "there is a \(name)")
            try require(id.hasNoControls(), "no control character is in the \(name)'s id")
        }
        try require(message.userID.utf8.count <= 128, "a user's id has 128 bytes at most")
        try require(!message.chatID.isEmpty || message.isPrivate, "a chat that has no id is private")
        try require(message.text.utf8.count <= 64 * 1024, "a text has 64 KiB at most")
        if let sentAt = message.sentAt {
            try require((0...253_402_300_799_999).contains(sentAt.milliseconds), "a message is of our era")
        }
        if let identity = message.identity {
            try require(
                (1...32).contains(identity.utf8.count) && identity.utf8.allSatisfy { 0x21...0x7E ~= $0 && $0 != 0x3A },
                "a namespace is a name")
        }
        if let address = message.address { try checkCalls(to: address, saying: message.text, peer) }
    }

    private static func checkCalls(to address: ReplyAddress, saying text: String, _ peer: FuzzPeer) throws {
        guard let sender = peer.endpoint.adapter.sender else { return }
        let replies = [
            OutgoingReply(address: address, text: text, key: "fuzz-1"),
            OutgoingReply(address: address, text: "", key: "fuzz-2", number: 2),
        ]
        let count = sender.limits.mergesReplies ? 2 : 1
        for count in 1...count {
            guard let call = sender.call(saying: Array(replies.prefix(count)), token: "token") else { continue }
            try check(call, by: sender)
        }
    }

    private static func check(_ call: OutboundCall, by sender: any ReplySender) throws {
        try require(sender.allowedHosts.contains(call.url.host), "only listed hosts are called, not \(call.url.host)")
        try require(OutboundURL(call.url.text) == call.url, "an address reads as it is written: \(call.url.text)")
        for value in call.headers.values {
            try require(value.utf8.allSatisfy { 0x20...0x7E ~= $0 }, "a header is one line")
        }
        try check(body: call.body, of: call.headers["Content-Type"])
    }

    // MARK: What else comes in

    /// What a platform's API answers.
    static func checkAnswer(_ body: [UInt8], _ look: UInt8, to peer: FuzzPeer) throws {
        guard let sender = peer.endpoint.adapter.sender else { return }
        let status = [200, 201, 204, 400, 401, 403, 404, 409, 429, 500, 503, 302, 0, 999, 200, 200][Int(look >> 4)]
        let answer = OutboundAnswer(
            status: status, headers: ["retry-after": String(decoding: body.prefix(12), as: UTF8.self)], body: body)
        _ = sender.credentials(from: answer)
        switch sender.result(of: answer) {
        case .refused(let reason):
            try require(
                reason.utf8.count <= 100 && reason.utf8.allSatisfy { 0x20...0x7E ~= $0 },
                "a reason is a code: \(reason)")
        case .later(let seconds?): try require((0...3600).contains(seconds), "nobody waits longer than an hour")
        case .later, .delivered, .staleToken: break
        }
        guard let token = sender.token(from: answer) else { return }
        try require(token.lifetimeSeconds >= 0, "a token's life is no less than nothing")
        let address = ReplyAddress(chat: "1", isPrivate: true, user: "1", message: "1", account: "1")
        let reply = OutgoingReply(address: address, text: "1", key: "fuzz-1")
        if let call = sender.call(saying: [reply], token: token.value) { try check(call, by: sender) }
    }

    static func checkSocket(_ frame: [UInt8], isForUs: Bool) throws {
        guard let peer = FuzzPeer.all[.onebot11], let socket = (peer.endpoint.adapter as? OneBot11Adapter)?.socket
        else { return }
        let login = OneBot11Socket.Login(selfID: isForUs ? "10000" : "1", role: .universal)
        switch socket.read(frame, login: login) {
        case .messages(let messages):
            try require(!messages.isEmpty, "a frame of messages has one")
            for message in messages {
                try check(message, from: peer)
                guard let address = message.address else {
                    throw BrokenPromise(description: "a message by socket has no address")
                }
                let reply = OutgoingReply(address: address, text: message.text, key: "fuzz-1")
                try check(body: socket.frame(saying: [reply], echo: "1"), of: "application/json")
            }
        case .heartbeat(let interval):
            try require((1000...600_000).contains(interval), "a heart beats within a second and ten minutes")
        case .answer(let echo, _): try require(!echo.isEmpty, "an answer says to what")
        case .connected, .ignored, .malformed: break
        }
    }

    static func checkXML(_ bytes: [UInt8]) throws {
        guard let texts = FlatXML.texts(of: bytes) else { return }
        for (name, text) in texts {
            try require(name.utf8.count <= 64, "a name has 64 bytes at most")
            try require(text.unicodeScalars.allSatisfy(FlatXML.isAllowed), "a text is one that XML allows")
            let written = Array("<xml>\(FlatXML.element(name, text))</xml>".utf8)
            let again = FlatXML.texts(of: written)?[name]
            // A carriage return that came as a reference is a line's end where it stands as it is.
            let expected = text.split(separator: "\r\n", omittingEmptySubsequences: false).joined(separator: "\n")
            try require(
                again.map { areEqualBytes($0, text) || text.utf8.contains(0x0D) || areEqualBytes($0, expected) }
                    ?? false
                    || written.count > 64 * 1024,
                "an element reads as it is written")
        }
    }

    static func checkForm(_ bytes: [UInt8]) throws {
        guard let form = FormBody(bytes) else { return }
        try require(form.count <= FormBody.maximumCount, "a form has 100 fields at most")
        try require(form.count == 0 || bytes.contains(UInt8(ascii: "=")), "a field has a value")
    }

    static func checkAddress(_ bytes: [UInt8]) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let url = OutboundURL(text) else { return }
        try require(OutboundURL(url.text) == url, "an address reads as it is written")
        try require(!url.host.isEmpty && url.host == url.host.lowercased(), "a host is in small letters")
        try require(url.appending("a/b?c").path.hasSuffix("/a%2Fb%3Fc"), "a segment adds no other")
        try require(url.text.utf8.allSatisfy { 0x21...0x7E ~= $0 }, "an address is one word")
    }
}
