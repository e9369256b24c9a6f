internal import ChatPlatforms
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// What Hummingbird answers with; the service's answers are called the same.
typealias HTTPAnswer = Hummingbird.Response

/// The form of every answer of `/api`: `{"code": 200, "msg": "success", "data": {…}}`.
///
/// - Source: spec.md section 8.
enum Envelope {
    static func success(_ data: JSONValue) -> Response {
        response(.ok, "success", data)
    }

    static func response(_ status: HTTPResponse.Status, _ message: String, _ data: JSONValue?) -> Response {
        let (fields, body) = parts(status, message, data)
        return Response(status: status, headers: fields, body: ResponseBody(byteBuffer: body))
    }

    static func parts(
        _ status: HTTPResponse.Status, _ message: String, _ data: JSONValue?
    ) -> (fields: HTTPFields, body: ByteBuffer) {
        var bytes: [UInt8] = []
        JSONWriter.append(
            .object(["code": .integer(Int64(status.code)), "msg": .string(message), "data": data ?? .null]),
            to: &bytes)
        var fields: HTTPFields = [.contentType: "application/json; charset=utf-8", .cacheControl: "no-store"]
        switch status {
        case .serviceUnavailable: fields[.retryAfter] = "1"
        // By then the minute in which a player asked too often is over.
        case .tooManyRequests: fields[.retryAfter] = "60"
        default: break
        }
        return (fields, ByteBuffer(bytes: bytes))
    }
}

/// Why a request to `/api` was refused, as its sender reads it.
struct APIRefusal: Error, HTTPResponseError {
    let status: HTTPResponse.Status
    /// Chinese first, English beside it.
    let message: String

    init(_ status: HTTPResponse.Status, _ message: String) {
        self.status = status
        self.message = message
    }

    static func field(_ name: String, _ chinese: String, _ english: String) -> APIRefusal {
        APIRefusal(.badRequest, "\(name) \(chinese)。\(name) \(english).")
    }

    func response(from request: Request, context: some RequestContext) throws -> Response {
        Envelope.response(status, message, nil)
    }
}

/// The body of a request to `/api`, read strictly.
struct APIBody {
    static let maximumSize = 64 * 1024

    private let object: JSONObject

    /// - Throws: ``APIRefusal``: 413, 415, 400.
    init(_ request: Request) async throws {
        let type = request.headers[.contentType]?.prefix { $0 != ";" }.lowercased().filter { $0 != " " }
        guard type == "application/json" else {
            throw APIRefusal(.unsupportedMediaType, "请用 application/json。Send application/json.")
        }
        var request = request
        let buffer: ByteBuffer
        do {
            buffer = try await request.collectBody(upTo: Self.maximumSize)
        } catch is NIOTooManyBytesError {
            throw APIRefusal(.contentTooLarge, "请求太大。The request is too large.")
        }
        guard let value = try? StrictJSON.parse(buffer.readableBytesView, maximumSize: Self.maximumSize),
            let object = value.objectValue
        else { throw APIRefusal(.badRequest, "请求体不是有效的 JSON 对象。The body is not a valid JSON object.") }
        self.object = object
    }

    /// A text of 1 to `maximumLength` characters without control characters.
    func text(_ name: String, maximumLength: Int) throws(APIRefusal) -> String {
        guard let text = try optionalText(name, maximumLength: maximumLength) else {
            throw .field(name, "缺失或为空", "is missing or empty")
        }
        return text
    }

    /// Nil when it is missing, null or empty.
    func optionalText(_ name: String, maximumLength: Int) throws(APIRefusal) -> String? {
        switch object[name] {
        case nil, .null: return nil
        case .string(let text):
            guard text.unicodeScalars.count <= maximumLength else {
                throw .field(name, "不能超过 \(maximumLength) 个字符", "must have at most \(maximumLength) characters")
            }
            guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
                throw .field(name, "含有控制字符", "has a control character")
            }
            return text.isEmpty ? nil : text
        default: throw .field(name, "应为字符串", "must be a string")
        }
    }
}
