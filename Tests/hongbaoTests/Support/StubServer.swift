import Foundation
import NIOConcurrencyHelpers

/// A server that stands for a platform's API, for programs that are started with its address.
final class StubServer: Sendable {
    struct Call: Sendable {
        let method: String
        let path: String
        let authorization: String?
    }

    struct Answer: Sendable {
        var status = 200
        /// What it says the time is.
        var date: String?
        var body: String
    }

    let port: Int
    private let descriptor: Int32
    private let seen = NIOLockedValueBox<[Call]>([])

    var url: String { "http://127.0.0.1:\(port)" }
    var calls: [Call] { seen.withLockedValue { $0 } }

    /// - Parameter answer: Called by one thread for each connection, of which each has one request.
    init(_ answer: @escaping @Sendable (Call) -> Answer) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                precondition(bind(descriptor, pointer, size) == 0 && listen(descriptor, 64) == 0, "cannot listen")
                getsockname(descriptor, pointer, &size)
            }
        }
        self.descriptor = descriptor
        port = Int(in_port_t(bigEndian: address.sin_port))
        let seen = seen
        Thread {
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { return }
                Thread {
                    Self.serve(connection) { call in
                        seen.withLockedValue { $0.append(call) }
                        return answer(call)
                    }
                    close(connection)
                }.start()
            }
        }.start()
    }

    deinit {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }

    private static func serve(_ connection: Int32, _ answer: (Call) -> Answer) {
        var text = ""
        while !text.contains("\r\n\r\n") {
            var bytes = [UInt8](repeating: 0, count: 16_384)
            let count = recv(connection, &bytes, bytes.count, 0)
            guard count > 0 else { return }
            text += String(decoding: bytes.prefix(count), as: UTF8.self)
        }
        let lines = text.components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        let authorization = lines.first { $0.lowercased().hasPrefix("authorization:") }
        let call = Call(
            method: String(words[0]), path: String(words[1]),
            authorization: authorization?.drop { $0 != " " }.trimmingCharacters(in: .whitespaces))
        let answer = answer(call)
        let response =
            "HTTP/1.1 \(answer.status) X\r\nContent-Type: application/json\r\nContent-Length: \(answer.body.utf8.count)\r\n"
            + (answer.date.map { "Date: \($0)\r\n" } ?? "") + "Connection: close\r\n\r\n\(answer.body)"
        _ = Array(response.utf8).withUnsafeBytes {
            Foundation.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        // What is left of the request must not turn the close into a reset.
        shutdown(connection, Int32(SHUT_WR))
        var rest = [UInt8](repeating: 0, count: 16_384)
        while recv(connection, &rest, rest.count, 0) > 0 {}
    }
}
