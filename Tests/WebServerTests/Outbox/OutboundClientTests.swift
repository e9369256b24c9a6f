import ChatPlatforms
import Testing

@testable import WebServer

/// Calls out, and what they must not do.
///
/// - Source: hardening.md section 3.4.
struct OutboundClientTests {
    private func make(_ url: String, allowedHosts: Set<String> = ["127.0.0.1"]) async throws -> OutboundAnswer? {
        let client = OutboundClient()
        let call = OutboundCall.json(.object([:]), to: try #require(OutboundURL(url)))
        let answer = await client.make(call, allowedHosts: allowedHosts)
        await client.shutDown()
        return answer
    }

    private func status(_ url: String, allowedHosts: Set<String> = ["127.0.0.1"]) async throws -> Int? {
        try await make(url, allowedHosts: allowedHosts)?.status
    }

    @Test("hardening row 77: only allowed hosts are called") func onlyAllowedHostsAreCalled() async throws {
        try await OddAPI.run { _ in
            .ordinary(status: 200, body: "{}")
        } _: { api async throws in
            #expect(try await status(api.url, allowedHosts: ["api.example.org"]) == 403)
            #expect(try await status(api.url, allowedHosts: []) == 403)
            #expect(api.count == 0)
            #expect(try await status(api.url) == 200)
            #expect(api.count == 1)
        }
    }

    @Test("hardening row 77: plain HTTP goes no further than nearby") func plainHTTPGoesNoFurtherThanNearby()
        async throws
    {
        #expect(try await status("http://203.0.113.1/", allowedHosts: ["203.0.113.1"]) == 403)
        #expect(try await status("http://api.example.org/", allowedHosts: ["api.example.org"]) == 403)
    }

    @Test("hardening row 77: redirects are not followed") func redirectsAreNotFollowed() async throws {
        try await StubAPI.run { _, _ in
            PeerResponse(status: 200)
        } _: { other in
            let response = PeerResponse(status: 302, headers: ["location": other.url])
            try await StubAPI.run(answer: { _, _ in response }) { api async throws in
                #expect(try await status(api.url) == 302)
                #expect(api.calls.count == 1 && other.calls.isEmpty)
            }
        }
    }

    @Test func aLargeAnswerIsNotRead() async throws {
        let size = 32 << 20
        try await OddAPI.run { _ in
            .large(size: size)
        } _: { api async throws in
            let answer = try #require(try await make(api.url))
            // What the status says is known all the same: calling again would say it twice.
            #expect(answer.status == 200 && answer.body.isEmpty)
            // No more than the sockets' buffers hold.
            #expect(api.takenSize < size / 2)
        }
    }

    @Test(.timeLimit(.minutes(1))) func anAnswerThatNeverEndsIsGivenUp() async throws {
        try await OddAPI.run { _ in
            .trickle
        } _: { api async throws in
            let start = ContinuousClock.now
            let answer = try #require(try await make(api.url))
            #expect(answer.status == 200 && answer.body.isEmpty)
            #expect(ContinuousClock.now - start < .seconds(40))
        }
    }

    @Test(.timeLimit(.minutes(1))) func whoDoesNotAnswerIsGivenUp() async throws {
        try await OddAPI.run { _ in
            .nothing
        } _: { api async throws in
            let start = ContinuousClock.now
            #expect(try await make(api.url) == nil)
            #expect(ContinuousClock.now - start < .seconds(40))
        }
        let held = try ClosedPort()
        let port = held.number
        #expect(try await make("http://127.0.0.1:\(port)") == nil)
    }
}
