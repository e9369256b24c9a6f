public import Basics

/// An `id` as a line gave it. The string `"1"` and the integer `1` are two ids.
public enum ConsoleMessageID: Sendable {
    case string(String)
    case integer(Int64)
}

extension ConsoleMessageID: Hashable {
    public static func == (left: Self, right: Self) -> Bool {
        switch (left, right) {
        case (.string(let left), .string(let right)): areEqualBytes(left, right)
        case (.integer(let left), .integer(let right)): left == right
        case (.string, _), (.integer, _): false
        }
    }

    public func hash(into hasher: inout Hasher) {
        switch self {
        case .string(let text): hasher.combine(JSONKey(text))
        case .integer(let integer): hasher.combine(integer)
        }
    }
}

/// What one line of `hongbao chat --json` says.
public struct ConsoleMessage: Hashable, Sendable {
    /// `namespace:user-id`; the namespace is what the line says.
    public let user: UserID
    /// `platform:chat`; nil in private.
    public let chat: ChatID?
    /// To be echoed; nil when the line has none.
    public let id: ConsoleMessageID?
    /// As given, possibly empty; at most ``ConsoleLine/maximumTextSize`` bytes.
    public let text: String
    /// Under which the same message is recognised when it comes again; nil without an id, then every message is new.
    ///
    /// The user's namespace, the chat and the id, each with its size in front, so that no two triples give one key. The
    /// user is not in it: the same key with another user is a conflict for the caller to see. At most
    /// ``ConsoleLine/maximumKeySize`` bytes.
    public let keyText: String?
}

/// The fields of an input line that are looked at; all others are ignored.
public enum ConsoleField: String, Hashable, Sendable, CaseIterable {
    case platform, user, chat, id, text
}

/// Why a line was refused.
public struct ConsoleLineError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Fault: Hashable, Sendable {
        case lineTooLong(maximumSize: Int)
        case notJSON(StrictJSONError)
        case notAnObject
        case missing(ConsoleField)
        /// Also a number with a fraction or an exponent, or outside `Int64`, where an integer may stand.
        case badType(ConsoleField)
        case empty(ConsoleField)
        case tooLong(ConsoleField, maximumSize: Int)
        case controlCharacter(ConsoleField)
        /// Not `[a-z0-9_-]{1,32}`.
        case badPlatform
        /// Namespace, chat and id are each short enough, but too long together.
        case keyTooLong(maximumSize: Int)
    }

    public let fault: Fault
    /// The line's id where it could be read, so that the answer can echo it.
    public let id: ConsoleMessageID?

    public init(_ fault: Fault, id: ConsoleMessageID? = nil) {
        self.fault = fault
        self.id = id
    }

    /// The field to blame; nil when the line as a whole is refused.
    public var field: ConsoleField? {
        switch fault {
        case .lineTooLong, .notJSON, .notAnObject: nil
        case .missing(let field), .badType(let field), .empty(let field), .controlCharacter(let field): field
        case .tooLong(let field, _): field
        case .badPlatform: .platform
        case .keyTooLong: .id
        }
    }

    /// English, for operators. Nothing of the line is quoted.
    public var description: String {
        switch fault {
        case .lineTooLong(let maximumSize): "the line has more than \(maximumSize) bytes"
        case .notJSON(let error): "not JSON: \(error)"
        case .notAnObject: "a JSON object was expected"
        case .missing(let field): "\(field.rawValue) is missing"
        case .badType(.user), .badType(.id): "\(field?.rawValue ?? "") must be a string or an integer"
        case .badType(let field): "\(field.rawValue) must be a string"
        case .empty(let field): "\(field.rawValue) is empty"
        case .tooLong(let field, let maximumSize): "\(field.rawValue) has more than \(maximumSize) bytes"
        case .controlCharacter(let field): "\(field.rawValue) has a control character"
        case .badPlatform: "platform must be 1 to 32 of a-z, 0-9, _ and -"
        case .keyTooLong(let maximumSize): "platform, chat and id have together more than \(maximumSize) bytes"
        }
    }
}

/// Decodes the input of `hongbao chat --json`: `{"platform","user","chat"?,"id"?,"text"}`.
///
/// - `null` is the same as a missing field.
/// - `platform` is `[a-z0-9_-]{1,32}`; without one it is the adapter's id.
/// - `user` is a string or an integer, `10001` and `"10001"` being one user. With platform `qq` both are `qq:10001`,
///   and so is `"qq:10001"`. Without a platform, a user who brings a well-formed namespace keeps it.
/// - `chat` is a string, made `platform:chat` by the same rule; missing or empty means in private.
/// - `id` is a string of 1 to 128 bytes or an integer.
/// - `text` is a string and may be empty.
///
/// - Source: spec.md sections 2, 7 and 9.
public enum ConsoleLine {
    /// The adapter's id: the platform of a line that names none.
    public static let adapterID = "console"
    /// In bytes, without the line end.
    public static let maximumLineSize = 128 * 1024
    /// In bytes. Commands have a smaller limit of their own, behind this one.
    public static let maximumTextSize = 64 * 1024
    /// In bytes: the user's id without the namespace, the chat's without the platform, and a string `id`.
    public static let maximumIDSize = 128
    public static let maximumPlatformSize = 32
    /// In bytes; see ``ConsoleMessage/keyText``.
    public static let maximumKeySize = 256

    /// - Parameter line: One line in UTF-8, without its line end. Empty is not JSON, thus refused.
    public static func decode(_ line: some Collection<UInt8>) throws(ConsoleLineError) -> ConsoleMessage {
        let object = try object(of: line)
        // First, so that every later refusal can echo it.
        let id = try id(in: object)
        do throws(Refusal) {
            let platform = try platform(in: object)
            let user = try user(in: object, platform: platform)
            let chat = try chat(in: object, platform: platform)
            let text = try text(in: object)
            var keyText: String?
            if let id {
                let key = joinedKey(namespace: user.namespace, chat: chat, id: id)
                guard key.utf8.count <= maximumKeySize else {
                    throw Refusal(.keyTooLong(maximumSize: maximumKeySize))
                }
                keyText = key
            }
            return ConsoleMessage(user: user, chat: chat, id: id, text: text, keyText: keyText)
        } catch {
            throw ConsoleLineError(error.fault, id: id)
        }
    }

    /// A fault before the id is attached to it.
    private struct Refusal: Error {
        let fault: ConsoleLineError.Fault

        init(_ fault: ConsoleLineError.Fault) {
            self.fault = fault
        }
    }

    private static func object(of line: some Collection<UInt8>) throws(ConsoleLineError) -> JSONObject {
        let value: JSONValue
        do throws(StrictJSONError) {
            value = try StrictJSON.parse(line, maximumSize: maximumLineSize)
        } catch {
            throw ConsoleLineError(
                error.reason == .tooLarge ? .lineTooLong(maximumSize: maximumLineSize) : .notJSON(error))
        }
        guard let object = value.objectValue else { throw ConsoleLineError(.notAnObject) }
        return object
    }

    private static func id(in object: JSONObject) throws(ConsoleLineError) -> ConsoleMessageID? {
        switch field(.id, in: object) {
        case nil:
            return nil
        case .string(let text):
            guard !text.isEmpty else { throw ConsoleLineError(.empty(.id)) }
            guard text.utf8.count <= maximumIDSize else {
                throw ConsoleLineError(.tooLong(.id, maximumSize: maximumIDSize))
            }
            return .string(text)
        case .number(let number):
            guard let integer = number.integer else { throw ConsoleLineError(.badType(.id)) }
            return .integer(integer)
        case .object, .array, .bool, .null:
            throw ConsoleLineError(.badType(.id))
        }
    }

    /// Nil when the line names none.
    private static func platform(in object: JSONObject) throws(Refusal) -> String? {
        guard let value = field(.platform, in: object) else { return nil }
        guard let platform = value.stringValue else { throw Refusal(.badType(.platform)) }
        guard isPlatform(platform.utf8) else { throw Refusal(.badPlatform) }
        return platform
    }

    private static func user(in object: JSONObject, platform: String?) throws(Refusal) -> UserID {
        let given: String
        switch field(.user, in: object) {
        case nil: throw Refusal(.missing(.user))
        case .string(let text): given = text
        // A plain integer has one spelling, so its text is the id.
        case .number(let number) where number.integer != nil: given = number.text
        case .number, .object, .array, .bool, .null: throw Refusal(.badType(.user))
        }
        return UserID(try qualified(given, platform: platform, field: .user))
    }

    private static func chat(in object: JSONObject, platform: String?) throws(Refusal) -> ChatID? {
        guard let value = field(.chat, in: object) else { return nil }
        guard let given = value.stringValue else { throw Refusal(.badType(.chat)) }
        return given.isEmpty ? nil : ChatID(try qualified(given, platform: platform, field: .chat))
    }

    private static func text(in object: JSONObject) throws(Refusal) -> String {
        guard let value = field(.text, in: object) else { throw Refusal(.missing(.text)) }
        guard let text = value.stringValue else { throw Refusal(.badType(.text)) }
        guard text.utf8.count <= maximumTextSize else {
            throw Refusal(.tooLong(.text, maximumSize: maximumTextSize))
        }
        return text
    }

    /// Nil when the field is missing or `null`.
    private static func field(_ field: ConsoleField, in object: JSONObject) -> JSONValue? {
        switch object[field.rawValue] {
        case nil, .null: nil
        case let value?: value
        }
    }

    /// `platform:given`, or `given` itself where it says so already.
    private static func qualified(
        _ given: String, platform: String?, field: ConsoleField
    ) throws(Refusal) -> String {
        let bytes = given.utf8
        let colon = bytes.firstIndex(of: UInt8(ascii: ":"))
        let isQualified: Bool
        if let colon {
            let prefix = bytes[..<colon]
            isQualified = platform.map { prefix.elementsEqual($0.utf8) } ?? isPlatform(prefix)
        } else {
            isQualified = false
        }
        let idSize: Int
        if isQualified, let colon {
            idSize = bytes.distance(from: colon, to: bytes.endIndex) - 1
        } else {
            idSize = bytes.count
        }
        guard idSize > 0 else { throw Refusal(.empty(field)) }
        guard idSize <= maximumIDSize else { throw Refusal(.tooLong(field, maximumSize: maximumIDSize)) }
        guard !hasControlCharacter(bytes) else { throw Refusal(.controlCharacter(field)) }
        return isQualified ? given : "\(platform ?? adapterID):\(given)"
    }

    private static func isPlatform(_ bytes: some Collection<UInt8>) -> Bool {
        var size = 0
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), 0x30...0x39, UInt8(ascii: "_"), UInt8(ascii: "-"): size += 1
            default: return false
            }
        }
        return (1...maximumPlatformSize).contains(size)
    }

    /// C0, U+007F and C1, which are the bytes below 0x20, 0x7F, and 0xC2 followed by less than 0xA0.
    private static func hasControlCharacter(_ bytes: String.UTF8View) -> Bool {
        var previous: UInt8 = 0
        for byte in bytes {
            if byte < 0x20 || byte == 0x7F || (previous == 0xC2 && byte < 0xA0) { return true }
            previous = byte
        }
        return false
    }

    /// Netstrings, the id with a letter for its form: `2:qq,8:qq:88001,6:sm-001,`. In private the chat is `0:,`.
    private static func joinedKey(namespace: Substring, chat: ChatID?, id: ConsoleMessageID) -> String {
        var key = ""
        func add(_ part: String, form: String = "") {
            key += String(form.utf8.count + part.utf8.count)
            key += ":"
            key += form
            key.append(contentsOf: part)
            key += ","
        }
        add(String(namespace))
        add(chat?.text ?? "")
        switch id {
        case .string(let text): add(text, form: "s")
        case .integer(let integer): add(String(integer), form: "i")
        }
        return key
    }
}
