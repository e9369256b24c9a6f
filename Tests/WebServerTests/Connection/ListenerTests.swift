import Foundation
import NIOCore
import ServiceLifecycle
import Testing

@testable import WebServer

/// Which key of the configuration is named when a server cannot listen.
struct ListenerTests {
    private struct Failing: Service {
        let error: any Error

        func run() async throws { throw error }
    }

    private struct Unforeseen: Error {}

    private func fault(_ error: any Error) async throws -> ListeningFault {
        let listener = Listener(
            application: Failing(error: error), portKey: "operation_port", host: "h", port: 1, address: BoundAddress())
        var thrown: (any Error)?
        do { try await listener.run() } catch { thrown = error }
        return try #require(thrown as? ListeningFault)
    }

    @Test func onlyWhatTheAddressCausesIsTheHostsFault() async throws {
        let unknown = #expect(throws: SocketAddressError.UnknownHost.self) {
            try SocketAddress.makeAddressResolvingHost("no-such-host.invalid", port: 1)
        }
        let errors: [any Error] = [
            try #require(unknown), SocketAddressError.unsupported, IOError(errnoCode: EADDRNOTAVAIL, reason: "bind"),
        ]
        for error in errors {
            let fault = try await fault(error)
            guard case .addressUnknown = fault.reason else {
                Issue.record("\(error): \(fault)")
                continue
            }
            #expect(fault.key == "host")
        }
    }

    /// A certificate that does not fit its key, or a fault that nobody thought of, is not put down to the host.
    @Test func anythingElseIsSaidAsItIs() async throws {
        for error in [Unforeseen(), IOError(errnoCode: EMFILE, reason: "bind")] as [any Error] {
            let fault = try await fault(error)
            guard case .other(let cause) = fault.reason else {
                Issue.record("\(error): \(fault)")
                continue
            }
            #expect(fault.key == "operation_port")
            #expect(cause == "\(error)")
        }
    }
}
