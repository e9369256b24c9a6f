import Basics
import Testing

@testable import ChatPlatforms

/// What every adapter tells the server about itself.
struct PlatformAdapterTests {
    static func adapter(_ platform: Platform, without left: [String] = [], _ more: [String: String] = [:]) throws
        -> any PlatformAdapter
    {
        let example = try #require(SecretTests.examples.first { $0.platform == platform })
        let settings = example.secrets.merging(example.others) { $1 }.filter { !left.contains($0.key) }
        return try platform.adapterType.init(PlatformSettings(settings.merging(more) { $1 }))
    }

    @Test func anAdapterSpeaksForItsPlatform() {
        for platform in Platform.allCases { #expect(platform.adapterType.platform == platform) }
    }

    @Test func settingsAreNamedOnceAndExplainedInBothLanguages() {
        for platform in Platform.allCases {
            let settings = platform.adapterType.settings
            #expect(Set(settings.map(\.name)).count == settings.count, "\(platform)")
            for setting in settings {
                let scalars = setting.help.unicodeScalars
                #expect(scalars.contains { $0.properties.isIdeographic }, "\(platform) \(setting.name)")
                #expect(setting.help.hasSuffix("."), "\(platform) \(setting.name)")
            }
        }
    }

    @Test(arguments: Platform.allCases)
    func onlyWhatIsNeverDeliveredAgainIsAcknowledgedInHaste(_ platform: Platform) throws {
        let adapter = try Self.adapter(platform)
        var message = IncomingMessage(userID: "1", chatID: "1", messageID: "1", text: "抽奖", dedupe: "1")
        let deadline: Int64? = [.discord, .slack].contains(platform) ? 2500 : nil
        #expect(adapter.responseDeadlineMilliseconds(for: message) == deadline)
        // An event of Slack's is delivered again, a command is not.
        message.postID = "1"
        if platform == .slack { #expect(adapter.responseDeadlineMilliseconds(for: message) == nil) }
    }

    @Test(arguments: Platform.allCases)
    func aLateResponseIsWhatSilenceIs(_ platform: Platform) throws {
        let adapter = try Self.adapter(platform)
        let message = IncomingMessage(userID: "1", chatID: "1", messageID: "1", text: "抽奖", dedupe: "1")
        let response = adapter.lateResponse(for: [message])
        #expect(200..<300 ~= response.status)
        #expect(response == adapter.response(to: [], now: Instant(milliseconds: 1_760_000_000_000)))
    }

    /// An error would be shown to the caller without it; the answer follows as a message of its own.
    @Test func discordIsToldThatTheCommandWasHeard() throws {
        let response = try Self.adapter(.discord).lateResponse(for: [])
        let body = try #require(try StrictJSON.parse(response.body, maximumSize: 1 << 20).objectValue)
        #expect(body["type"] == 4)
        #expect(body["data"]?.objectValue?["flags"] == 64)
        #expect(body["data"]?.objectValue?["content"] == "已收到 Received")
    }

    @Test func onlyMatrixSendsLargeBodies() {
        for platform in Platform.allCases {
            #expect(platform.adapterType.maximumBodySize == (platform == .matrix ? 8 << 20 : 1 << 20))
        }
    }

    @Test(arguments: Platform.allCases)
    func nothingIsWarnedOfWithEverySetting(_ platform: Platform) throws {
        #expect(try Self.adapter(platform).startWarning == nil)
    }

    @Test(
        arguments: [
            (.slack, ["bot_token"], [:], "bot_token"), (.line, ["channel_access_token"], [:], "channel_access_token"),
            (.feishu, ["app_id", "app_secret"], [:], "app_secret"),
            (.feishu, ["encrypt_key"], ["allow_unsigned": "true"], "encrypt_key"),
            (.matrix, ["as_token", "homeserver_url"], [:], "as_token"),
            (.wechatOA, ["encoding_aes_key"], ["allow_plain": "true"], "allow_plain"),
        ] as [(Platform, [String], [String: String], String)])
    func whatWillNotBeAnsweredOrProtectedIsWarnedOf(
        _ platform: Platform, _ left: [String], _ more: [String: String], _ name: String
    ) throws {
        let warning = try #require(try Self.adapter(platform, without: left, more).startWarning)
        #expect(warning.contains(name))
        #expect(warning.unicodeScalars.contains { $0.properties.isIdeographic })
    }
}
