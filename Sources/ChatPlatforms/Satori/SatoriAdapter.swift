public import Basics

/// Koishi and others by Satori's webhook. Replies go out by calls only.
///
/// The token is all that verifies a request; the body is not signed. Whose platform it is says the event's login, so
/// the identity namespace comes with each message. A message has none when its login's platform is named as a namespace
/// of other endpoints (`discord`, `qq`, `web` …) and does not stand in `platforms`: then only an endpoint with an
/// `identity` of its own takes it.
///
/// - Source: platforms.md section 3.
public struct SatoriAdapter: PlatformAdapter {
    public static let platform = Platform.satori

    public static let settings = [
        PlatformSetting(
            "token", isSecret: true,
            "自己定的令牌，与 Satori 端 WebHook 配置里的 token 相同。"
                + "A token of your own choosing, the same as in the Satori server's webhook configuration."),
        PlatformSetting(
            "api_url",
            "Satori 服务的地址，不含 /v1，例如 http://127.0.0.1:5140/satori。"
                + "The Satori server's address without /v1, such as http://127.0.0.1:5140/satori."),
        PlatformSetting(
            "api_token", isSecret: true,
            "调用 Satori API 的令牌，服务端没有设置就不填。The token for calling the Satori API; empty if the server has none."),
        PlatformSetting(
            "platforms",
            "只接收这些平台登录号的消息，用逗号分隔，例如 red,kook；消息的命名空间随它的平台（red 算 qq）。"
                + "不填则全部接收，但不接收与其他接入同名的平台（如 discord、qq、web），除非另填 identity。"
                + "Messages of other login platforms than these are refused, such as red,kook; each speaks for its "
                + "platform's namespace (red for qq). If missing, all are taken but those named as another kind of "
                + "endpoint (discord, qq, web …), and these too with an identity."),
    ]

    private let token: BearerToken
    /// The login platforms whose messages are taken; nil: those of all.
    private let platforms: Set<String>?
    private let replySender: SatoriSender

    public init(_ settings: PlatformSettings) throws(SettingFault) {
        token = BearerToken(secret: try settings.requiredSecret("token"))
        platforms = try settings["platforms"].map(Self.platforms)
        replySender = try SatoriSender(settings)
    }

    public var sender: (any ReplySender)? { replySender }

    private static func platforms(_ list: String) throws(SettingFault) -> Set<String> {
        let names = list.split(separator: ",", omittingEmptySubsequences: false).map { String($0).trimmed }
        guard names.allSatisfy(SatoriEvent.isPlatform) else {
            throw SettingFault(
                "platforms", "platforms 应为平台名称（小写字母、数字、_ 和 -），用逗号分隔，例如 red,kook",
                "platforms must be names of a-z, 0-9, _ and -, parted by commas, such as red,kook")
        }
        return Set(names)
    }

    public func receive(_ request: WebhookRequest, now: Instant) throws(WebhookFault) -> WebhookEvent {
        try request.requireOwnPOST()
        try token.verify(request)
        guard let opcode = request.header("satori-opcode") else { throw .malformedBody }
        // Anything but 0 is no event: 5 says where uploaded files can be had.
        guard opcode == "0" else { return .messages([]) }
        let message = try SatoriEvent.message(try request.jsonBody(), from: platforms)
        return .messages(message.map { [$0] } ?? [])
    }

    public func answersInResponse(to message: IncomingMessage) -> Bool { false }

    public func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse { .ok }
}
