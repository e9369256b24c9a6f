internal import NIOHTTP1

/// Follows the bytes of one connection from request to request and finds what the parser behind it lets pass.
///
/// Both must agree on where a request ends, so everything that could be read in two ways is refused here before the
/// parser sees it: fields that frame a body in any but their plainest form, chunk extensions, trailers, bare line
/// feeds. It is a plain value: bytes in, verdict out.
///
/// - Source: hardening.md section 1.3 rows 43, 44, 47, 49; RFC 9112 sections 2.2, 6 and 7.
struct RequestFraming {
    enum Verdict: Equatable {
        /// All bytes belong to a request that goes on.
        case partial
        /// A request ended after so many of the bytes.
        case complete(Int)
        /// - Parameter headEnd: How many of the bytes end the head of the refused request; nil when it has not ended, or
        ///   did so in an earlier call.
        case refused(HTTPResponseStatus, headEnd: Int?)
    }

    private enum State {
        case head
        case body(left: Int)
        case chunkSize(digits: Int, size: Int)
        /// The carriage return after the size was seen.
        case chunkSizeEnd(size: Int)
        case chunk(left: Int)
        /// What must still come after a chunk or after the last size: "\r\n", seen `matched` bytes of it.
        case lineEnd(matched: Int, isLast: Bool)
    }

    private let limits: ConnectionLimits
    private var state = State.head
    /// The start of a line whose end has not come yet.
    private var line: [UInt8] = []
    private var hasRequestLine = false
    private var sawEmptyLine = false
    private var headerCount = 0
    private var headerSize = 0
    private var contentLength: Int?
    private var isChunked = false
    private var bodySize = 0

    init(limits: ConnectionLimits) {
        self.limits = limits
    }

    /// Nothing of a request has come since the last one ended.
    var isBetweenRequests: Bool {
        if case .head = state { return !hasRequestLine && line.isEmpty && !sawEmptyLine }
        return false
    }

    /// - Parameter bytes: What follows the bytes of the last call; after `complete` what is left of them.
    ///   Nothing may follow a refusal.
    mutating func accept(_ bytes: UnsafeRawBufferPointer) -> Verdict {
        var position = 0
        var headEnd: Int?
        while position < bytes.count {
            switch state {
            case .head:
                let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
                guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else {
                    line.append(contentsOf: rest)
                    if let status = lengthFault(line.count) { return .refused(status, headEnd: nil) }
                    return .partial
                }
                position += end + 1
                let status: HTTPResponseStatus?
                if line.isEmpty {
                    status = acceptLine(UnsafeRawBufferPointer(rebasing: rest[..<end]))
                } else {
                    line.append(contentsOf: rest[..<end])
                    status = line.withUnsafeBytes { acceptLine($0) }
                    line.removeAll(keepingCapacity: true)
                }
                if let status { return .refused(status, headEnd: nil) }
                if case .head = state {} else { headEnd = position }

            case .body(let left):
                let taken = min(left, bytes.count - position)
                position += taken
                state = taken == left ? .head : .body(left: left - taken)

            case .chunkSize(let digits, let size):
                let byte = bytes[position]
                position += 1
                if let value = hexValue(byte) {
                    // Eight digits are 4 GiB, and no number that could overflow.
                    guard digits < 8 else { return .refused(.badRequest, headEnd: headEnd) }
                    state = .chunkSize(digits: digits + 1, size: size << 4 | Int(value))
                } else {
                    guard byte == UInt8(ascii: "\r"), digits > 0 else { return .refused(.badRequest, headEnd: headEnd) }
                    state = .chunkSizeEnd(size: size)
                }

            case .chunkSizeEnd(let size):
                guard bytes[position] == UInt8(ascii: "\n") else { return .refused(.badRequest, headEnd: headEnd) }
                position += 1
                bodySize += size
                guard bodySize <= limits.bodySize else { return .refused(.payloadTooLarge, headEnd: headEnd) }
                state = size == 0 ? .lineEnd(matched: 0, isLast: true) : .chunk(left: size)

            case .chunk(let left):
                let taken = min(left, bytes.count - position)
                position += taken
                state = taken == left ? .lineEnd(matched: 0, isLast: false) : .chunk(left: left - taken)

            case .lineEnd(let matched, let isLast):
                // A trailer field would begin here; none is taken.
                guard bytes[position] == (matched == 0 ? UInt8(ascii: "\r") : UInt8(ascii: "\n")) else {
                    return .refused(.badRequest, headEnd: headEnd)
                }
                position += 1
                if matched == 0 {
                    state = .lineEnd(matched: 1, isLast: isLast)
                } else {
                    state = isLast ? .head : .chunkSize(digits: 0, size: 0)
                }
            }
            if isBetweenRequests { return .complete(position) }
        }
        return .partial
    }

    /// Why a line of the head is too long; of its end, the carriage return may have come.
    private func lengthFault(_ count: Int) -> HTTPResponseStatus? {
        if !hasRequestLine {
            // The longest method and the version stand around the target.
            return count > limits.targetSize + 32 ? .uriTooLong : nil
        }
        let size = count - 1
        return size > limits.headerFieldSize || headerSize + size > limits.headerListSize
            ? .requestHeaderFieldsTooLarge : nil
    }

    /// - Parameter line: Without its line feed.
    private mutating func acceptLine(_ line: UnsafeRawBufferPointer) -> HTTPResponseStatus? {
        if let status = lengthFault(line.count) { return status }
        guard line.last == UInt8(ascii: "\r") else { return .badRequest }
        let text = UnsafeRawBufferPointer(rebasing: line.dropLast())
        guard hasRequestLine else {
            if text.isEmpty {
                // Some old clients send one empty line after a body; more is not a client.
                defer { sawEmptyLine = true }
                return sawEmptyLine ? .badRequest : nil
            }
            hasRequestLine = true
            return acceptRequestLine(text)
        }
        if text.isEmpty {
            endHead()
            return nil
        }
        headerCount += 1
        headerSize += text.count
        guard headerCount <= limits.headerCount else { return .requestHeaderFieldsTooLarge }
        return acceptField(text)
    }

    private func acceptRequestLine(_ text: UnsafeRawBufferPointer) -> HTTPResponseStatus? {
        let parts = text.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard parts.count == 3 else { return .badRequest }
        guard parts[1].count <= limits.targetSize else { return .uriTooLong }
        return parts[2].elementsEqual("HTTP/1.1".utf8) || parts[2].elementsEqual("HTTP/1.0".utf8) ? nil : .badRequest
    }

    private mutating func acceptField(_ text: UnsafeRawBufferPointer) -> HTTPResponseStatus? {
        if let value = plainValue(of: "content-length:", in: text) {
            // Fifteen digits cannot overflow; leading zeros and signs are nobody's way to write a length.
            guard contentLength == nil, !isChunked, (1...15).contains(value.count),
                value.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                value.count == 1 || value.first != UInt8(ascii: "0")
            else { return .badRequest }
            contentLength = value.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        } else if let value = plainValue(of: "transfer-encoding:", in: text) {
            guard contentLength == nil, !isChunked, isSame(value, "chunked") else { return .badRequest }
            isChunked = true
        }
        return nil
    }

    /// The value behind `name` and at most one space; nil when the line is another field. The parser behind refuses
    /// whitespace before the colon and folded lines.
    private func plainValue(of name: StaticString, in text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let count = name.utf8CodeUnitCount
        guard text.count >= count, isSame(text[..<count], name) else { return nil }
        let rest = text[count...]
        return UnsafeRawBufferPointer(rebasing: rest.first == UInt8(ascii: " ") ? rest.dropFirst() : rest)
    }

    /// What a request declares to have is for the head's reader to refuse, who can then say so in the right form.
    private mutating func endHead() {
        let length = contentLength ?? 0
        state = isChunked ? .chunkSize(digits: 0, size: 0) : length > 0 ? .body(left: length) : .head
        hasRequestLine = false
        sawEmptyLine = false
        headerCount = 0
        headerSize = 0
        contentLength = nil
        isChunked = false
        bodySize = 0
    }
}
