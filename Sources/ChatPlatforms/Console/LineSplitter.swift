/// Cuts a stream of bytes into lines, in bounded memory and however the stream is cut into chunks.
///
/// A line ends at `\n`; one `\r` in front of it is dropped. Not more than a line's limit and one byte is kept between
/// two chunks.
public struct LineSplitter: Sendable {
    public enum Line: Hashable, Sendable {
        /// Without its line end; may be empty.
        case line(ArraySlice<UInt8>)
        /// More bytes than the limit. Reported once, as soon as it is seen; the rest of the line is discarded.
        case tooLong
    }

    /// In bytes, without the line end.
    public let maximumLineSize: Int
    /// The beginning of a line whose end is still to come.
    private var pending: [UInt8] = []
    private var isDiscarding = false

    /// - Parameter maximumLineSize: In bytes, without the line end; at least 0.
    public init(maximumLineSize: Int) {
        precondition(maximumLineSize >= 0, "A line cannot be shorter than empty.")
        self.maximumLineSize = maximumLineSize
    }

    /// Takes the next bytes of the stream; empty is allowed.
    ///
    /// - Returns: The lines that are now complete, in order. They share the chunk's storage where they can.
    /// - Complexity: O(*n*) in the size of the chunk.
    public mutating func append(_ chunk: ArraySlice<UInt8>) -> [Line] {
        var lines: [Line] = []
        var start = chunk.startIndex
        while let newline = chunk[start...].firstIndex(of: UInt8(ascii: "\n")) {
            if isDiscarding {
                isDiscarding = false
            } else if pending.isEmpty {
                lines.append(line(chunk[start..<newline]))
            } else if keep(chunk[start..<newline]) {
                lines.append(line(pending[...]))
            } else {
                lines.append(.tooLong)
            }
            pending = []
            start = newline + 1
        }
        if !isDiscarding, !keep(chunk[start...]) {
            lines.append(.tooLong)
            pending = []
            isDiscarding = true
        }
        return lines
    }

    /// Ends the stream. Afterwards the splitter is as new.
    ///
    /// - Returns: The last line, when bytes came after the last newline and were not reported as too long already.
    public mutating func finish() -> Line? {
        let last = pending.isEmpty ? nil : line(pending[...])
        pending = []
        isDiscarding = false
        return last
    }

    private func line(_ bytes: ArraySlice<UInt8>) -> Line {
        let content = bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes
        return content.count <= maximumLineSize ? .line(content) : .tooLong
    }

    /// Adds to the beginning of a line; false, and nothing added, when the line is too long whatever follows.
    private mutating func keep(_ bytes: ArraySlice<UInt8>) -> Bool {
        let size = pending.count + bytes.count
        guard
            size <= maximumLineSize
                || (size == maximumLineSize + 1 && (bytes.last ?? pending.last) == UInt8(ascii: "\r"))
        else { return false }
        pending.append(contentsOf: bytes)
        return true
    }
}
