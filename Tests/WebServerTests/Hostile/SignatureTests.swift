import Activities
import Basics
import ChatPlatforms
import Crypto
import Foundation
import GRDB
import SQLiteStore
import TestSupport
import Testing
import WebServer

/// Signatures, times and repetitions, over the network.
///
/// - Source: hardening.md section 1.4.
struct SignatureTests {
    private static let sender = HostileSender.webhook

    private func attacking(
        _ endpoints: [Endpoint]? = nil, _ body: @Sendable (TestServer) async throws -> Void
    ) async throws {
        let endpoints = try endpoints ?? Self.sender.endpoint.map { [try $0()] } ?? []
        try await TestServer.run(endpoints) { (server: TestServer) async throws in try await body(server) }
    }

    private static func body(_ text: String, user: String = "1") -> [UInt8] {
        Array(sender.message(user, 1, text, ManualClock().now).utf8)
    }

    /// Sends `body` with a signature for `signed`, which is `body` unless given, under the headers changed by `change`.
    private func send(
        _ server: TestServer, _ body: [UInt8], id: String = "msg_1", signed: [UInt8]? = nil, at seconds: Int64? = nil,
        key: Data = HostileSender.key, endpoint: String = "webhook",
        _ change: (inout [String: String]) -> Void = { _ in }
    ) async throws -> PeerResponse {
        let now = server.clock.now.milliseconds / 1000
        var headers = HostileSender.standardHeaders(signed ?? body, id: id, at: seconds ?? now, key: key)
        change(&headers)
        return try await server.send(PeerRequest(headers: headers, body: body), to: "/webhook/\(endpoint)")
    }

    // MARK: Row 58

    @Test("hardening row 58: what is no signature is refused") func whatIsNoSignatureIsRefused() async throws {
        try await attacking { (server: TestServer) async throws in
            let body = Self.body("绑定 独行者")
            let good = HostileSender.standardHeaders(body, id: "msg_1", at: server.clock.now.milliseconds / 1000)
            let signature = try #require(good["webhook-signature"])
            let code = String(signature.dropFirst(3))
            let wrong = "v1," + Data(repeating: 7, count: 32).base64EncodedString()
            let lists: [String?] = [
                nil, "", " ", "v1", "v1,", ",", code, "v1:" + code, "V1," + code, "v1, " + code, "v2," + code,
                "v1a," + code, "v1," + code.dropLast(), "v1," + code + "=", "v1," + code.dropLast(4),
                "v1," + code + code,
                "v1,!!!!", "v1,\u{FF41}", "v1," + code.lowercased(), wrong,
                "v1," + Data(count: 64).base64EncodedString(),
                signature + "," + signature,
                // More than eight, the right one among them, first or last.
                ([signature] + Array(repeating: wrong, count: 8)).joined(separator: " "),
                (Array(repeating: wrong, count: 100) + [signature]).joined(separator: " "),
            ]
            for list in lists {
                let response = try await send(server, body) { $0["webhook-signature"] = list }
                #expect(response.status == 401, "\(list ?? "none")")
                #expect(response.body.isEmpty)
            }
            for name in ["webhook-id", "webhook-timestamp"] {
                for value in [nil, "", " "] {
                    #expect(try await send(server, body) { $0[name] = value }.status == 401, "\(name)")
                }
            }
            // Ten thousand do not even fit: they are 480 kB, and all fields together may have 16 KiB, so that the answer is
            // 431 before anybody looks for a signature.
            var connection = try await HostileConnection(server.port)
            let many = Array(repeating: signature, count: 10_000).joined(separator: " ")
            let response = try await connection.exchange(
                "POST", "/webhook/webhook", good.merging(["webhook-signature": many]) { $1 }, body)
            #expect(response?.status == 431)
            await connection.close()
            #expect(try await server.store.data(of: "qq:1").gameID == nil)
            // Eight may stand there, of several keys, the right one last.
            let last = try await send(server, body) {
                $0["webhook-signature"] = (Array(repeating: wrong, count: 7) + [signature]).joined(separator: " ")
            }
            #expect(last.status == 200)
        }
    }

    /// Two headers of one name could be read differently by two readers.
    @Test("hardening row 58: two signatures are none") func twoSignatureHeadersAreNone() async throws {
        try await attacking { (server: TestServer) async throws in
            let body = Self.body("绑定 独行者")
            let headers = HostileSender.standardHeaders(body, id: "msg_1", at: server.clock.now.milliseconds / 1000)
            for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
                var connection = try await HostileConnection(server.port)
                var doubled = headers
                doubled[name.uppercased()] = headers[name]
                let response = try await connection.exchange("POST", "/webhook/webhook", doubled, body)
                #expect(response?.status == 401, "\(name)")
                await connection.close()
            }
        }
    }

    // MARK: Row 59

    @Test("hardening rows 36, 59: the bytes are signed and not their meaning")
    func theBytesAreSignedAndNotTheirMeaning() async throws {
        try await attacking { (server: TestServer) async throws in
            let body = Self.body("绑定 独行者")
            let text = String(decoding: body, as: UTF8.self)
            let value = try JSONSerialization.jsonObject(with: Data(body))
            let serialized = try JSONSerialization.data(withJSONObject: value, options: [.sortedKeys])
            for other in [
                Array(serialized), Array((text + " ").utf8), Array((text + "\n").utf8),
                Array(text.replacing(":", with: ": ").utf8), Array(text.replacing("独", with: "\\u72ec").utf8),
                Array(text.dropLast().utf8), [], Array((text + text).utf8),
            ] {
                #expect(try await send(server, other, signed: body).status == 401)
            }
            // An extra member is covered as well.
            let extra = Array(("{\"x\":1," + text.dropFirst()).utf8)
            #expect(try await send(server, extra, signed: body).status == 401)
            #expect(try await send(server, extra).status == 200)
        }
    }

    @Test func theIdAndTheTimeAreSignedToo() async throws {
        try await attacking { (server: TestServer) async throws in
            let body = Self.body("绑定 独行者")
            #expect(try await send(server, body) { $0["webhook-id"] = "msg_2" }.status == 401)
            let now = server.clock.now.milliseconds / 1000
            #expect(try await send(server, body) { $0["webhook-timestamp"] = String(now + 1) }.status == 401)
            // A full stop would let the id take over the time.
            for id in ["msg.1", "a b", "消息", String(repeating: "a", count: 129)] {
                #expect(try await send(server, body, id: id).status == 401, "\(id)")
            }
        }
    }

    // MARK: Row 60

    @Test("hardening row 60: a time outside the window is refused") func aTimeOutsideTheWindowIsRefused() async throws {
        try await attacking { (server: TestServer) async throws in
            let body = Self.body("我的绑定")
            let now = server.clock.now.milliseconds / 1000
            for offset: Int64 in [-301, 301, -3600, 3600, -now, 1_000_000_000_000_000_000 - now] {
                #expect(try await send(server, body, at: now + offset).status == 401, "\(offset)")
            }
            #expect(try await send(server, body, at: now * 1000).status == 401, "milliseconds")
            for text in [
                "", "now", "-1", "+\(now)", " \(now)x", "\(now).0", "0x6B6B", "1e9", "\(Int64.max)0",
                "99999999999999999999",
                "\(now)\u{0660}",
            ] {
                let response = try await send(server, body) { headers in
                    let code = HostileSender.hmac(
                        SHA256.self, Data("msg_1.\(text).".utf8) + Data(body), HostileSender.key)
                    headers["webhook-timestamp"] = text
                    headers["webhook-signature"] = "v1," + code.base64EncodedString()
                }
                #expect(response.status == 401, "\(text)")
            }
            for offset: Int64 in [-300, 0, 300] {
                #expect(try await send(server, body, id: "msg_\(offset)", at: now + offset).status == 200, "\(offset)")
            }
        }
    }

    // MARK: Rows 61 to 63

    @Test("hardening rows 61, 62: a replay gets the stored answer inside the window only")
    func aReplayGetsTheStoredAnswerInsideTheWindowOnly() async throws {
        try await attacking { (server: TestServer) async throws in
            #expect(try await send(server, Self.body("绑定 独行者"), id: "msg_b").status == 200)
            let draw = Self.body("抽奖")
            let sent = server.clock.now.milliseconds / 1000
            let first = try await send(server, draw, id: "msg_d", at: sent)
            #expect(first.text.contains("恭喜中奖"))
            server.clock.advance(seconds: 300)
            #expect(try await send(server, draw, id: "msg_d", at: sent) == first)
            // The sender may also sign the repetition anew.
            #expect(try await send(server, draw, id: "msg_d") == first)
            server.clock.advance(seconds: 1)
            #expect(try await send(server, draw, id: "msg_d", at: sent).status == 401)
            #expect(try await server.drawCount() == 1)
            // The very bytes under another id are another message.
            #expect(try await send(server, draw, id: "msg_e").text.contains("恭喜中奖") == false)
            #expect(try await server.drawCount() == 1)
        }
    }

    @Test("hardening row 63: the same id for something else is a conflict") func theSameIdForSomethingElseIsAConflict()
        async throws
    {
        let folder = FileManager.default.temporaryDirectory.appending(path: "hongbao-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "hongbao.db").path
        let endpoints = try Self.sender.endpoint.map { [try $0()] } ?? []
        try await TestServer.run(endpoints, path: path) { (server: TestServer) async throws in
            let first = try await send(server, Self.body("绑定 独行者"))
            #expect(first.status == 200)
            for (text, user) in [("绑定 独行者", "2"), ("抽奖", "1"), ("绑定 同行者", "1"), ("我的绑定", "1")] {
                let response = try await send(server, Self.body(text, user: user))
                #expect(response.status == 409, "\(text) of \(user): \(response.text)")
            }
            // Spelled otherwise it is the same.
            for text in ["/绑定 独行者", "绑定　独行者", "  绑定   独行者 ", "綁定 独行者"] {
                #expect(try await send(server, Self.body(text)) == first, "\(text)")
            }
            #expect(try await server.store.data(of: "qq:1").gameID == "独行者")
            #expect(try await server.store.data(of: "qq:2").gameID == nil)
            #expect(try await server.drawCount() == 0)
        }
        // Each attempt stands in the audit log, by whoever made it.
        let audited = try DatabaseQueue(path: path).read { db in
            try Row.fetchAll(
                db, sql: "SELECT actor, target, result FROM bot_audit_log WHERE action = 'message.reused' ORDER BY id")
        }
        #expect(audited.map { $0["actor"] as String } == ["qq:2", "qq:1", "qq:1", "qq:1"])
        #expect(audited.allSatisfy { ($0["target"] as String).contains("msg_1") && $0["result"] == "bad_argument" })
    }

    // MARK: Rows 64 and 65

    private static func endpoint(
        _ name: String, _ key: Data, previous: (key: Data, until: Instant)? = nil
    ) throws -> Endpoint {
        func adapter(_ key: Data) throws -> any PlatformAdapter {
            try HostileSender.adapter(.webhook, ["secret": "whsec_" + key.base64EncodedString()])
        }
        return Endpoint(
            name: name, adapter: try adapter(key), identity: "qq",
            previous: try previous.map { (try adapter($0.key), $0.until) })
    }

    @Test("hardening row 64: an endpoint's key is for that endpoint") func anEndpointsKeyIsForThatEndpoint()
        async throws
    {
        let (keyA, keyB) = (Data("key-of-endpoint-a-0000000001".utf8), Data("key-of-endpoint-b-0000000001".utf8))
        try await attacking([try Self.endpoint("a", keyA), try Self.endpoint("b", keyB)]) {
            (server: TestServer) async throws in
            let body = Self.body("绑定 独行者")
            #expect(try await send(server, body, key: keyA, endpoint: "b").status == 401)
            #expect(try await send(server, body, key: keyB, endpoint: "a").status == 401)
            #expect(try await send(server, body, key: keyA, endpoint: "c").status == 404)
            #expect(try await send(server, body, key: keyA, endpoint: "a").status == 200)
            #expect(try await send(server, body, key: keyB, endpoint: "b").status == 200)
        }
    }

    @Test("hardening row 65: an old secret is good until its end") func anOldSecretIsGoodUntilItsEnd() async throws {
        let (old, new) = (Data("key-of-the-old-days-00000001".utf8), Data("key-of-the-new-days-00000001".utf8))
        let until = ManualClock().now.advanced(bySeconds: 3600)
        try await attacking([try Self.endpoint("a", new, previous: (old, until))]) {
            (server: TestServer) async throws in
            let body = Self.body("我的绑定")
            #expect(try await send(server, body, key: old, endpoint: "a").status == 200)
            #expect(try await send(server, body, id: "msg_2", key: new, endpoint: "a").status == 200)
            // The same message signed with the other secret is the same message.
            #expect(try await send(server, Self.body("抽奖"), id: "msg_2", key: old, endpoint: "a").status == 409)
            server.clock.advance(milliseconds: 3_599_999)
            #expect(try await send(server, body, id: "msg_3", key: old, endpoint: "a").status == 200)
            server.clock.advance(milliseconds: 1)
            #expect(try await send(server, body, id: "msg_4", key: old, endpoint: "a").status == 401)
            #expect(try await send(server, body, id: "msg_4", key: new, endpoint: "a").status == 200)
        }
    }

    // MARK: Row 67

    @Test("hardening row 67: a signature has one spelling") func aHexSignatureHasOneSpelling() async throws {
        let sender = HostileSender.onebot11
        try await sender.attacking { (server: TestServer) async throws in
            let body = Array(sender.message("1", 1, "绑定 独行者", server.clock.now).utf8)
            let good = try #require(sender.sign(body, 1, server.clock.now).headers["X-Signature"])
            for signature in [
                good.uppercased(), "sha1=" + good.dropFirst(5).uppercased(), "SHA1=" + good.dropFirst(5),
                String(good.dropFirst(5)), good + "0", String(good.dropLast()), "sha1= " + good.dropFirst(5),
                "sha256=" + good.dropFirst(5), "sha1=", "sha1=" + String(repeating: "0", count: 40),
                good.replacing("a", with: "\u{FF41}").replacing("1", with: "\u{FF11}"), "",
            ] {
                let response = try await server.send(
                    PeerRequest(headers: ["Content-Type": "application/json", "X-Signature": signature], body: body),
                    to: sender.path)
                #expect(response.status == 403, "\(signature)")
            }
            #expect(try await server.store.data(of: "qq:1").gameID == nil)
        }
    }

    @Test("hardening row 67: a token is compared as it stands") func aTokenIsComparedAsItStands() async throws {
        let sender = HostileSender.telegram
        try await sender.attacking { (server: TestServer) async throws in
            let body = Array(sender.message("1", 1, "绑定 独行者", server.clock.now).utf8)
            for token in [
                "", HostileSender.secret.uppercased(), HostileSender.secret + "x",
                String(HostileSender.secret.dropLast()),
                HostileSender.secret.replacing("e", with: "\u{435}"),
            ] {
                let response = try await server.send(
                    PeerRequest(
                        headers: [
                            "Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": token,
                        ], body: body), to: sender.path)
                #expect(response.status == 401, "\(token)")
            }
            #expect(try await server.store.data(of: "qq:1").gameID == nil)
        }
    }

    // MARK: Row 68

    /// A handshake whose proof was spoilt.
    private static func forged(_ request: PeerRequest) -> PeerRequest? {
        func spoilt(_ text: String) -> String {
            guard let last = text.last else { return text }
            return text.dropLast() + (last == "0" ? "1" : "0")
        }
        var forged = request
        if let range = request.path.firstRange(of: "signature=") {
            let old = request.path[range.upperBound]
            forged.path.replaceSubrange(range.upperBound...range.upperBound, with: old == "0" ? "1" : "0")
            return forged
        }
        var isForged = false
        for (name, value) in request.headers where !["Content-Type", "User-Agent"].contains(name) {
            guard name.lowercased().contains("sign") || name.lowercased() == "authorization" else { continue }
            forged.headers[name] = value.hasSuffix("=") ? "0" + value.dropFirst() : spoilt(value)
            isForged = true
        }
        if isForged { return forged }
        let text = String(decoding: request.body, as: UTF8.self)
        guard let range = text.firstRange(of: "\"encrypt\":\"") else { return nil }
        var body = request.body
        let offset = text.utf8.distance(from: text.startIndex, to: range.upperBound) + 40
        body[offset] = body[offset] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
        forged.body = body
        return forged
    }

    @Test("hardening row 68: a forged handshake is refused", arguments: PlatformEndToEndTests.cases)
    func aForgedHandshakeIsRefusedAndNothingIsReflected(_ example: PlatformEndToEndTests.Case) async throws {
        let peer = example.peer
        let adapter = try HostileSender.adapter(peer.platform, peer.settings(api: "http://127.0.0.1:1"))
        try await attacking([Endpoint(name: "x", adapter: adapter, identity: "qq")]) {
            (server: TestServer) async throws in
            guard let (request, isRight) = peer.handshake(at: server.clock.now) else { return }
            #expect(isRight(try await server.send(request, to: "/webhook/x")))
            // QQ's is not signed: there the answer proves us, and is bound to the time.
            guard let forged = Self.forged(request) else { return #expect(peer.platform == .qq) }
            let response = try await server.send(forged, to: "/webhook/x")
            #expect([401, 403].contains(response.status), "\(response.status) \(response.text)")
            #expect(!response.text.contains("hallenge") && response.body.count < 100, "\(response.text)")
        }
    }

    @Test("hardening row 68: a challenge is never HTML") func aChallengeIsNeverHTML() async throws {
        let envelope = WeChatPeerEnvelope(
            token: "hostilesendertoken000001", keyText: "hostileSenderKey0123456789ABCDEFGHIJKLMNOPQ",
            receiverID: HostileSender.receiverID)
        let script = "<script>alert(1)</script>"
        for sender in HostileSender.xml {
            try await sender.attacking { (server: TestServer) async throws in
                let now = server.clock.now
                let timestamp = String(now.milliseconds / 1000)
                let nonce = WeChatPeerEnvelope.nonce
                let plain = "?signature=\(envelope.signature([timestamp, nonce]))&timestamp=\(timestamp)&nonce=\(nonce)"
                let encrypted = envelope.encrypted(script)
                let sealed = envelope.query(encrypted, at: now)
                for (query, echo) in [
                    (plain, script), (sealed, WeChatPeerEnvelope.percentEncoded(encrypted)), (sealed, script),
                    ("?signature=\(String(repeating: "0", count: 40))&timestamp=\(timestamp)&nonce=\(nonce)", script),
                    ("?", script),
                ] {
                    let encoded = echo.replacing("<", with: "%3C").replacing(">", with: "%3E")
                    let response = try await server.get("/webhook/\(sender.name)\(query)&echostr=\(encoded)")
                    #expect([200, 400, 401].contains(response.status))
                    let type = response.headers["content-type"] ?? "none"
                    #expect(!type.contains("html") && !type.contains("xml"), "\(type)")
                    if response.text.contains("script") {
                        // What the platform itself encrypted is echoed, as text that no browser guesses at.
                        #expect(response.status == 200 && sender.name == "wecom")
                        #expect(type.hasPrefix("text/plain"))
                        #expect(response.headers["x-content-type-options"] == "nosniff")
                    }
                }
            }
        }
    }

    // MARK: Row 69

    /// Whatever is wrong behind a right signature, the answer is the same: nothing tells the padding from the rest.
    @Test("hardening row 69: a broken ciphertext tells nothing", arguments: HostileSender.xml)
    func aBrokenCiphertextTellsNothing(_ sender: HostileSender) async throws {
        try await sender.attacking { (server: TestServer) async throws in
            let now = server.clock.now
            let xml = Data(HostileSender.xml("1", 1, "绑定 独行者", now).utf8)
            let receiver = Data(HostileSender.receiverID.utf8)
            func plaintext(
                length: Int? = nil, receiver other: Data? = nil, padding: (Int) -> [UInt8]
            ) -> Data {
                var data = Data(repeating: 7, count: 16)
                let length = UInt32(truncatingIfNeeded: length ?? xml.count)
                withUnsafeBytes(of: length.bigEndian) { data.append(contentsOf: $0) }
                data += xml + (other ?? receiver)
                return data + padding(32 - data.count % 32)
            }
            let whole: (Int) -> [UInt8] = { Array(repeating: UInt8($0), count: $0) }
            let good = try HostileSender.encryptedRaw(plaintext(padding: whole))
            var broken = try [
                plaintext { Array(repeating: 0, count: $0) }, plaintext { Array(repeating: 33, count: $0) },
                plaintext { Array(repeating: 255, count: $0) },
                plaintext { count in count < 2 ? [99] : [1] + Array(repeating: UInt8(count), count: count - 1) },
                plaintext(length: xml.count + 1, padding: whole), plaintext(length: 1 << 30, padding: whole),
                plaintext(length: -1, padding: whole), plaintext(length: 0, padding: whole),
                plaintext(receiver: Data("another".utf8), padding: whole), plaintext(receiver: Data(), padding: whole),
                Data(repeating: 16, count: 16), Data(repeating: 1, count: 32),
            ].map { try HostileSender.encryptedRaw($0) }
            broken += ["", "AAAA", "not base64!", String(good.dropLast(4)), String(good.dropLast(24)) + "=="]
            var flipped = try #require(Data(base64Encoded: good))
            flipped[flipped.count - 20] ^= 1
            broken.append(flipped.base64EncodedString())
            // And what is not signed at all.
            let unsigned = HostileSender.wrapped(good)
            let wrong = try await server.send(
                PeerRequest(
                    path: "?msg_signature=\(String(repeating: "0", count: 40))&timestamp=1802232000&nonce=1",
                    headers: ["Content-Type": "text/xml"], body: Array(unsigned.utf8)), to: sender.path)
            #expect(wrong.status == 401)
            for (number, encrypted) in broken.enumerated() {
                let body = Array(HostileSender.wrapped(encrypted).utf8)
                let (response, honest) = try await sender.attack(server, body, id: 100 + number)
                #expect(response?.status == wrong.status, "ciphertext \(number): \(response?.status ?? 0)")
                #expect(response?.body == wrong.body)
                #expect(response?.headers.keys.sorted() == wrong.headers.keys.sorted())
                #expect(honest.allSatisfy { $0.status == 200 })
            }
            #expect(try await server.store.data(of: "qq:1").gameID == nil)
            let (response, _) = try await sender.attack(server, Array(HostileSender.wrapped(good).utf8), id: 1)
            #expect(response?.status == 200)
            #expect(try await server.store.data(of: "qq:1").gameID == "独行者")
        }
    }
}

extension PeerResponse: Equatable {
    /// All but when it was said.
    static func == (left: PeerResponse, right: PeerResponse) -> Bool {
        left.status == right.status && left.body == right.body
            && left.headers["content-type"] == right.headers["content-type"]
    }
}
