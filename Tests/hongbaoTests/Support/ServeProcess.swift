import Crypto
import Foundation
import TestSupport
import Testing

/// `hongbao serve` as a process, and where it listens.
final class ServeProcess: Sendable {
    let program: Program
    let port: Int

    /// Starts it in `folder` on any free port, and waits until it listens.
    ///
    /// - Parameter limits: See ``Program``.
    init(
        in folder: TemporaryFolder, _ arguments: [String] = [], yaml: String? = nil,
        environment: [String: String] = [:],
        limits: String? = nil
    ) throws {
        if let yaml { _ = try folder.file("hongbao.yaml", yaml) }
        program = try Program(
            ["serve", "--port", "0", "--database", "serve.db"] + arguments, in: folder.path, environment: environment,
            limits: limits)
        var port: Int?
        let end = Date(timeIntervalSinceNow: 30)
        while port == nil, program.isRunning, Date() < end {
            Thread.sleep(forTimeInterval: 0.02)
            port = Self.port(in: program.errorText)
        }
        if port == nil { program.send(SIGKILL) }
        self.port = try #require(port, "it does not listen: \(program.errorText)")
    }

    private static func port(in text: String) -> Int? {
        guard
            let line = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().last(where: { line in
                line.hasPrefix("http://") || line.hasPrefix("https://")
            })
        else { return nil }
        return line.split(separator: ":").last.flatMap { Int($0) }
    }

    /// Tells it to stop and waits.
    func stop(within seconds: Double = 25) throws -> Program.Result {
        program.send(SIGTERM)
        return try #require(program.finish(within: seconds), "it does not end")
    }

    func get(_ path: String) throws -> SocketClient.Response {
        let client = try SocketClient(port)
        defer { client.close() }
        return try client.ask("GET", path)
    }
}

/// A plain HTTP connection that is kept alive, used by one thread.
final class SocketClient {
    struct Response {
        let status: Int
        let head: String
        let body: String
    }

    enum Fault: Error {
        case notConnected
        /// The server closed before the answer was whole.
        case closed
        /// Neither an answer nor the end came in time.
        case hangs
    }

    private let descriptor: Int32
    private var buffer: [UInt8] = []
    /// Whether a request went out whole and its answer has not come.
    private(set) var awaitsAnswer = false

    init(_ port: Int, timeoutSeconds: Int = 30) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var timeout = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                connect(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else {
            close()
            throw Fault.notConnected
        }
    }

    func close() {
        Foundation.close(descriptor)
    }

    /// Sends a request and waits for its answer.
    func ask(
        _ method: String, _ path: String, headers: [String: String] = [:], body: String = ""
    ) throws -> Response {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count)\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        try send(Array((text + "\r\n" + body).utf8))
        awaitsAnswer = true
        while true {
            if let response = takeResponse(hasBody: method != "HEAD") {
                awaitsAnswer = false
                return response
            }
            try receive()
        }
    }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw errno == EAGAIN ? Fault.hangs : Fault.closed }
            sent += count
        }
    }

    private func receive() throws {
        var bytes = [UInt8](repeating: 0, count: 16_384)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        if count < 0, errno == EAGAIN || errno == EWOULDBLOCK { throw Fault.hangs }
        guard count > 0 else { throw Fault.closed }
        buffer += bytes.prefix(count)
    }

    private func takeResponse(hasBody: Bool) -> Response? {
        guard let end = buffer.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let head = String(decoding: buffer[..<end.lowerBound], as: UTF8.self)
        let announced =
            head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
            .flatMap { Int($0.dropFirst("content-length:".count).trimmingCharacters(in: .whitespaces)) } ?? 0
        let size = hasBody ? announced : 0
        guard buffer.count - end.upperBound >= size,
            let status = head.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return nil }
        let body = String(decoding: buffer[end.upperBound..<end.upperBound + size], as: UTF8.self)
        buffer.removeFirst(end.upperBound + size)
        return Response(status: status, head: head, body: body)
    }
}

/// Signs messages as a program does that speaks Standard Webhooks.
struct WebhookSender: Sendable {
    private static let key = Data(Canary.planted("serve-tests-webhook-key-000001", as: "secret of hongbao.yaml").utf8)
    static let yaml = """
        endpoints:
          webhook:
            secret: whsec_\(key.base64EncodedString())

        """

    /// Sends a message and waits for the answer.
    static func send(
        _ text: String, of user: String, id: String, on client: SocketClient
    ) throws -> SocketClient.Response {
        let body =
            #"{"type":"chat.message","data":{"user_id":"\#(user)","chat_id":"g","message_id":"\#(id)","text":"\#(text)"}}"#
        let seconds = Int(Date().timeIntervalSince1970)
        let code = HMAC<SHA256>.authenticationCode(
            for: Data("\(id).\(seconds).\(body)".utf8), using: SymmetricKey(data: key))
        return try client.ask(
            "POST", "/webhook/webhook",
            headers: [
                "Content-Type": "application/json", "webhook-id": id, "webhook-timestamp": String(seconds),
                "webhook-signature": "v1," + Data(code).base64EncodedString(),
            ], body: body)
    }
}
