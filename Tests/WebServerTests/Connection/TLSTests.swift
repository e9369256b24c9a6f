import HTTPTypes
import NIOCore
import NIOSSL
import Testing
import WebServer

/// The same behind TLS, which changes how connections begin and end.
@Suite(.serialized)
struct TLSTests {
    /// For nothing but these tests.
    private static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgr7LUYIXXSHu4qPXp
        ANdWSW2Oce6bKvIDHUEGP4QVFeKhRANCAATT6//L/sn9/slOk86Kyl/IZp2JeoYC
        EyJ0vQSpmjOcFoZ27HlIcVZhyQEa11YEXinNh3lKk6McVO7ZARaFccSz
        -----END PRIVATE KEY-----
        """
    private static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBljCCATugAwIBAgIUBIQM+7g+I+7O+yh3vfvZJIAfbdgwCgYIKoZIzj0EAwIw
        FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTAzMzUzNloYDzIxMjYxMDI4
        MDMzNTM2WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
        PQMBBwNCAATT6//L/sn9/slOk86Kyl/IZp2JeoYCEyJ0vQSpmjOcFoZ27HlIcVZh
        yQEa11YEXinNh3lKk6McVO7ZARaFccSzo2kwZzAdBgNVHQ4EFgQU4gPizKXA1vSi
        s7jYqwvXv2bJcgUwHwYDVR0jBBgwFoAU4gPizKXA1vSis7jYqwvXv2bJcgUwDwYD
        VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
        SQAwRgIhAOvn7WLVzTIxJmJNCmuvCP03vDZu1Ol1/rP2OtxXX/ADAiEAjUm1+0MY
        qlv1TPavRvXDRQEt9Dvx+kEK38cMstFxoiM=
        -----END CERTIFICATE-----
        """

    private func configuration() throws -> TLSConfiguration {
        let certificate = try NIOSSLCertificate(bytes: Array(Self.certificate.utf8), format: .pem)
        let key = try NIOSSLPrivateKey(bytes: Array(Self.key.utf8), format: .pem)
        return .makeServerConfiguration(certificateChain: [.certificate(certificate)], privateKey: .privateKey(key))
    }

    private func open(_ server: GuardedServer) async throws -> RawConnection {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        let context = try NIOSSLContext(configuration: configuration)
        return try await RawConnection.open(server.port) {
            try NIOSSLClientHandler(context: context, serverHostname: nil)
        }
    }

    @Test func requestsAreServed() async throws {
        try await GuardedServer.run(.changed { _ in }, tls: configuration()) { server in
            let connection = try await open(server)
            try await connection.send(
                "GET /number/1 HTTP/1.1\r\nHost: a\r\n\r\nGET /number/2 HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = await connection.until("<2>")
            try await connection.send("GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(await connection.untilClosed().hasSuffix("slow"))
        }
    }

    @Test func refusalIsAnsweredAndClosed() async throws {
        try await GuardedServer.run(.changed { _ in }, tls: configuration()) { server in
            let large = try await open(server)
            try await large.send("POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            let sending = Task {
                await large.sendEndlessly("4000\r\n" + String(repeating: "x", count: 0x4000) + "\r\n")
            }
            #expect(await large.untilClosed().hasPrefix("HTTP/1.1 413 "))
            await sending.value
            #expect(await eventually { server.openConnections.count == 0 })
        }
    }

    @Test func slowReaderIsCutOff() async throws {
        let limits = ConnectionLimits.changed { $0.writeDeadline = .milliseconds(500) }
        try await GuardedServer.run(limits, tls: configuration()) { server in
            let slow = try await open(server)
            try await slow.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = await slow.until("hello")
            try await slow.channel.setOption(.autoRead, value: false).get()
            try await slow.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(await eventually { server.openConnections.count == 0 })
            await slow.close()
        }
    }

    @Test func handshakeHasADeadline() async throws {
        let limits = ConnectionLimits.changed { $0.handshakeDeadline = .milliseconds(500) }
        try await GuardedServer.run(limits, tls: configuration()) { server in
            let silent = try await server.open()
            let started = try await server.open()
            // The start of a record that never ends.
            try await started.send([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
            _ = await silent.untilClosed()
            _ = await started.untilClosed()
        }
    }

    @Test func webSocketIsServed() async throws {
        let route = WebSocketRoute { request, _ in
            request.scheme == "https"
                ? .accept(subprotocol: nil) { connection in try? await connection.send(Array("welcome".utf8)) }
                : .notMine
        }
        try await GuardedServer.run(.changed { _ in }, tls: configuration(), webSocket: route) { server in
            let connection = try await open(server)
            try await connection.send(
                "GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
            _ = await connection.until("welcome")
            await connection.close()
        }
    }
}
