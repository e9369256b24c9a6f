internal import Foundation
internal import NIOCore
internal import ServiceLifecycle

/// Why the server cannot listen where it should.
public struct ListeningFault: Error, Sendable {
    public enum Reason: Sendable {
        case portInUse
        /// Mostly a port below 1024.
        case notPermitted
        /// The host names no address of this machine.
        case addressUnknown
        case other(String)
    }

    /// The key of the configuration whose value is at fault.
    public let key: String
    public let host: String
    public let port: Int
    public let reason: Reason
}

/// A listener that says in the operator's terms why it cannot begin.
struct Listener: Service {
    let application: any Service
    let portKey: String
    let host: String
    let port: Int
    let address: BoundAddress

    func run() async throws {
        do {
            try await application.run()
            address.note(nil)
        } catch {
            // Once it listens, what goes wrong is another matter.
            let hasListened = address.isKnown
            address.note(nil)
            throw hasListened ? error : fault(error)
        }
    }

    private func fault(_ error: any Error) -> ListeningFault {
        var (key, reason) = (portKey, ListeningFault.Reason.other("\(error)"))
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE: reason = .portInUse
        case EACCES, EPERM: reason = .notPermitted
        case EADDRNOTAVAIL, EAFNOSUPPORT: (key, reason) = ("host", .addressUnknown)
        case nil where Self.isOfResolver(error): (key, reason) = ("host", .addressUnknown)
        default: break
        }
        return ListeningFault(key: key, host: host, port: port, reason: reason)
    }

    private static func isOfResolver(_ error: any Error) -> Bool {
        error is SocketAddressError || error is SocketAddressError.UnknownHost
    }
}
