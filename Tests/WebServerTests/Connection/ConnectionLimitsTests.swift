import Hummingbird
import NIOHTTP1
import Testing

@testable import WebServer

/// What holds where nobody sets anything else.
///
/// - Source: hardening.md section 3.1.
struct ConnectionLimitsTests {
    @Test func theDefaultsAreThoseOfTheHardeningTable() {
        for limits in [ConnectionLimits(), WebServerConfiguration().limits] {
            #expect(limits.idle == .seconds(15))
            #expect(limits.requestDeadline == .seconds(10))
            #expect(limits.writeDeadline == .seconds(10))
            #expect(limits.handshakeDeadline == .seconds(10))
            #expect(limits.shutdownDeadline == .seconds(5))
            #expect(limits.bodySize == 1_048_576)
            #expect(limits.headerFieldSize == 8_192)
            #expect(limits.headerListSize == 16_384)
            #expect(limits.headerCount == 64)
            #expect(limits.targetSize == 8_192)
            #expect(limits.connectionCount == 4_096)
            #expect(limits.backlog == 1_024)
            #expect(limits.pipelinedCount == 64)
            #expect(limits.webSocketMessageSize == 1_048_576)
            #expect(limits.webSocketIdle == .seconds(60))
            #expect(limits.webSocketPing == .seconds(20))
        }
        #expect(APIBody.maximumSize == 65_536)
        let configuration = ConnectionLimits().configuration(
            address: .hostname("127.0.0.1", port: 0), openConnections: OpenConnections())
        #expect(configuration.backlog == 1_024 && configuration.reuseAddress)
        #expect(configuration.availableConnectionsDelegate is OpenConnections)
    }

    /// What is refused before the parser sees it, and what is left to who knows what was asked.
    @Test func theHeadOfARefusedRequestIsHandedOn() {
        func verdict(_ text: String) -> RequestFraming.Verdict {
            var framing = RequestFraming(limits: ConnectionLimits())
            return Array(text.utf8).withUnsafeBytes { framing.accept($0) }
        }
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(verdict(head + "x") == .refused(.badRequest, headEnd: head.utf8.count))
        #expect(verdict(head + "FFFFFFFF\r\n") == .refused(.payloadTooLarge, headEnd: head.utf8.count))
        #expect(verdict("POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\n") == .refused(.badRequest, headEnd: nil))
        #expect(verdict("POST / HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\nx") == .partial)
    }
}
