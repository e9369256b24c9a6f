/// One output line of `hongbao chat --json`: `{"id"?,"user","code","reply","receipt"?,"award"?,"position"?}`.
///
/// - Source: spec.md section 9.
public struct ConsoleReply: Hashable, Sendable {
    /// Of the input line, echoed in its form; left out when nil.
    public var id: ConsoleMessageID?
    /// `namespace:user-id`; nil for a line that could not be understood, and then written as `null`.
    public var user: String?
    /// The outcome's code, `bad_argument` for a line that could not be understood.
    public var code: String
    /// What a person in a chat would read; may be empty.
    public var reply: String
    public var receipt: String?
    /// The award's id.
    public var award: String?
    /// From 1, while waiting.
    public var position: Int64?

    public init(
        id: ConsoleMessageID? = nil, user: String?, code: String, reply: String, receipt: String? = nil,
        award: String? = nil, position: Int64? = nil
    ) {
        self.id = id
        self.user = user
        self.code = code
        self.reply = reply
        self.receipt = receipt
        self.award = award
        self.position = position
    }

    /// Appends the line with its newline: the keys always in the same order, no spaces, what is nil left out.
    ///
    /// Newlines in the texts are escaped, so this is exactly one line.
    public func append(to buffer: inout [UInt8]) {
        buffer.append(UInt8(ascii: "{"))
        switch id {
        case nil: break
        case .string(let text):
            buffer.append(contentsOf: "\"id\":".utf8)
            JSONWriter.append(text, to: &buffer)
            buffer.append(UInt8(ascii: ","))
        case .integer(let integer):
            buffer.append(contentsOf: "\"id\":".utf8)
            JSONWriter.append(integer, to: &buffer)
            buffer.append(UInt8(ascii: ","))
        }
        buffer.append(contentsOf: "\"user\":".utf8)
        if let user {
            JSONWriter.append(user, to: &buffer)
        } else {
            buffer.append(contentsOf: "null".utf8)
        }
        buffer.append(contentsOf: ",\"code\":".utf8)
        JSONWriter.append(code, to: &buffer)
        buffer.append(contentsOf: ",\"reply\":".utf8)
        JSONWriter.append(reply, to: &buffer)
        if let receipt {
            buffer.append(contentsOf: ",\"receipt\":".utf8)
            JSONWriter.append(receipt, to: &buffer)
        }
        if let award {
            buffer.append(contentsOf: ",\"award\":".utf8)
            JSONWriter.append(award, to: &buffer)
        }
        if let position {
            buffer.append(contentsOf: ",\"position\":".utf8)
            JSONWriter.append(position, to: &buffer)
        }
        buffer.append(contentsOf: "}\n".utf8)
    }
}
