import Basics
import ChatCommands
import OperatorSettings
import Testing

struct OperatorSettingsTests {
    private func read(_ text: String?, environment: [String: String] = [:]) throws -> HongbaoConfiguration {
        try HongbaoConfiguration(contents: text.map { Array($0.utf8) }, file: "hongbao.yaml", environment: environment)
    }

    @Test func theEnvironmentGoesBeforeTheFile() throws {
        let configuration = try read(
            "port: 9000\nadmins: [\"qq:1\"]\nlanguage: en\n",
            environment: ["HONGBAO_PORT": "9001", "HONGBAO_ADMINS": "qq:2,qq:3", "PORT": "1"])
        #expect(configuration.port == 9001)
        #expect(configuration.admins == ["qq:2", "qq:3"])
        #expect(configuration.language == .english)
    }

    @Test(arguments: [nil, "", "# nothing\n", "---\n", "~\n"])
    func aFileThatSaysNothingIsAsGoodAsNone(_ text: String?) throws {
        #expect(try read(text).port == 8080)
    }

    @Test(arguments: ["127.0.0.1", "::1", "fe80::1%eth0"])
    func aProxyIsAnAddress(_ address: String) throws {
        #expect(try read("trusted_proxies: [\"\(address)\"]").trustedProxies == [address])
    }

    @Test(arguments: ["localhost", "127.1", "127.0.0.1:80", "127.0.0.1%eth0", "::1%", "[::1]", "127.0.0.1\\0", ""])
    func whatIsNoAddressIsNoProxy(_ text: String) throws {
        #expect(throws: OperatorMessage.self) { try read("trusted_proxies: [\"\(text)\"]") }
    }

    // Comparing two such keys would take years.
    @Test(
        "hardening row 75: anchors in the configuration", .timeLimit(.minutes(5)),
        arguments: [("", "an anchor"), ("\r", "a carriage return")])
    func anAnchorIsRefusedBeforeAnybodyFollowsIt(_ lineBreak: String, _ refused: String) throws {
        var bomb = "port: 1\nk: {"
        for level in 0..<12 {
            let value = Array(repeating: level == 0 ? "x" : "*a\(level - 1)", count: 8).joined(separator: ", ")
            bomb += "? \(lineBreak)&a\(level) [\(value)] : 1, "
        }
        let error = #expect(throws: OperatorMessage.self) { try read(bomb + "}\n") }
        #expect(error?.english.contains("hongbao.yaml:2: found \(refused)") == true, "\(error?.english ?? "")")
    }

    @Test func whatStandsInTheFileSteersNoTerminal() throws {
        for text in ["\"\\e[31m\": 1\n", "language: \"\\e[31m\\x9b\"\n", "endpoints: {\"\\e\": {}}\n"] {
            let error = #expect(throws: OperatorMessage.self) { try read(text) }
            #expect(error?.description.unicodeScalars.contains { $0 == "\u{1B}" || $0 == "\u{9B}" } == false)
        }
    }
}
