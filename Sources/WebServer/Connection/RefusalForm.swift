internal import HTTPTypes
internal import NIOCore
internal import NIOHTTP1

/// Gives what the connection layer refuses the form of the place that was asked.
public struct RefusalForm: Sendable {
    /// - Parameters:
    ///   - head: What was asked, as the parser read it.
    ///   - status: Why it is refused.
    /// - Returns: Nil for nothing but the status.
    let answer:
        @Sendable (_ head: HTTPRequestHead, _ status: HTTPResponseStatus) -> (fields: HTTPFields, body: ByteBuffer)?
}
