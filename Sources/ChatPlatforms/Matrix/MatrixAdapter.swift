public import Basics

/// A Matrix application service: transactions of events in, replies by calls.
///
/// The homeserver repeats a transaction until it is answered 200, and sends nothing else meanwhile. So nothing that
/// stands in a verified transaction is answered with an error: an event that is not what it should be is left out.
///
/// Every room counts as a group: a transaction does not say who is in a room, and `is_direct` is each member's own view
/// of it. `origin_server_ts` is stated by the sender's own server, which may not be the one that calls us.
///
/// - Source: platforms.md section 15.
public struct MatrixAdapter: PlatformAdapter {
    public static let platform = Platform.matrix

    public static let settings = [
        PlatformSetting(
            "hs_token", isSecret: true,
            "注册文件里的 hs_token，服务器用它调用我们。The hs_token of the registration file, with which the homeserver calls us."),
        PlatformSetting(
            "as_token", isSecret: true,
            "注册文件里的 as_token，不填就不能回复。"
                + "The as_token of the registration file; without it nothing can be answered."),
        PlatformSetting(
            "homeserver_url",
            "Matrix 服务器（客户端接口）的网址，回复时需要。The address of the homeserver's client API, needed for replies."),
        PlatformSetting(
            "user_id",
            "机器人的用户 ID，形如 @bot:example.org，它发的消息会被忽略。"
                + "The bot's user id, such as @bot:example.org, whose messages are left out."),
        PlatformSetting(
            "user_namespace_prefix",
            "注册文件中本服务用户的共同前缀，形如 @_bot_，这些用户的消息会被忽略。"
                + "What the ids of this service's users begin with, such as @_bot_; their messages are left out."),
    ]

    /// Transactions of many events are larger than what other platforms send.
    public static let maximumBodySize = MatrixTransaction.maximumSize

    private let token: BearerToken
    private let replySender: MatrixSender?
    private let events: MatrixEvents

    public init(_ settings: PlatformSettings) throws(SettingFault) {
        token = BearerToken(secret: try settings.requiredSecret("hs_token"), mayStandInQuery: true)
        let user = settings["user_id"]
        if let user, !user.hasPrefix("@") || !user.dropFirst(2).dropLast().contains(":") {
            throw SettingFault(
                "user_id", "user_id 应形如 @bot:example.org", "user_id must look like @bot:example.org")
        }
        let prefix = settings["user_namespace_prefix"]
        if let prefix, !prefix.hasPrefix("@") {
            throw SettingFault(
                "user_namespace_prefix", "user_namespace_prefix 应以 @ 开头", "user_namespace_prefix must begin with @")
        }
        events = MatrixEvents(ownUserID: user, ownPrefix: prefix)
        replySender = try MatrixSender(settings)
    }

    public var sender: (any ReplySender)? { replySender }

    public var startWarning: String? {
        guard replySender == nil else { return nil }
        return "没有 as_token 和 homeserver_url：什么都不会回复。Without as_token and homeserver_url nothing is answered."
    }

    public func receive(_ request: WebhookRequest, now: Instant) throws(WebhookFault) -> WebhookEvent {
        try token.verify(request)
        switch try Self.route(of: request) {
        case .transaction:
            guard request.isOfType("application/json") else { throw .wrongMediaType }
            return .messages(events.messages(inTransaction: request.body))
        case .ping:
            return .answer(Self.acknowledgement)
        case .query:
            return .answer(Self.error("M_NOT_FOUND", status: 404))
        }
    }

    private enum Route {
        case transaction
        case ping
        /// Whether a user or a room alias exists that would be ours to create. None ever does.
        case query
    }

    /// The transaction's own id is not needed: each event has one.
    private static func route(of request: WebhookRequest) throws(WebhookFault) -> Route {
        var path = request.path[...]
        let current = "/_matrix/app/v1"
        let isCurrent = path.hasPrefix(current + "/")
        if isCurrent { path = path.dropFirst(current.count) }
        func isBelow(_ name: String) -> Bool { path.hasPrefix(name) && path.utf8.count > name.utf8.count }
        let route: Route
        let method: String
        if isBelow("/transactions/") {
            (route, method) = (.transaction, "PUT")
        } else if isBelow("/users/") || isBelow("/rooms/") {
            (route, method) = (.query, "GET")
        } else if isCurrent, path == "/ping" {
            (route, method) = (.ping, "POST")
        } else {
            throw .unknownPath
        }
        guard request.method == method else { throw .wrongMethod }
        return route
    }

    private static let acknowledgement = WebhookResponse.json(.object([:]))

    private static func error(_ code: String, status: Int) -> WebhookResponse {
        .json(.object(["errcode": .string(code)]), status: status)
    }

    public func refusal(_ fault: WebhookFault) -> WebhookResponse {
        switch fault {
        case .unknownPath: Self.error("M_UNRECOGNIZED", status: 404)
        case .wrongMethod: Self.error("M_UNRECOGNIZED", status: 405)
        case .wrongMediaType: Self.error("M_NOT_JSON", status: 415)
        case .malformedBody: Self.error("M_BAD_JSON", status: 400)
        default: Self.error("M_FORBIDDEN", status: 403)
        }
    }

    public func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse { Self.acknowledgement }

    public func answersInResponse(to message: IncomingMessage) -> Bool { false }
}
