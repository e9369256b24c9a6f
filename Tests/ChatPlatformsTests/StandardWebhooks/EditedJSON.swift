import Testing

@testable import ChatPlatforms

/// A document in which one value is replaced, put in or taken out.
enum EditedJSON {
    /// - Parameters:
    ///   - path: Keys and, in arrays, positions from 0, joined by full stops: `message.0.data.text`.
    ///   - value: JSON; nil takes the member out.
    static func bytes(_ document: String, _ path: String, _ value: String?) throws -> [UInt8] {
        let base = try parse(document)
        let edited = edit(base, path.split(separator: ".")[...], try value.map(parse))
        #expect(edited != base, "\(path) is not changed by \(value ?? "taking it out")")
        var bytes: [UInt8] = []
        JSONWriter.append(edited, to: &bytes)
        return bytes
    }

    static func parse(_ text: String) throws -> JSONValue {
        try StrictJSON.parse(Array(text.utf8), maximumSize: 1 << 24)
    }

    private static func edit(_ base: JSONValue, _ path: ArraySlice<Substring>, _ value: JSONValue?) -> JSONValue {
        guard let key = path.first else { return value ?? .null }
        let rest = path.dropFirst()
        if case .array(var values) = base, let index = Int(key), values.indices.contains(index) {
            values[index] = edit(values[index], rest, value)
            return .array(values)
        }
        guard case .object(let object) = base else { return base }
        var members = object.members.filter { $0.key != key }
        if !rest.isEmpty || value != nil {
            members.append(.init(key: String(key), value: edit(object[String(key)] ?? .null, rest, value)))
        }
        return .object(JSONObject(uniqueMembers: members))
    }
}
