public import Activities
public import Basics
public import ChatCommands
public import ChatPlatforms
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
public import Logging
internal import Metrics
public import NIOSSL
internal import Resources
public import ServiceLifecycle

/// What an operator sets for the HTTP server.
public struct WebServerConfiguration: Sendable {
    public var host = "127.0.0.1"
    /// 0: any free one.
    public var port = 8080
    /// Nil: plain HTTP, for a loopback address or behind a proxy.
    public var tls: TLSConfiguration?
    /// A listener of its own for `/healthz`, `/readyz` and `/metrics`, which are then not on the main one; nil: none.
    public var operationPort: Int?
    public var limits = ConnectionLimits()
    /// Pages of these origins may read the answers of `/api`.
    public var corsOrigins: Set<String> = []
    /// Addresses whose `X-Forwarded-For` counts.
    public var trustedProxies: Set<String> = []
    /// Signs the tokens of web players (HS256); nil: `/api/activity` is off.
    public var playerTokenSecret: String?
    public var endpoints: [Endpoint] = []

    public init() {}
}

/// The HTTP side of the program: webhooks, the web page's API, what monitors ask, and the calls out.
public struct WebServer: Sendable {
    /// To be run beside the ``ActivityService``, in this order: what comes later stops first.
    public let services: [any Service]
    private let address: BoundAddress
    let gateway: MessageGateway
    private let notices: NoticeTeller
    /// What the main listener answers, but for the webhooks.
    let routes: RouteMethods

    /// - Parameters:
    ///   - faults: What keeps the server from being ready, for `/readyz`.
    ///   - metricsText: What `/metrics` says.
    public init(
        _ configuration: WebServerConfiguration, service: ActivityService, parser: CommandParser, words: ReplyWriter,
        admins: Set<UserID>, clock: @escaping WallClock, metrics: ServerMetrics,
        metricsText: @escaping @Sendable () -> String, faults: @escaping @Sendable () async -> [String],
        logger: Logger
    ) async {
        let client = OutboundClient()
        let sockets = SocketRegistry()
        for endpoint in configuration.endpoints {
            guard let warning = endpoint.adapter.startWarning else { continue }
            logger.warning("\(warning)", metadata: ["endpoint.name": "\(endpoint.name)"])
        }
        let dispatcher = ReplyDispatcher(
            service: service,
            transports: Self.transports(of: configuration.endpoints, client: client, sockets: sockets, clock: clock),
            platforms: Dictionary(uniqueKeysWithValues: configuration.endpoints.map { ($0.name, $0.platform) }),
            words: { words.text(for: Activities.Response($0), role: .player) }, clock: clock, metrics: metrics,
            logger: logger)
        let book = AddressBook()
        notices = NoticeTeller(
            service: service, dispatcher: dispatcher, addressBook: book, words: words, clock: clock, logger: logger)
        gateway = MessageGateway(
            service: service, parser: parser, words: words, admins: admins, dispatcher: dispatcher, addressBook: book,
            notices: notices, metrics: metrics)

        let endpoints = Dictionary(uniqueKeysWithValues: configuration.endpoints.map { ($0.name, $0) })
        let refusalLog = RefusalLog(logger: logger)
        let router = Router(context: ServerContext.self, options: .autoGenerateHeadEndpoints)
        WebhookRoutes(
            endpoints: endpoints, gateway: gateway, clock: clock, metrics: metrics, refusalLog: refusalLog,
            logger: logger
        ).add(to: router.group("webhook"))
        let api = router.group("api")
        TrafficRoutes(service: service, clientAddress: ClientAddress(proxies: configuration.trustedProxies))
            .add(to: api.group("traffic"))
        if let secret = configuration.playerTokenSecret {
            ActivityRoutes(
                service: service, words: words, tokens: await PlayerTokens(secret: secret, clock: clock),
                metrics: metrics
            ).add(to: api.group("activity"))
        }
        APIDescription.add(to: router)
        let operation = OperationRoutes(faults: faults, metricsText: metricsText)
        let operationRouter = Router(context: ServerContext.self, options: .autoGenerateHeadEndpoints)
        operation.add(to: configuration.operationPort == nil ? router : operationRouter)
        let place = APIPlace(origins: configuration.corsOrigins)
        let front = Self.front(router, place, logger)
        routes = front.methods

        let socketRoutes = SocketRoutes(
            endpoints: endpoints, gateway: gateway, registry: sockets, clock: clock, metrics: metrics,
            refusalLog: refusalLog, logger: logger)
        // One endpoint that takes more raises the limit of the connection; its neighbours keep their own.
        var limits = configuration.limits
        for endpoint in configuration.endpoints {
            limits.bodySize = max(limits.bodySize, type(of: endpoint.adapter).maximumBodySize)
        }
        address = BoundAddress()
        var listeners = [
            Self.listener(
                "port", configuration.host, configuration.port, address, responder: front, limits: limits,
                server: .guarded(
                    limits: limits, tls: configuration.tls, webSocket: socketRoutes.route, refusals: place.refusals),
                meter: metrics.openConnections, logger)
        ]
        if let port = configuration.operationPort {
            listeners.append(
                Self.listener(
                    "operation_port", "127.0.0.1", port, BoundAddress(),
                    responder: Self.front(operationRouter, APIPlace(origins: []), logger),
                    limits: configuration.limits, server: .guarded(limits: configuration.limits), meter: nil, logger))
        }
        services = [ClientCloser(client: client), notices, dispatcher] + listeners
    }

    /// The ways out, by the endpoint's name; none where there is no way.
    private static func transports(
        of endpoints: [Endpoint], client: OutboundClient, sockets: SocketRegistry, clock: @escaping WallClock
    ) -> [String: any ReplyTransport] {
        var transports: [String: any ReplyTransport] = [:]
        for endpoint in endpoints {
            let http = endpoint.adapter.sender.map { HTTPReplyTransport(sender: $0, client: client, clock: clock) }
            let transport: (any ReplyTransport)? =
                if let socket = (endpoint.adapter as? OneBot11Adapter)?.socket {
                    SocketReplyTransport(endpoint: endpoint.name, socket: socket, registry: sockets, fallback: http)
                } else {
                    http
                }
            guard let transport else { continue }
            transports[endpoint.name] =
                endpoint.replyIntervalMilliseconds.map {
                    PacedReplyTransport(transport, millisecondsPerChat: $0)
                } ?? transport
        }
        return transports
    }

    private static func listener(
        _ portKey: String, _ host: String, _ port: Int, _ address: BoundAddress,
        responder: FrontResponder<RouterResponder<ServerContext>>, limits: ConnectionLimits, server: HTTPServerBuilder,
        meter: Meter?, _ logger: Logger
    ) -> Listener {
        let application = Application(
            responder: responder, server: server,
            configuration: limits.configuration(
                address: .hostname(host, port: port), openConnections: OpenConnections(limits: limits, meter: meter)),
            onServerRunning: { address.note($0.localAddress?.port) }, logger: quiet(logger))
        return Listener(application: application, portKey: portKey, host: host, port: port, address: address)
    }

    /// The port that the server listens on, once it does; 0 when it cannot.
    public var port: Int {
        get async { await address.port }
    }

    private static func front(
        _ router: Router<ServerContext>, _ api: APIPlace, _ logger: Logger
    ) -> FrontResponder<RouterResponder<ServerContext>> {
        FrontResponder(
            routes: router.buildResponder(), methods: RouteMethods(of: router), api: api, logger: logger)
    }

    /// Takes what happened without anybody asking; for the service's `onNotice`.
    public func tell(_ notice: ActivityStateMachine.Notice) {
        notices.take(notice)
    }

    /// The framework logs the start of its server; what operators read is said by the program itself.
    private static func quiet(_ logger: Logger) -> Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .warning)
        return logger
    }
}
