internal import Activities
internal import Basics
internal import ChatCommands
internal import ChatPlatforms
internal import Logging

/// Takes messages from the platforms' adapters to the service, and the answers back: in the response, or into the outbox.
struct MessageGateway: Sendable {
    /// Bytes of a user's or chat's id without its namespace.
    private static let maximumIDSize = 128

    let service: ActivityService
    let parser: CommandParser
    let words: ReplyWriter
    let admins: Set<UserID>
    let dispatcher: ReplyDispatcher
    let addressBook: AddressBook
    let notices: NoticeTeller
    let metrics: ServerMetrics

    /// A message on its way.
    struct Asked: Sendable {
        let message: IncomingMessage
        let user: UserID
        let role: Role
        let key: MessageKey?
        let isDraw: Bool
        let route: ReplyRoute
        let address: StoredAddress?
        /// Whether the response to the request could say the reply.
        let hasResponse: Bool
        let pending: PendingResponse
    }

    /// Puts a message in line.
    ///
    /// - Parameter hasResponse: Whether the message came in a request whose response can say the reply, and whose
    ///   signature covers its body where the platform signs at all; false for a frame of a connection.
    /// - Returns: At once; nil for a message that nobody may answer: an anonymous sender, an id that is none.
    func ask(_ message: IncomingMessage, through endpoint: Endpoint, hasResponse: Bool) -> Asked? {
        guard !message.isAnonymous, let namespace = endpoint.identity ?? message.identity,
            let user = Self.identifier(namespace, message.userID)
        else { return nil }
        var chat: ChatID?
        if !message.isPrivate {
            guard let id = Self.identifier(namespace, message.chatID) else { return nil }
            chat = ChatID(id)
        }
        let userID = UserID(user)
        var role: Role = admins.contains(userID) ? .admin : .player
        let isSigned = hasResponse && type(of: endpoint.adapter).signsRoles
        if role == .player, isSigned, endpoint.trustsGroupAdmins, message.adminHint == .yes, chat != nil {
            role = .chatAdmin
        }
        let content = parser.parse(
            bytes: message.text.utf8,
            context: MessageContext(role: role, isPrivate: message.isPrivate, isMentioned: message.isMentioned))
        let address = message.address.map { StoredAddress(endpoint: endpoint.name, address: $0) }
        let route = content == .ignored ? .response(nil) : route(message, endpoint, address, hasResponse)
        if role == .admin, let address { addressBook.noteAdmin(userID, at: address) }
        let key = Self.key(message, namespace: namespace, endpoint: endpoint)
        let pending = service.enqueue(
            Request(user: userID, chat: chat, role: role, key: key, content: content, route: route))
        let isDraw =
            switch content {
            case .command(.draw), .badArgument(.draw, _): true
            default: false
            }
        return Asked(
            message: message, user: userID, role: role, key: key, isDraw: isDraw, route: route, address: address,
            hasResponse: hasResponse && endpoint.adapter.answersInResponse(to: message), pending: pending)
    }

    /// Waits for the answer, and hands it on where it does not go into the response.
    func answer(_ asked: Asked, through endpoint: Endpoint) async throws -> AnsweredMessage {
        let response: Response
        do {
            response = try await service.response(to: asked.pending)
        } catch {
            // It may have been decided all the same.
            if case .call = asked.route { dispatcher.lookAgain(endpoint.name) }
            throw error
        }
        metrics.count(response.outcome.code, endpoint.platform, isDraw: asked.isDraw && !response.isRepeated)
        let text = words.text(for: response, role: asked.role)
        let isConflict = response.outcome == .badArgument(.messageKeyReused)
        if response.outcome == .ok(.erased) { addressBook.forget(asked.user) }
        // Behind the answer: who is promoted at once is told so after having been told to wait.
        defer {
            if let address = asked.address, response.position != nil { notices.noteWaiting(asked.user, at: address) }
        }
        let isInResponse =
            switch asked.route {
            case .response: true
            // A platform delivers again when it did not get the response; whoever asked has seen nothing then, unless it
            // is being said by a call.
            case .call: response.isRepeated && asked.hasResponse && !(asked.key.map(dispatcher.isSending) ?? false)
            }
        if !isInResponse { say(text, response, asked) }
        return AnsweredMessage(
            message: asked.message, text: isInResponse && !text.isEmpty ? text : nil, isConflict: isConflict)
    }

    /// Says by calls what was not ready for the response.
    ///
    /// - Parameter answered: As many as `asked`, in the same order.
    func sayLate(_ answered: [AnsweredMessage], to asked: [Asked]) {
        for (answer, asked) in zip(answered, asked) {
            guard let text = answer.text, let address = asked.address else { continue }
            if let key = asked.key, asked.route.destination != nil {
                // From now on a restart finds it.
                service.note(.pending, of: key)
                dispatcher.send(text, to: address, answering: key, decidedAt: dispatcher.now)
            } else {
                dispatcher.mention(text, to: address, number: 1)
            }
        }
    }

    private func say(_ text: String, _ response: Response, _ asked: Asked) {
        guard let address = asked.address, !response.isRepeated else { return }
        guard let key = asked.key, Self.isKept(response.outcome.code) else {
            if !text.isEmpty { dispatcher.mention(text, to: address, number: 1) }
            return
        }
        if text.isEmpty {
            service.note(.sent, of: key)
        } else {
            dispatcher.send(text, to: address, answering: key, decidedAt: dispatcher.now)
        }
    }

    /// Spec.md section 7, promise 3: what is not stored with its message.
    private static func isKept(_ code: OutcomeCode) -> Bool {
        ![.ignored, .busy, .rateLimited].contains(code)
    }

    /// In the response where the platform allows and it would be neither too soon nor out of order, else by a call.
    private func route(
        _ message: IncomingMessage, _ endpoint: Endpoint, _ address: StoredAddress?, _ hasResponse: Bool
    ) -> ReplyRoute {
        guard let address, dispatcher.canSend(through: endpoint.name) else { return .response(nil) }
        if hasResponse, endpoint.adapter.answersInResponse(to: message), dispatcher.mayAnswerInResponse(address) {
            return .response(address.destination)
        }
        return .call(address.destination)
    }

    /// `namespace:id`; nil for an id that is empty, too long or holds what cannot be shown.
    private static func identifier(_ namespace: String, _ id: String) -> String? {
        guard !id.isEmpty, id.utf8.count <= maximumIDSize, id.unicodeScalars.allSatisfy(isPrintable) else { return nil }
        return "\(namespace):\(id)"
    }

    /// Namespace, account and dedupe key, each with its size in front, so that no two triples give one key.
    ///
    /// - Source: spec.md section 7, promise 3.
    static func key(_ message: IncomingMessage, namespace: String, endpoint: Endpoint) -> MessageKey? {
        let account = message.account.isEmpty ? endpoint.name : message.account
        let text = [namespace, account, message.postID ?? message.dedupe].map { "\($0.utf8.count):\($0)" }.joined()
        let isShort = text.utf8.count <= MessageKey.maximumSize
        return MessageKey(sentAt: message.sentAt, text: isShort ? text : "#" + StableKey.text(of: text))
    }
}
