import Activities
import ChatPlatforms
import Foundation
import Resources
import Testing

/// `/openapi.json`, and whether an answer is what it promises.
struct APIDocument: Sendable {
    let root: JSONObject

    static let shared = APIDocument()

    private init() {
        let value = try? StrictJSON.parse(ResourceFile.openAPI.bytes, maximumSize: 1 << 20)
        guard let root = value?.objectValue else { preconditionFailure("openapi.json is not strict JSON") }
        self.root = root
    }

    /// Such as `GET /healthz`.
    var operations: Set<String> {
        Set(
            (root["paths"]?.objectValue?.members ?? []).flatMap { path in
                (path.value.objectValue?.members ?? []).map { "\($0.key.uppercased()) \(path.key)" }
            })
    }

    /// What is wrong about an answer of a documented route; empty when nothing is.
    func faults(of response: PeerResponse, to method: String, _ path: String) -> [String] {
        let path = String(path.prefix { $0 != "?" })
        let operation = root["paths"]?.objectValue?[path]?.objectValue?[method.lowercased()]?.objectValue
        guard let answer = operation?["responses"]?.objectValue?[String(response.status)]?.objectValue else {
            return ["\(method) \(path) does not promise \(response.status)"]
        }
        guard let content = answer["content"]?.objectValue?.members.first else { return [] }
        let type = response.headers["content-type"]?.prefix { $0 != ";" } ?? ""
        guard type == content.key else { return ["content-type \(type) instead of \(content.key)"] }
        guard type == "application/json" else { return [] }
        guard let body = try? StrictJSON.parse(response.body, maximumSize: 1 << 20) else { return ["not strict JSON"] }
        guard let schema = content.value.objectValue?["schema"] else { return ["no schema"] }
        var faults = faults(of: body, schema, "$")
        if path.hasPrefix("/api/"), body.objectValue?["code"]?.integerValue != Int64(response.status) {
            faults.append("code is not the status")
        }
        return faults
    }

    /// The part of JSON Schema that the document uses; a keyword that is not known here is a fault.
    private func faults(of value: JSONValue, _ schema: JSONValue, _ place: String) -> [String] {
        guard let keywords = schema.objectValue else { return ["\(place): no schema"] }
        var faults: [String] = []
        for (keyword, argument) in keywords.members.map({ ($0.key, $0.value) }) {
            switch keyword {
            case "description": break
            case "$ref":
                let name = (argument.stringValue ?? "").replacing("#/components/schemas/", with: "")
                let target = root["components"]?.objectValue?["schemas"]?.objectValue?[name] ?? .null
                faults += self.faults(of: value, target, place)
            case "type":
                let names = argument.arrayValue?.compactMap(\.stringValue) ?? [argument.stringValue ?? ""]
                if !names.contains(Self.typeName(of: value)) { faults.append("\(place) is no \(names)") }
            case "required":
                for name in argument.arrayValue?.compactMap(\.stringValue) ?? [] where value.objectValue?[name] == nil {
                    faults.append("\(place).\(name) is missing")
                }
            case "enum":
                if argument.arrayValue?.contains(value) != true { faults.append("\(place) is none of \(argument)") }
            case "const": if value != argument { faults.append("\(place) is not \(argument)") }
            case "properties":
                // Nothing goes out that the document does not know.
                for member in value.objectValue?.members ?? [] {
                    guard let property = argument.objectValue?[member.key] else {
                        faults.append("\(place).\(member.key) is not documented")
                        continue
                    }
                    faults += self.faults(of: member.value, property, "\(place).\(member.key)")
                }
            case "items":
                for (index, item) in (value.arrayValue ?? []).enumerated() {
                    faults += self.faults(of: item, argument, "\(place)[\(index)]")
                }
            case "minimum", "maximum":
                guard let number = value.integerValue, let limit = argument.integerValue else { break }
                if keyword == "minimum" ? number < limit : number > limit {
                    faults.append("\(place) is \(number), beyond \(limit)")
                }
            case "anyOf":
                let branches = argument.arrayValue ?? []
                if !branches.contains(where: { self.faults(of: value, $0, place).isEmpty }) {
                    faults.append("\(place) is none of its alternatives")
                }
            default: faults.append("\(place): this test does not know \(keyword)")
            }
        }
        return faults
    }

    private static func typeName(of value: JSONValue) -> String {
        switch value {
        case .object: "object"
        case .array: "array"
        case .string: "string"
        case .number(let number): number.integer == nil ? "number" : "integer"
        case .bool: "boolean"
        case .null: "null"
        }
    }
}

extension TestServer {
    /// Asks a route of `/api`; the answer must be what the document promises.
    @discardableResult
    func api(
        _ method: String, _ path: String, _ json: String? = nil, headers: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> PeerResponse {
        var request = PeerRequest(method: method, headers: headers)
        if let json {
            request.body = Array(json.utf8)
            if request.headers["content-type"] == nil { request.headers["content-type"] = "application/json" }
        }
        let response = try await send(request, to: path)
        let faults = APIDocument.shared.faults(of: response, to: method, path)
        #expect(faults.isEmpty, "\(method) \(path) \(json ?? ""): \(response.text)", sourceLocation: sourceLocation)
        return response
    }

    @discardableResult
    func join(_ session: String, headers: [String: String] = [:]) async throws -> PeerResponse {
        try await api(
            "POST", "/api/traffic/join", #"{"action":"join","sessionId":"\#(session)"}"#, headers: headers)
    }

    @discardableResult
    func heartbeat(_ session: String) async throws -> PeerResponse {
        try await api("POST", "/api/traffic/heartbeat", #"{"action":"heartbeat","sessionId":"\#(session)"}"#)
    }

    @discardableResult
    func leave(_ session: String) async throws -> PeerResponse {
        try await api("POST", "/api/traffic/leave", #"{"action":"leave","sessionId":"\#(session)"}"#)
    }

    func check() async throws -> PeerResponse { try await api("GET", "/api/traffic/check") }

    /// Sets the gate's configuration as an admin does.
    func set(_ key: String, _ value: Int) async throws {
        try await command(.setTraffic(key: key, value: String(value)))
    }
}

extension PeerResponse {
    /// The members of `data`, without their order, as text: `["userStatus": "active", …]`.
    var data: [String: String] {
        guard let data = json("data") as? [String: Any] else { return [:] }
        return data.mapValues { "\($0)" }
    }
}
