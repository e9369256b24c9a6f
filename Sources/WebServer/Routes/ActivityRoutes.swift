internal import Activities
internal import Basics
internal import ChatCommands
internal import ChatPlatforms
internal import HTTPTypes
internal import Hummingbird
internal import Lottery

/// The chat commands for players of the web page.
///
/// A page's player is in no chat, so only activities for every chat (`*`) are theirs. With `sessionId` they act in that
/// session of the gate, which leaves only when the page says so. Without it they act in one of their own, which no page
/// can leave: it leaves with the draw, as in chat.
///
/// - Source: spec.md section 8.
struct ActivityRoutes: Sendable {
    let service: ActivityService
    let words: ReplyWriter
    let tokens: PlayerTokens
    let metrics: ServerMetrics

    func add(to router: RouterGroup<ServerContext>) {
        router.get("current") { request, _ in
            let user = try await tokens.user(request.headers[.authorization])
            return try await answer(.command(.activity), user)
        }
        router.post("bind") { request, _ in
            let user = try await tokens.user(request.headers[.authorization])
            let body = try await APIBody(request)
            guard let gameID = GameID(try body.text("gameId", maximumLength: 200)) else {
                throw APIRefusal.field(
                    "gameId", "应为 1–\(GameID.maximumSize) 字节的可见字符", "must be 1 to \(GameID.maximumSize) printable bytes"
                )
            }
            return try await answer(.command(.bind(gameID)), user, body)
        }
        router.post("draw") { request, _ in
            let user = try await tokens.user(request.headers[.authorization])
            return try await answer(.command(.draw), user, APIBody(request))
        }
        router.post("wins") { request, _ in
            let user = try await tokens.user(request.headers[.authorization])
            return try await answer(.command(.myWins), user, APIBody(request))
        }
    }

    private func answer(_ content: MessageContent, _ user: UserID, _ body: APIBody? = nil) async throws -> HTTPAnswer {
        let page = try body?.optionalText("sessionId", maximumLength: 100)
        // The same request sent again, because its answer was lost, is one attempt.
        let requestID = try body?.optionalText("requestId", maximumLength: 100)
        let key = requestID.flatMap { id in
            MessageKey(sentAt: nil, text: "web-" + StableKey.text(of: "\(user.text.utf8.count):\(user)\(id)"))
        }
        let ownSession = SessionID("page-of-\(user)")
        let response = try await service.submit(
            Activities.Request(
                user: user, chat: nil, role: .player, key: key, content: content,
                pageSession: page.map { SessionID(page: $0) } ?? ownSession))
        if content == .command(.draw), !response.isRepeated {
            metrics.countDraw(response.outcome.code)
            if page == nil, Self.isLastDraw(response.outcome) {
                // What was won is won, whatever becomes of the place.
                _ = try? await service.submit(SessionRequest(session: ownSession, action: .leave))
            }
        }
        let data = json(response)
        switch response.outcome {
        case .busy: return Envelope.response(.serviceUnavailable, words.text(for: response, role: .player), data)
        case .rateLimited: return Envelope.response(.tooManyRequests, words.text(for: response, role: .player), data)
        case .badArgument(.messageKeyReused):
            return Envelope.response(.conflict, words.text(for: response, role: .player), data)
        default: return Envelope.success(data)
        }
    }

    /// Whether there is nothing left to draw for.
    private static func isLastDraw(_ outcome: Outcome) -> Bool {
        switch outcome {
        case .won, .alreadyWon, .gameIDUsed, .attemptsUsed, .erasedBefore: true
        default: false
        }
    }

    private func json(_ response: Activities.Response) -> JSONValue {
        var details: JSONValue?
        switch response.outcome {
        case .won(let attempt): details = attempt.award.map(json)
        case .alreadyWon(let win): details = json(win.award)
        default: details = nil
        }
        var activity: JSONValue?
        var wins: JSONValue?
        switch response.outcome {
        case .ok(.activity(let view)): activity = json(view)
        case .ok(.wins(let list)): wins = .array(list.map(json))
        default: break
        }
        return .object([
            "code": .string(response.outcome.code.rawValue),
            "reply": .string(words.text(for: response, role: .player)),
            "receipt": response.outcome.receipt.map { .string($0.description) }, "award": details,
            "queuePosition": response.position.map { .integer(Int64($0)) }, "activity": activity, "wins": wins,
        ])
    }

    private func json(_ award: AwardLabel) -> JSONValue {
        .object(["id": .string(award.id.text), "prefix": .string(award.prefix), "name": .string(award.name)])
    }

    private func json(_ win: Win) -> JSONValue {
        .object([
            "activity": .string(win.activityName), "award": json(win.award),
            "receipt": .string(win.receipt.description), "gameId": .string(win.gameID),
            "wonAt": .string(win.wonAt.dateTimeText()), "voidedAt": win.voidedAt.map { .string($0.dateTimeText()) },
        ])
    }

    private func json(_ view: ActivityView) -> JSONValue {
        .object([
            "name": .string(view.name), "openedAt": .string(view.openedAt.dateTimeText()),
            "endsAt": view.endsAt.map { .string($0.dateTimeText()) }, "userCount": .integer(Int64(view.userCount)),
            "drawCount": .integer(Int64(view.drawCount)),
            "maxAttempts": view.maxAttempts.map { .integer(Int64($0)) }, "round": .integer(Int64(view.round)),
            "commitment": .string(view.commitment),
        ])
    }
}
