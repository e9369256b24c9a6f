internal import Activities
internal import Basics
internal import ChatPlatforms
internal import HTTPTypes
internal import Hummingbird
internal import TrafficGate

/// The traffic gate for the red-packet web page.
///
/// - Source: spec.md section 8.
struct TrafficRoutes: Sendable {
    let service: ActivityService
    let clientAddress: ClientAddress

    func add(to router: RouterGroup<ServerContext>) {
        router.get("check") { _, _ in Envelope.success(Self.json(service.gateCheck)) }
        router.post("join") { request, context in
            let body = try await APIBody(request)
            let session = try session(body, action: "join")
            let user = try body.optionalText("userId", maximumLength: 50).map { UserID("web:\($0)") }
            let address = clientAddress.of(request, peer: context.peerAddress)
            return try await ask(.join(user: user, ipAddress: address.isEmpty ? nil : address), session)
        }
        router.post("heartbeat") { request, _ in
            try await ask(.heartbeat, session(APIBody(request), action: "heartbeat"))
        }
        router.post("leave") { request, _ in
            try await ask(.leave, session(APIBody(request), action: "leave"))
        }
    }

    private func session(_ body: APIBody, action: String) throws -> SessionID {
        guard try body.text("action", maximumLength: 20) == action else {
            throw APIRefusal.field("action", "应为 \(action)", "must be \(action)")
        }
        return SessionID(page: try body.text("sessionId", maximumLength: 100))
    }

    private func ask(_ action: SessionRequest.Action, _ session: SessionID) async throws -> Response {
        guard let answer = try await service.submit(SessionRequest(session: session, action: action)) else {
            throw APIRefusal(.serviceUnavailable, "系统繁忙，请稍后再试。Too busy; try again in a moment.")
        }
        return Envelope.success(Self.json(answer))
    }

    static func json(_ check: GateCheck) -> JSONValue {
        .object([
            "status": .string(check.status.rawValue), "currentUsers": .integer(Int64(check.currentUsers)),
            "maxUsers": .integer(Int64(check.maxUsers)),
            "queuePosition": check.queuePosition.map { .integer(Int64($0)) },
            "estimatedWaitTime": seconds(check.wait).map { .integer($0) },
            "retryAfter": check.retryAfterSeconds.map { .integer(Int64($0)) },
        ])
    }

    static func json(_ answer: SessionAnswer) -> JSONValue {
        var place: Place?
        let status: String
        var isSuccess = true
        switch answer.gate {
        case .active: status = "active"
        case .queued(let queued):
            status = "queued"
            place = queued
        case .blocked, .maintenance:
            status = "blocked"
            isSuccess = false
        // It left, or had nothing to leave: either way it holds no place now.
        case nil: status = "idle"
        }
        return .object([
            "success": .bool(isSuccess), "currentUsers": .integer(Int64(answer.currentUsers)),
            "userStatus": .string(status), "queuePosition": place.map { .integer(Int64($0.position)) },
            "estimatedWaitTime": place.flatMap { seconds($0.wait) }.map { .integer($0) },
        ])
    }

    /// The later end of the range: nobody minds to be let in sooner. Nil when it is unknown, never 0.
    private static func seconds(_ wait: WaitEstimate) -> Int64? {
        switch wait {
        case .unknown: nil
        case .seconds(let range): Int64(range.upperBound)
        }
    }
}

extension SessionID {
    /// What the gate calls a web page's session.
    init(page name: String) {
        self.init("web:\(name)")
    }
}
