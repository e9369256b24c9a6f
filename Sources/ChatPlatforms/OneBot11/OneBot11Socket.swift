internal import Basics

/// The reverse WebSocket of OneBot 11: the implementation connects to us, shows its token once, sends events, and is
/// sent actions. Pure; whoever holds the connection asks what a frame means and what to send.
///
/// Frames are not signed. What they say of a role is as good as the token.
///
/// - Source: platforms.md section 1; botuniverse/onebot-11: communication/ws-reverse.md.
public struct OneBot11Socket: Sendable {
    /// Who connected, and what for.
    public struct Login: Hashable, Sendable {
        public enum Role: String, Hashable, Sendable {
            /// Events from them, actions from us.
            case universal
            /// Events only: no action may be sent.
            case event
            /// Actions only.
            case api
        }

        /// The bot's own id. Of two connections with the same id and role only one should stay.
        public var selfID: String
        public var role: Role

        public init(selfID: String, role: Role) {
            self.selfID = selfID
            self.role = role
        }
    }

    /// What a frame turned out to be.
    public enum Frame: Hashable, Sendable {
        /// At least one. Each has an address, for ``frame(saying:echo:)``.
        case messages([IncomingMessage])
        /// Another will come after this time, which is within a second and ten minutes.
        case heartbeat(intervalMilliseconds: Int64)
        /// The implementation says that the connection stands: its first frame.
        case connected
        /// What became of the action with this `echo`.
        case answer(echo: String, DeliveryResult)
        /// Something else that may be sent; an event of another bot than the one that logged in, too.
        case ignored
        /// Not JSON, or a message that lacks what every message has.
        case malformed
    }

    /// The interval that the specification gives where a heartbeat names none.
    private static let standardInterval: Int64 = 15_000
    private static let intervals: ClosedRange<Int64> = 1000...600_000

    private let token: BearerToken
    private let mentionsUser: Bool

    /// - Throws: When `access_token` is missing, or `at_sender` is neither true nor false.
    public init(_ settings: PlatformSettings) throws(SettingFault) {
        token = BearerToken(
            secret: try settings.requiredSecret("access_token"), schemes: ["bearer", "token"], mayStandInQuery: true)
        mentionsUser = try settings.flag("at_sender", default: true)
    }

    public var limits: ReplyLimits { OneBot11Sender.limits }

    /// Checks the request that wants to become a WebSocket. The method, the path and the upgrade itself are the
    /// caller's to check.
    ///
    /// - Throws: `missingToken` and `badToken`; `malformedBody` when the bot's id is missing or the role is unknown.
    public func authorize(_ request: WebhookRequest) throws(WebhookFault) -> Login {
        try token.verify(request)
        guard let selfID = request.header("x-self-id"), MessageField.isID(selfID) else { throw .malformedBody }
        guard request.headers.contains(where: { $0.name == "x-client-role" }) else {
            return Login(selfID: selfID, role: .universal)
        }
        guard let role = request.header("x-client-role").flatMap({ Login.Role(rawValue: $0.lowercased()) }) else {
            throw .malformedBody
        }
        return Login(selfID: selfID, role: role)
    }

    /// - Parameter frame: The whole text message, of at most 1 MiB; a larger one is malformed.
    public func read(_ frame: [UInt8], login: Login) -> Frame {
        guard let object = try? WebhookRequest.jsonObject(frame) else { return .malformed }
        guard let type = object["post_type"] else { return answer(object) }
        guard let selfID = object["self_id"]?.idText, areEqualBytes(selfID, login.selfID) else { return .ignored }
        switch type.stringValue {
        case "message":
            do throws(WebhookFault) {
                return try OneBot11Event.message(object, isAnsweredByCall: true).map { .messages([$0]) } ?? .ignored
            } catch {
                return .malformed
            }
        case "meta_event": return metaEvent(object)
        default: return .ignored
        }
    }

    private func answer(_ object: JSONObject) -> Frame {
        guard let echo = object["echo"]?.nonEmptyString else { return .ignored }
        return .answer(echo: echo, OneBot11Sender.result(object))
    }

    private func metaEvent(_ event: JSONObject) -> Frame {
        switch event["meta_event_type"]?.stringValue {
        case "heartbeat":
            let interval = event["interval"]?.integerValue ?? Self.standardInterval
            return .heartbeat(
                intervalMilliseconds: min(max(interval, Self.intervals.lowerBound), Self.intervals.upperBound))
        case "lifecycle": return event["sub_type"]?.stringValue == "connect" ? .connected : .ignored
        default: return .ignored
        }
    }

    /// The frame that says replies in one message.
    ///
    /// - Parameters:
    ///   - replies: As for ``ReplySender/call(saying:token:)``: at least one, all to the same place.
    ///   - echo: What the answer to this frame will bring back; not empty, and different for every frame that is open.
    public func frame(saying replies: [OutgoingReply], echo: String) -> [UInt8] {
        guard let action = OneBot11Sender.action(saying: replies, mentionsUser: mentionsUser) else {
            preconditionFailure("a frame says at least one reply")
        }
        var bytes: [UInt8] = []
        JSONWriter.append(
            .object(["action": .string(action.name), "params": action.parameters, "echo": .string(echo)]), to: &bytes)
        return bytes
    }
}
