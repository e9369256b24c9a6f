internal import ArgumentParser
internal import Foundation
internal import Hummingbird
internal import Logging
internal import NIOCore

/// Hummingbird answering a JSON POST with a constant, as it comes: what is left when there is nothing behind it.
struct PlainServer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "plain-server", shouldDisplay: false)

    mutating func run() async throws {
        // As long as the answer to a win.
        let answer = ByteBuffer(
            string:
                #"{"reply":"恭喜中奖！【春节抽奖】您抽中了：奖 bronze\n编号：bench-123456（0123456789abcdef），发送“验证 bench-123456”可查验。"}"#)
        let router = Router()
        router.post("webhook/:endpoint") { request, _ in
            var request = request
            _ = try await request.collectBody(upTo: 1 << 20)
            return Response(
                status: .ok, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: answer))
        }
        var logger = Logger(label: "plain")
        logger.logLevel = .critical
        try await Application(
            router: router, configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? 0
                FileHandle.standardError.write(Data("http://127.0.0.1:\(port)\n".utf8))
            }, logger: logger
        ).runService()
    }
}
