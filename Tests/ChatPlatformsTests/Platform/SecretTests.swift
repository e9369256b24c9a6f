import Basics
import Foundation
import Testing

@testable import ChatPlatforms

/// Nothing that holds a secret shows it when it is printed, dumped or reflected.
struct SecretTests {
    /// An endpoint with everything configured, and where its sender says something.
    struct Example: Sendable, CustomTestStringConvertible {
        var platform: Platform
        var secrets: [String: String]
        var others: [String: String] = [:]
        var address: ReplyAddress?

        var testDescription: String { platform.rawValue }
        var settings: PlatformSettings { PlatformSettings(secrets.merging(others) { $1 }) }
    }

    private static func address(
        _ chat: String, message: String? = nil, account: String? = nil, url: String? = nil
    ) -> ReplyAddress {
        ReplyAddress(chat: chat, isPrivate: true, user: "u1", message: message, account: account, url: url)
    }

    private static let aesKey = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
    private static let publicKey = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

    static let examples: [Example] = [
        Example(
            platform: .webhook, secrets: ["secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
            others: ["public_key": "whpk_" + Base64.encode(Hex.decode(publicKey) ?? [])]),
        Example(
            platform: .onebot11, secrets: ["secret": "onebot-secret-4711", "access_token": "onebot-token-0815"],
            others: ["api_url": "http://127.0.0.1:5700"], address: address("1", account: "2")),
        Example(platform: .onebot12, secrets: ["token": "onebot12-token-0815"]),
        Example(
            platform: .satori, secrets: ["token": "satori-webhook-4711", "api_token": "satori-api-0815"],
            others: ["api_url": "http://127.0.0.1:5140", "platforms": "red,kook"],
            address: address("1", account: "red/2")),
        Example(
            platform: .qq, secrets: ["bot_secret": "qq-bot-secret-4711"], others: ["app_id": "11111111"],
            address: address("groups/G1", message: "m1", account: "11111111")),
        Example(
            platform: .telegram,
            secrets: ["secret_token": "telegram-hook-4711", "bot_token": "123456:telegram-token-0815"],
            others: ["bot_username": "GuildDrawBot"], address: address("1")),
        Example(
            platform: .discord, secrets: [:], others: ["public_key": publicKey],
            address: address("1", message: "discord-interaction-token", account: "13")),
        Example(
            platform: .feishu,
            secrets: [
                "verification_token": "feishu-verify-4711", "encrypt_key": "feishu-encrypt-0815",
                "app_secret": "feishu-secret-2342",
            ], others: ["app_id": "cli_1"], address: address("oc_1", message: "om_1")),
        Example(
            platform: .dingtalk, secrets: ["app_secret": "dingtalk-secret-4711"],
            address: address("cid", url: "https://oapi.dingtalk.com/robot/sendBySession?session=dingtalk-session")),
        Example(
            platform: .wecom,
            secrets: ["token": "wecom-token-4711", "encoding_aes_key": aesKey, "corp_secret": "wecom-secret-0815"],
            others: ["receive_id": "ww1"], address: address("u1", account: "1000002")),
        Example(
            platform: .wechatOA, secrets: ["token": "wechat-token-4711", "encoding_aes_key": aesKey],
            others: ["receive_id": "wx1"]),
        Example(
            platform: .slack, secrets: ["signing_secret": "slack-signing-4711", "bot_token": "xoxb-slack-token-0815"],
            address: address("C1", message: "1.2")),
        Example(
            platform: .line,
            secrets: ["channel_secret": "line-secret-4711", "channel_access_token": "line-token-0815"],
            address: address("u1", message: "line-reply-token")),
        Example(
            platform: .mattermost, secrets: ["token": "mattermost-token-4711"],
            others: ["site_url": "https://chat.example.org"],
            address: address("c1", url: "https://chat.example.org/hooks/commands/mattermost-hook")),
        Example(platform: .rocketchat, secrets: ["token": "rocketchat-token-4711"]),
        Example(
            platform: .matrix, secrets: ["hs_token": "matrix-hs-token-4711", "as_token": "matrix-as-token-0815"],
            others: ["homeserver_url": "https://matrix.example.org"], address: address("!r:example.org")),
    ]

    @Test func everySecretOfEveryPlatformIsAmongTheExamples() {
        #expect(Set(Self.examples.map(\.platform)) == Set(Platform.allCases))
        for example in Self.examples {
            let secrets = example.platform.adapterType.settings.filter(\.isSecret).map(\.name)
            #expect(Set(example.secrets.keys) == Set(secrets), "\(example.platform)")
        }
    }

    @Test(arguments: examples)
    func noneIsShown(_ example: Example) throws {
        let adapter = try example.platform.adapterType.init(example.settings)
        var secrets = Array(example.secrets.values)
        Self.expectHidden(secrets, in: example.settings)
        Self.expectHidden(secrets, in: adapter)
        if let socket = (adapter as? OneBot11Adapter)?.socket { Self.expectHidden(secrets, in: socket) }
        #expect((adapter.sender == nil) == (example.address == nil))
        guard let sender = adapter.sender, let address = example.address else { return }
        Self.expectHidden(secrets, in: sender)
        // What makes an answer possible is no secret of the operator's, but for nobody else either.
        secrets +=
            [address.message, address.url].compactMap { $0 }.filter { $0.utf8.count > 12 } + ["access-token-4711"]
        let reply = OutgoingReply(address: address, text: "中奖", key: "k-1")
        let call = try #require(sender.call(saying: [reply], token: "access-token-4711"))
        Self.expectHidden(secrets, in: call)
        #expect("\(call)" == "\(call.method) \(call.url)")
        if let tokenCall = sender.tokenCall() { Self.expectHidden(secrets, in: tokenCall) }
    }

    @Test func whatATokenCallBringsIsNotShown() {
        let body = Array(#"{"access_token":"access-token-4711"}"#.utf8)
        Self.expectHidden(["access-token-4711"], in: OutboundAnswer(status: 200, body: body))
        Self.expectHidden(["access-token-4711"], in: AccessToken("access-token-4711", lifetimeSeconds: 7200))
    }

    @Test func aRequestShowsNeitherHeadersNorQueryNorBody() {
        let request = WebhookRequest(
            method: "POST", query: [("access_token", "query-token-4711")],
            headers: [("Authorization", "Bearer header-token-4711")], body: Array("token=body-token-4711".utf8))
        Self.expectHidden(["query-token-4711", "header-token-4711", "body-token-4711"], in: request)
    }

    @Test func aSecretIsShownOnlyWhereItIsAskedFor() {
        let secret = Secret("secret-4711")
        #expect("\(secret)" == "<redacted>")
        #expect(String(reflecting: [secret]) == "[<redacted>]")
        #expect(Mirror(reflecting: secret).children.isEmpty)
        #expect(secret.exposedText == "secret-4711")
        #expect(secret.exposedBytes == Array("secret-4711".utf8))
    }

    // MARK: Looking for them

    private static func expectHidden(_ secrets: [String], in value: Any, _ location: SourceLocation = #_sourceLocation)
    {
        for secret in secrets {
            #expect(!isShown(secret, in: value), "\(type(of: value)) shows \(secret)", sourceLocation: location)
        }
    }

    private static func isShown(_ secret: String, in value: Any) -> Bool {
        var dumped = ""
        dump(value, to: &dumped)
        let shown = ["\(value)", String(reflecting: value), dumped].joined(separator: "\n")
        let numbers = shown.split { !$0.isASCII || !$0.isNumber }.joined(separator: " ")
        return forms(of: secret).contains { bytes in
            shown.contains(Base64.encode(bytes)) || shown.lowercased().contains(Hex.encode(bytes))
                || shown.contains(String(decoding: bytes, as: UTF8.self))
                || numbers.contains(bytes.map { String($0) }.joined(separator: " "))
        }
    }

    /// Its bytes, a part from its middle, and for a key in base64 those it stands for.
    private static func forms(of secret: String) -> [[UInt8]] {
        let bytes = Array(secret.utf8)
        let encoded = secret.hasPrefix("whsec_") ? String(secret.dropFirst(6)) : secret + "="
        let decoded = Data(base64Encoded: encoded).map { Array($0) }
        return [bytes, Array(bytes.suffix(10))] + (decoded.map { [$0, Array($0.prefix(12))] } ?? [])
    }

    private struct Leak {
        var value: Any
    }

    @Test func whatIsShownIsFound() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        let bytes = Base64.decode(String(secret.dropFirst(6))) ?? []
        let values: [Any] = [
            secret, bytes, Array(secret.utf8), "x" + secret.dropFirst(20), ["k": Leak(value: bytes)],
            Hex.encode(bytes).uppercased(), Base64.encode(Array(secret.utf8)),
        ]
        for value in values { #expect(Self.isShown(secret, in: Leak(value: value))) }
        #expect(!Self.isShown(secret, in: Leak(value: "whsec_")))
    }
}
