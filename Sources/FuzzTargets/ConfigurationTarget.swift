internal import Activities
internal import Basics
internal import ChatCommands
internal import ChatPlatforms
internal import OperatorSettings

extension FuzzTarget {
    /// `hongbao.yaml` and, behind a NUL, lines of the environment. A file that begins with `#replies` holds an operator's
    /// reply texts.
    public static let configuration = FuzzTarget("configuration") { input in
        let parts = input.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
        if parts[0].starts(with: "#replies".utf8) {
            if let text = String(validating: parts[0], as: UTF8.self) { try ConfigurationPromises.checkReplies(text) }
            return
        }
        let contents = Array(parts[0])
        let environment = ConfigurationPromises.environment(parts.count > 1 ? parts[1] : [])
        let configuration: HongbaoConfiguration
        do {
            configuration = try ConfigurationPromises.read(contents, environment)
        } catch {
            guard let message = error as? OperatorMessage else {
                throw BrokenPromise(description: "an operator cannot understand \(error)")
            }
            try ConfigurationPromises.check(message)
            return
        }
        try ConfigurationPromises.check(configuration)
        let again = try ConfigurationPromises.read(contents, environment)
        try require(
            again.origins.elementsEqual(configuration.origins, by: { $0 == $1 }), "the same files say the same")
    }
}

private enum ConfigurationPromises {
    /// Set beside whatever comes; it must never be seen.
    private static let canary = "canary-2f8e6a1c9d4b7035-canary-x9"

    static func environment(_ bytes: ArraySlice<UInt8>) -> [String: String] {
        var variables: [String: String] = [:]
        for line in bytes.split(separator: 0x0A) {
            let parts = line.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let name = String(validating: parts[0], as: UTF8.self),
                let value = String(validating: parts[1], as: UTF8.self)
            else { continue }
            variables[name] = value
        }
        return variables
    }

    static func read(_ contents: [UInt8], _ environment: [String: String]) throws -> HongbaoConfiguration {
        try HongbaoConfiguration(
            contents: contents, file: "hongbao.yaml", environment: environment,
            overrides: ["player_token_secret": [canary]])
    }

    static func check(_ message: OperatorMessage) throws {
        for text in [message.chinese, message.english] {
            try require(text.hasNoControls(), "no control character is in \(text.debugDescription)")
            try require(!text.contains(canary), "no secret is in a message")
            try require(!text.isEmpty, "a refusal says why in both languages")
        }
    }

    static func check(_ configuration: HongbaoConfiguration) throws {
        try require((0...65_535).contains(configuration.port), "a port is 0 to 65535")
        try require(configuration.operationPort != configuration.port, "two ports are different")
        for admin in configuration.admins {
            try require(!admin.namespace.isEmpty, "an admin has a namespace")
            try require(admin.text.unicodeScalars.allSatisfy(isPrintable), "an admin's id can be printed")
        }
        for prefix in configuration.prefixes {
            try require((1...20).contains(prefix.unicodeScalars.count), "a prefix is 1 to 20 characters")
        }
        let names = configuration.endpoints.map(\.name)
        try require(Set(names).count == names.count, "each endpoint is there once")
        for name in names {
            try require(
                (1...32).contains(name.utf8.count) && name.utf8.allSatisfy { 0x21...0x7E ~= $0 },
                "a path can hold \(name)")
        }
        for (key, value, _) in configuration.origins {
            try require(!value.contains(canary), "\(key) shows no secret")
            if Self.secretNames.contains(where: { key.hasSuffix(".\($0)") || key.hasSuffix(".previous_\($0)") }) {
                try require(value == HongbaoConfiguration.mask, "\(key) is a secret")
            }
        }
        // Whatever words were chosen, messages can be read. Without any the parser is the usual one, and takes its time.
        if configuration.prefixes.isEmpty, configuration.botNames.isEmpty { return }
        let parser = configuration.parser()
        for text in ["抽奖", "/抽奖", configuration.prefixes.joined() + "抽奖 @" + configuration.botNames.joined()] {
            _ = parser.parse(text, context: MessageContext(isPrivate: true))
        }
    }

    private static let secretNames = Set(
        Platform.allCases.flatMap { $0.adapterType.settings.filter(\.isSecret).map(\.name) })

    static func checkReplies(_ text: String) throws {
        for language in ReplyLanguage.allCases {
            let made = Result { () throws(ReplyTextError) in try ReplyWriter(language: language, overriding: text) }
            switch made {
            case .success(let writer):
                let name = "剑侠客"
                _ = writer.text(for: .closedBySchedule(activityName: name))
                _ = writer.promotedText
                _ = writer.text(forUnreadableLine: name)
            case .failure(let error):
                try require(error.description.hasNoControls(allowsLines: true), "no control character is in a refusal")
            }
        }
    }
}
