import Activities
import Basics
import ChatPlatforms
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import SQLiteStore
import TestSupport
import Testing
import WebServer

/// Bodies that a careless reader would misunderstand, rightly signed, over the network.
///
/// - Source: hardening.md section 1.2.
struct HostileBodyTests {
    /// A row, and what it makes of a good document.
    struct Row: Sendable, CustomTestStringConvertible {
        let row: Int
        let name: String
        var headers: [String: String] = [:]
        var status = 400
        let make: @Sendable (String) -> [UInt8]

        var testDescription: String { "row \(row): \(name)" }

        /// With `text` as the first member of the document.
        static func member(_ row: Int, _ text: String) -> Row {
            Row(row: row, name: text.count > 40 ? String(text.prefix(40)) + "…" : text) { document in
                Array(("{" + text + "," + document.dropFirst()).utf8)
            }
        }

        static func bytes(_ row: Int, _ name: String, _ make: @escaping @Sendable (String) -> [UInt8]) -> Row {
            Row(row: row, name: name, make: make)
        }

        static func nested(_ depth: Int) -> Row {
            Row(row: 27, name: "nesting \(depth)") { document in
                let value = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
                return Array(("{\"x\":" + value + "," + document.dropFirst()).utf8)
            }
        }
    }

    static let jsonRows: [Row] =
        [
            .member(23, #""x":1,"x":1"#), .member(23, #""a":1,"\u0061":2"#), .member(23, #""x":{"y":[{"k":1,"k":2}]}"#),
            .bytes(24, "a trailing comma") { Array(($0.dropLast() + ",}").utf8) }, .member(24, #""x":[1,]"#),
            .bytes(25, "a byte order mark") { [0xEF, 0xBB, 0xBF] + $0.utf8 },
            .bytes(25, "UTF-16, little end first") { text in text.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
            },
            .bytes(25, "UTF-16, big end first, marked") { text in
                [0xFE, 0xFF] + text.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
            },
            .bytes(25, "UTF-32") { text in
                text.unicodeScalars.flatMap { scalar in (0..<4).map { UInt8(scalar.value >> ($0 * 8) & 0xFF) } }
            },
            .bytes(26, "garbage behind") { Array(($0 + " x").utf8) },
            .bytes(26, "a zero byte behind") { Array($0.utf8) + [0] },
            .bytes(26, "two documents") { Array(($0 + $0).utf8) },
            .bytes(26, "NDJSON") { Array(($0 + "\n" + $0).utf8) },
            .bytes(26, "nothing") { _ in [] }, .bytes(26, "white space") { _ in Array(" \n\t ".utf8) },
            .bytes(26, "half of it") { Array($0.utf8.prefix($0.utf8.count / 2)) },
            .bytes(26, "a comment") { Array(("/* x */" + $0).utf8) },
            .bytes(26, "an array") { Array(("[" + $0 + "]").utf8) }, .bytes(26, "null") { _ in Array("null".utf8) },
            .bytes(26, "a string") { _ in Array("\"x\"".utf8) },
            .nested(32), .nested(511), .nested(512), .nested(30_000),
            .bytes(27, "never closed") { _ in Array(repeating: UInt8(ascii: "["), count: 60_000) },
            .member(29, #""x":NaN"#), .member(29, #""x":Infinity"#), .member(29, #""x":-Infinity"#),
            .member(29, #""x":+1"#),
            .member(29, #""x":01"#), .member(29, #""x":.5"#), .member(29, #""x":1."#), .member(29, #""x":0x10"#),
            .member(29, "\"x\":" + String(repeating: "9", count: 30_000)),
            .member(32, #""x":"a\u0000b""#), .member(32, #""\u0000":1"#),
            .bytes(33, "an overlong slash") {
                Array("{\"x\":\"".utf8) + [0xC0, 0xAF] + Array(("\"," + $0.dropFirst()).utf8)
            },
            .bytes(33, "no UTF-8") { Array("{\"x\":\"".utf8) + [0xFF, 0xFE] + Array(("\"," + $0.dropFirst()).utf8) },
            .bytes(33, "half of a character") {
                Array("{\"x\":\"".utf8) + [0xE6, 0x8A] + Array(("\"," + $0.dropFirst()).utf8)
            },
            .bytes(33, "a surrogate as bytes") {
                Array("{\"x\":\"".utf8) + [0xED, 0xA0, 0x80] + Array(("\"," + $0.dropFirst()).utf8)
            },
            .member(33, #""x":"\ud800""#), .member(33, #""x":"\udc00\ud800""#), .member(33, #""x":"\ud800a""#),
            .member(33, "\"x\":\"a\u{1}b\""), .member(33, #""x":"\x41""#),
            .member(34, (0..<5000).map { "\"\($0)\":0" }.joined(separator: ",")),
            .member(34, "\"" + String(repeating: "k", count: 60_000) + "\":1"),
        ]
        + [
            "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "text/html",
            "application/xml", "application/jsonp",
        ].map { Row(row: 41, name: $0, headers: ["Content-Type": $0], status: 415) { Array($0.utf8) } }
        + [
            Row(row: 41, name: "no Content-Type", headers: ["Content-Type": ""], status: 415) { Array($0.utf8) }
        ]
        + ["gzip", "deflate", "br", "gzip, identity", "zstd"].map {
            Row(row: 42, name: $0, headers: ["Content-Encoding": $0], status: 415) { Array($0.utf8) }
        }

    /// All rows over one server, since a start takes longer than a row.
    @Test(
        "hardening rows 23, 24, 25, 26, 27, 29, 32, 33, 34, 41, 42: a body that could be misread is refused",
        arguments: HostileSender.json)
    func aBodyThatCouldBeMisreadIsRefused(_ sender: HostileSender) async throws {
        try await sender.attacking { (server: TestServer) async throws in
            for (number, row) in Self.jsonRows.enumerated() {
                let body = row.make(sender.message("1", 1, "绑定 独行者", server.clock.now))
                let (response, honest) = try await sender.attack(server, body, id: 100 + number, headers: row.headers)
                let status = row.status == 400 ? sender.malformedStatus : row.status
                Self.expect(response, status: status, "\(row.testDescription)")
                #expect(honest.allSatisfy { $0.status == 200 }, "\(row.testDescription): \(honest.map(\.status))")
            }
            let data = try await server.store.data(of: "qq:1")
            #expect(data.gameID == nil)
        }
    }

    /// Bodies over the limit, where the sender goes on sending whatever we say.
    @Test("hardening rows 27, 34: a body that is too large is refused", arguments: HostileSender.json)
    func aBodyThatIsTooLargeIsRefused(_ sender: HostileSender) async throws {
        try await sender.attacking { (server: TestServer) async throws in
            let document = sender.message("1", 1, "绑定 独行者", server.clock.now)
            for (number, text) in [
                "{\"x\":" + String(repeating: "[", count: 600_000) + String(repeating: "]", count: 600_000) + ","
                    + document.dropFirst(),
                "{" + (0..<150_000).map { "\"\($0)\":0" }.joined(separator: ",") + "," + document.dropFirst(),
                "{\"" + String(repeating: "k", count: 1 << 20) + "\":1," + document.dropFirst(),
            ].enumerated() {
                let (response, honest) = try await sender.attack(server, Array(text.utf8), id: 100 + number)
                Self.expect(response, status: 413, "body \(number)")
                #expect(honest.allSatisfy { $0.status == 200 }, "body \(number): \(honest.map(\.status))")
            }
            #expect(try await server.store.data(of: "qq:1").gameID == nil)
        }
    }

    /// Row 36 goes before row 29 where a member is not ours: nothing reads its number, so none is too large.
    @Test("hardening row 36: what is not known is passed over", arguments: HostileSender.json)
    func whatIsNotKnownIsPassedOver(_ sender: HostileSender) async throws {
        try await sender.attacking { (server: TestServer) async throws in
            let extras = [
                #""x":1.5e3"#, #""x":-0"#, #""x":1e999"#, #""x":18446744073709551616"#, #""日本":"👩‍👩‍👧""#,
                #""x":"\ud83e\udde7""#,
                #""x":"# + String(repeating: "[", count: 30) + String(repeating: "]", count: 30),
            ]
            for (number, extra) in extras.enumerated() {
                let text = "{" + extra + "," + sender.message("1", 100 + number, "我的绑定", server.clock.now).dropFirst()
                let (response, honest) = try await sender.attack(server, Array(text.utf8), id: 100 + number)
                Self.expect(response, status: 200, extra)
                #expect(honest.allSatisfy { $0.status == 200 })
            }
        }
    }

    // MARK: Fields

    private static func field(_ sender: HostileSender, _ replacing: [(String, [String])]) -> [String] {
        let document = sender.message("1", 1, "绑定 独行者", ManualClock().now)
        return replacing.flatMap { old, values in
            values.map { value in
                let text = document.replacing(old, with: value)
                precondition(text != document, "\(old) is not in the document")
                return text
            }
        }
    }

    /// A field that is missing, null, of another type, or a number that is no plain integer.
    static let badFields: [(HostileSender, [String])] = [
        (
            .webhook,
            field(
                .webhook,
                [
                    (
                        #""user_id":"1","#,
                        ["", #""user_id":null,"#, #""user_id":1,"#, #""user_id":"","#, #""user_id":["1"],"#]
                    ),
                    (#""chat_id":"g""#, [#""chat_id":1"#, #""chat_id":{}"#, #""chat_id":"a\u0007""#]),
                    (
                        #""message_id":"m1","#,
                        ["", #""message_id":null,"#, #""message_id":1,"#, #""message_id":true,"#]
                    ),
                    (#","text":"绑定 独行者""#, ["", #","text":null"#, #","text":1"#, #","text":["a"]"#]),
                    (#""data":{"#, [#""data":null,"d":{"#, #""data":[],"d":{"#, #""d":{"#]),
                    (
                        #""type":"chat.message","#,
                        [#""type":"chat.message","timestamp":1,"#, #""type":"chat.message","timestamp":"yesterday","#]
                    ),
                    (#""text":"绑定 独行者""#, [#""text":"绑定 独行者","is_admin":"yes""#, #""text":"绑定 独行者","is_admin":1"#]),
                ])
        ),
        (
            .onebot11,
            field(
                .onebot11,
                [
                    (
                        #""user_id":1,"group"#,
                        [
                            #""group"#, #""user_id":null,"group"#, #""user_id":1.0,"group"#, #""user_id":1e3,"group"#,
                            #""user_id":-0,"group"#, #""user_id":9223372036854775808,"group"#,
                            #""user_id":18446744073709551616,"group"#, #""user_id":1e999,"group"#,
                            #""user_id":true,"group"#, #""user_id":"","group"#, #""user_id":[1],"group"#,
                        ]
                    ),
                    (#""group_id":7,"#, ["", #""group_id":null,"#, #""group_id":7.0,"#, #""group_id":{},"#]),
                    (#""message_id":1,"#, ["", #""message_id":null,"#, #""message_id":1e0,"#, #""message_id":-0,"#]),
                    (#""self_id":20001,"#, ["", #""self_id":null,"#, #""self_id":20001.0,"#]),
                    (
                        #""time":1802232000,"#,
                        [#""time":1802232000.0,"#, #""time":"now","#, #""time":-1,"#, #""time":1e999,"#]
                    ),
                    (#""message_type":"group","#, ["", #""message_type":null,"#, #""message_type":1,"#]),
                ])
        ),
        (
            .telegram,
            field(
                .telegram,
                [
                    (
                        #""update_id":900001,"#,
                        [
                            "", #""update_id":null,"#, #""update_id":"900001","#, #""update_id":900001.0,"#,
                            #""update_id":9e5,"#, #""update_id":-0,"#, #""update_id":9223372036854775808,"#,
                        ]
                    )
                ])
        ),
        (
            .api,
            field(
                .api,
                [
                    (#""sessionId":"s1""#, [#""sessionId":1"#, #""sessionId":1.0"#, #""sessionId":null"#, #""x":1"#]),
                    (#""action":"join","#, ["", #""action":null,"#, #""action":true,"#, #""action":["join"],"#]),
                ])
        ),
    ]

    @Test("hardening rows 28, 29, 31, 35: a field that is not as it should be is refused", arguments: badFields)
    func aFieldThatIsNotAsItShouldBeIsRefused(_ sender: HostileSender, _ documents: [String]) async throws {
        try await sender.attacking { (server: TestServer) async throws in
            for (number, document) in documents.enumerated() {
                let (response, honest) = try await sender.attack(server, Array(document.utf8), id: 100 + number)
                Self.expect(response, status: sender.malformedStatus, document)
                #expect(honest.allSatisfy { $0.status == 200 }, "\(document)")
            }
            #expect(try await server.store.data(of: "qq:1").gameID == nil)
        }
    }

    /// In the project's own form the sender's author is told which field it is; on a platform nobody reads that.
    @Test(
        "hardening row 35: the field is named",
        arguments: [
            (#""user_id":"1","#, #""user_id":null,"#, "data.user_id"), (#""user_id":"1","#, "", "data.user_id"),
            (#""chat_id":"g""#, #""chat_id":1"#, "data.chat_id"), (#""message_id":"m1","#, "", "data.message_id"),
            (#""text":"绑定 独行者""#, #""text":1"#, "data.text"), (#""data":{"#, #""data":null,"d":{"#, "data"),
            (#""text":"绑定 独行者""#, #""text":"a","is_admin":"yes""#, "data.is_admin"),
            (#""type":"chat.message","#, #""type":"chat.message","timestamp":1,"#, "timestamp"),
        ])
    func theFieldIsNamedToAWebhooksAuthor(_ old: String, _ new: String, _ field: String) async throws {
        let sender = HostileSender.webhook
        try await sender.attacking { (server: TestServer) async throws in
            let body = Self.field(sender, [(old, [new])]).map { Array($0.utf8) }[0]
            let signed = sender.sign(body, 1, server.clock.now)
            let response = try await server.send(PeerRequest(headers: signed.headers, body: body), to: sender.path)
            #expect(response.status == 400)
            #expect(response.text == #"{"error":"malformed_body","field":"\#(field)"}"#)
            // Whoever cannot sign learns nothing.
            var headers = signed.headers
            headers["webhook-signature"] = "v1,AAAA"
            let forged = try await server.send(PeerRequest(headers: headers, body: body), to: sender.path)
            #expect(forged.status == 401 && forged.body.isEmpty)
            #expect(server.counter(#"hongbao_refusals_total{fault="malformed_body",platform="webhook"}"#) == 1)
        }
    }

    /// Telegram repeats for a day what it is answered an error to, and holds the chat back: what is inside a message is
    /// passed over instead.
    @Test("hardening row 35: a bad message in a good update is passed over")
    func aBadMessageInsideAGoodUpdateIsPassedOver() async throws {
        let sender = HostileSender.telegram
        try await sender.attacking { (server: TestServer) async throws in
            for (number, document) in Self.field(
                sender,
                [
                    (
                        #""from":{"id":1,"#,
                        [#""from":{"id":1.0,"#, #""from":{"id":"1","#, #""from":{"id":1e3,"#, #""from":{"#]
                    ),
                    (#""date":1802232000,"#, ["", #""date":"now","#, #""date":-1,"#, #""date":1e999,"#]),
                    (#""text":"绑定 独行者""#, [#""text":1"#, #""text":null"#]),
                ]
            ).enumerated() {
                let (response, honest) = try await sender.attack(server, Array(document.utf8), id: 100 + number)
                Self.expect(response, status: 200, document)
                #expect(response?.body.isEmpty == true, "\(document)")
                #expect(honest.allSatisfy { $0.status == 200 }, "\(document)")
            }
            #expect(try await server.store.data(of: "qq:1").gameID == nil)
        }
    }

    // MARK: Ids

    /// Beyond 2^53 a double would take a neighbour's id.
    @Test(
        "hardening row 30: a large id keeps its digits", arguments: [HostileSender.onebot11, .telegram],
        ["9007199254740993", "9223372036854775807"])
    func aLargeIdKeepsItsDigits(_ sender: HostileSender, _ id: String) async throws {
        try await sender.attacking { (server: TestServer) async throws in
            let document = sender.message(id, 1, "绑定 独行者", server.clock.now)
            let (response, _) = try await sender.attack(server, Array(document.utf8), id: 1)
            Self.expect(response, status: 200, id)
            #expect(try await server.store.data(of: UserID("qq:\(id)")).gameID == "独行者")
        }
    }

    /// OneBot's implementations write either; nobody else's do.
    @Test("hardening row 31: a number and its text are one user") func aNumberAndItsTextAreOneOneBotUser() async throws
    {
        let sender = HostileSender.onebot11
        try await sender.attacking { (server: TestServer) async throws in
            let document = sender.message("1", 1, "绑定 独行者", server.clock.now)
                .replacing(#""user_id":1,"group"#, with: #""user_id":"1","group"#)
            let (response, _) = try await sender.attack(server, Array(document.utf8), id: 1)
            Self.expect(response, status: 200, document)
            #expect(try await server.store.data(of: "qq:1").gameID == "独行者")
        }
    }

    // MARK: XML

    /// What is made of a good document, and whether that is refused.
    struct XMLRow: Sendable {
        let row: Int
        let name: String
        let make: @Sendable (String) -> String

        init(_ row: Int, _ name: String, _ make: @escaping @Sendable (String) -> String) {
            self.row = row
            self.name = name
            self.make = make
        }

        /// With `text` as the first element.
        static func element(_ row: Int, _ text: String) -> XMLRow {
            XMLRow(row, String(text.prefix(40))) { $0.replacing("<xml>", with: "<xml>" + text) }
        }
    }

    private static let laughs = (1...9).map { level in
        "<!ENTITY l\(level) \"" + String(repeating: "&l\(level - 1);", count: 10) + "\">"
    }.joined()

    static let xmlRows: [XMLRow] = [
        XMLRow(37, "billion laughs") {
            "<!DOCTYPE xml [<!ENTITY l0 \"ha\">\(laughs)]>" + $0.replacing("<xml>", with: "<xml><a>&l9;</a>")
        },
        XMLRow(37, "quadratic blow-up") {
            "<!DOCTYPE xml [<!ENTITY a \"\(String(repeating: "a", count: 5000))\">]>"
                + $0.replacing("<xml>", with: "<xml><a>\(String(repeating: "&a;", count: 5000))</a>")
        },
        XMLRow(37, "an empty document type") { "<!DOCTYPE xml>" + $0 },
        XMLRow(38, "a file") {
            "<!DOCTYPE xml [<!ENTITY f SYSTEM \"file:///etc/passwd\">]>"
                + $0.replacing("<xml>", with: "<xml><a>&f;</a>")
        },
        XMLRow(38, "a URL") {
            "<!DOCTYPE xml [<!ENTITY f SYSTEM \"http://127.0.0.1:1/x\">]>"
                + $0.replacing("<xml>", with: "<xml><a>&f;</a>")
        },
        XMLRow(38, "a parameter entity") { "<!DOCTYPE xml [<!ENTITY % p SYSTEM \"http://127.0.0.1:1/x\"> %p;]>" + $0 },
        .element(38, "<a>&unknown;</a>"),
        .element(39, String(repeating: "<a>", count: 20) + String(repeating: "</a>", count: 20)),
        .element(39, String(repeating: "<a>", count: 100_000) + String(repeating: "</a>", count: 100_000)),
        .element(39, String(repeating: "<a>", count: 5_000)),
        .element(40, "<ToUserName>x</ToUserName>"), .element(40, "<a x=\"1\" x=\"2\"/>"), .element(40, "<a x=\"1\"/>"),
        .element(40, "<a><!-- x --></a>"), .element(40, "<n:a xmlns:n=\"urn:x\"/>"), .element(40, "<?php x ?>"),
        .element(40, "<a>]]></b>"), .element(40, "<a><b></a></b>"), .element(40, "<a"), .element(40, "<a>&#0;</a>"),
        .element(40, "<a>&#xD800;</a>"), .element(40, "<a>&#x110000;</a>"), .element(40, "<a>\u{1}</a>"),
        XMLRow(40, "declared as GBK") { "<?xml version=\"1.0\" encoding=\"GBK\"?>" + $0 },
        XMLRow(40, "declared as UTF-16") { "<?xml version=\"1.0\" encoding=\"UTF-16\"?>" + $0 },
        XMLRow(40, "a byte order mark") { "\u{FEFF}" + $0 }, XMLRow(40, "two roots") { $0 + $0 },
        XMLRow(40, "text behind") { $0 + "x" }, XMLRow(40, "JSON") { _ in "{}" }, XMLRow(40, "nothing") { _ in "" },
        XMLRow(40, "never ended") { String($0.dropLast(6)) },
    ]

    @Test("hardening rows 37, 38, 39, 40: XML that could be misread is refused", arguments: HostileSender.xml)
    func anXMLThatCouldBeMisreadIsRefused(_ sender: HostileSender) async throws {
        try await sender.attacking { (server: TestServer) async throws in
            for (number, row) in Self.xmlRows.enumerated() {
                let document = HostileSender.xml("1", 1, "绑定 独行者", server.clock.now)
                let inside = HostileSender.sealed(row.make(document))
                // Inside it is signed, so it is the message that is bad; outside nothing is proven yet, also where the
                // whole is too long to be looked at.
                for (body, status) in [
                    (inside, inside.utf8.count > 64 << 10 ? 401 : 400), (row.make(HostileSender.sealed(document)), 401),
                ] {
                    let (response, honest) = try await sender.attack(server, Array(body.utf8), id: 100 + number)
                    Self.expect(response, status: status, "row \(row.row): \(row.name)")
                    #expect(honest.allSatisfy { $0.status == 200 }, "row \(row.row): \(row.name)")
                }
            }
            #expect(try await server.store.data(of: "qq:1").gameID == nil)
        }
    }

    /// Row 38: whatever names an address, nobody goes there.
    @Test("hardening row 38: nothing is fetched", arguments: HostileSender.xml)
    func nothingIsFetchedForAnXML(_ sender: HostileSender) async throws {
        let visits = NIOLockedValueBox(0)
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                visits.withLockedValue { $0 += 1 }
                return channel.close()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let url = "http://127.0.0.1:\(try #require(listener.localAddress?.port))/x"
        try await sender.attacking { (server: TestServer) async throws in
            let document = HostileSender.xml("1", 1, "绑定 独行者", server.clock.now)
            for (number, text) in [
                "<!DOCTYPE xml [<!ENTITY f SYSTEM \"\(url)\">]>" + document.replacing("独行者", with: "&f;"),
                "<!DOCTYPE xml [<!ENTITY f SYSTEM \"\(url)\">]>"
                    + document.replacing("<xml>", with: "<xml><a>&f;</a>"),
                "<!DOCTYPE xml [<!ENTITY % p SYSTEM \"\(url)\"> %p;]>" + document,
                "<!DOCTYPE xml SYSTEM \"\(url)\">" + document, "<!DOCTYPE xml PUBLIC \"x\" \"\(url)\">" + document,
                "<?xml-stylesheet type=\"text/xsl\" href=\"\(url)\"?>" + document,
                document.replacing(
                    "<xml>", with: "<xml xmlns:xi=\"http://www.w3.org/2001/XInclude\"><xi:include href=\"\(url)\"/>"),
                document.replacing(
                    "<xml>",
                    with: "<xml xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" i:schemaLocation=\"x \(url)\">"),
            ].enumerated() {
                #expect(text != document)
                for body in [HostileSender.sealed(text), text] {
                    let (response, honest) = try await sender.attack(server, Array(body.utf8), id: 100 + number)
                    #expect([400, 401].contains(response?.status), "\(text)")
                    #expect(honest.allSatisfy { $0.status == 200 })
                }
            }
            // And an address that a person writes, or that stands in an element of a good message.
            for text in [
                HostileSender.xml("1", 1, url, server.clock.now),
                HostileSender.xml("1", 2, "绑定 " + url, server.clock.now),
                document.replacing("<xml>", with: "<xml><PicUrl>\(url)</PicUrl><Url>\(url)</Url>"),
            ] {
                let (response, _) = try await sender.attack(server, Array(HostileSender.sealed(text).utf8), id: 200)
                #expect(response?.status == 200)
            }
        }
        #expect(visits.withLockedValue { $0 } == 0)
        // The listener does see whoever comes.
        await (try await RawConnection.open(try #require(listener.localAddress?.port))).close()
        #expect(await eventually { visits.withLockedValue { $0 } == 1 })
        try await listener.close()
    }

    /// A comment inside an id would make two readers see two ids.
    @Test("hardening row 40: an id in pieces is refused", arguments: HostileSender.xml)
    func anIdThatIsInPiecesIsRefused(_ sender: HostileSender) async throws {
        try await sender.attacking { (server: TestServer) async throws in
            let document = HostileSender.xml("1", 1, "绑定 独行者", server.clock.now)
            for user in ["1<!-- x -->", "<![CDATA[1]]><!-- -->2", "<b>1</b>", "<?x?>1"] {
                let text = document.replacing("<FromUserName><![CDATA[1]]>", with: "<FromUserName>\(user)")
                #expect(text != document)
                let (response, honest) = try await sender.attack(
                    server, Array(HostileSender.sealed(text).utf8), id: 100)
                Self.expect(response, status: 400, user)
                #expect(honest.allSatisfy { $0.status == 200 })
            }
            #expect(try await server.store.data(of: "qq:1").gameID == nil)
        }
    }

    @Test("hardening rows 41, 42: another media type is 415", arguments: HostileSender.xml)
    func anotherMediaTypeThanXMLIs415(_ sender: HostileSender) async throws {
        try await sender.attacking { (server: TestServer) async throws in
            let body = HostileSender.sealed(HostileSender.xml("1", 1, "绑定 独行者", server.clock.now))
            for (name, value) in [
                ("Content-Type", "application/json"), ("Content-Type", "text/plain"), ("Content-Type", ""),
                ("Content-Encoding", "gzip"),
            ] {
                let (response, honest) = try await sender.attack(
                    server, Array(body.utf8), id: 100, headers: [name: value])
                Self.expect(response, status: 415, value)
                #expect(honest.allSatisfy { $0.status == 200 })
            }
        }
    }

    // MARK: What every answer must be like

    static func expect(
        _ response: PeerResponse?, status: Int, _ what: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let what = what.count > 200 ? String(what.prefix(200)) + "…" : what
        guard let response else {
            Issue.record("closed without an answer: \(what)", sourceLocation: sourceLocation)
            return
        }
        #expect(response.status == status, "\(what): \(response.text)", sourceLocation: sourceLocation)
        #expect(
            !response.body.contains { $0 < 0x20 && $0 != 0x0A }, "control characters: \(what)",
            sourceLocation: sourceLocation)
        for word in ["Error", "Swift", "/Sources/", "SELECT", HostileSender.secret] {
            #expect(!response.text.contains(word), "\(what): \(response.text)", sourceLocation: sourceLocation)
        }
    }
}
