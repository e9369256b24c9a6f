internal import Hummingbird
internal import Logging
internal import NIOCore

/// What a request is handled with.
struct ServerContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    private let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }

    /// The address at the other end of the connection, without its port; empty when unknown. Made when it is asked for,
    /// since few routes do.
    var peerAddress: String { channel.remoteAddress?.ipAddress ?? "" }
}
