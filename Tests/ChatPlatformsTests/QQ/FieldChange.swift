import Testing

@testable import ChatPlatforms

/// A document with one field missing, `null`, or of a wrong kind.
struct FieldChange: Sendable, CustomTestStringConvertible {
    /// Keys from the outermost inwards, joined by points.
    var path: String
    /// Nil: the field is missing.
    var value: JSONValue?

    /// Every field in turn: missing, `null`, and everything that is no text.
    static func ofTexts(_ paths: String...) -> [FieldChange] {
        of(paths, [nil, .null, true, 5, "", .array([]), .object([:])])
    }

    static func ofIntegers(_ paths: String...) -> [FieldChange] {
        let half = (try? StrictJSON.parse(Array("1.5".utf8), maximumSize: 8)) ?? .null
        return of(paths, [nil, .null, true, "5", half, .array([]), .object([:])])
    }

    static func ofObjects(_ paths: String...) -> [FieldChange] {
        of(paths, [nil, .null, true, 5, "x", .array([])])
    }

    private static func of(_ paths: [String], _ values: [JSONValue?]) -> [FieldChange] {
        paths.flatMap { path in values.map { FieldChange(path: path, value: $0) } }
    }

    /// `document` as text with the change made. Records an issue when there is no such field.
    func made(in document: String) -> String {
        guard let whole = try? StrictJSON.parse(Array(document.utf8), maximumSize: 1 << 20) else {
            Issue.record("not a document")
            return document
        }
        var buffer: [UInt8] = []
        JSONWriter.append(changed(whole, path.split(separator: ".").map(String.init)), to: &buffer)
        return String(decoding: buffer, as: UTF8.self)
    }

    private func changed(_ document: JSONValue, _ keys: [String]) -> JSONValue {
        guard let key = keys.first, let object = document.objectValue, object[key] != nil else {
            Issue.record("\(path) is not in the document")
            return document
        }
        let members = object.members.compactMap { member -> JSONObject.Member? in
            guard member.key == key else { return member }
            if keys.count > 1 {
                return JSONObject.Member(key: key, value: changed(member.value, Array(keys.dropFirst())))
            }
            return value.map { JSONObject.Member(key: key, value: $0) }
        }
        return .object(JSONObject(uniqueMembers: members))
    }

    var testDescription: String { "\(path) = \(value.map { "\($0)" } ?? "missing")" }
}
