/// Answers of HTTP/1.1 with status 200 and a length.
enum HTTPAnswer {
    /// - Parameter expecting: What every answer must hold.
    static func reader(expecting: String) -> RequestLoad.AnswerReader {
        let expected = Array(expecting.utf8)
        return { received in
            guard let headEnd = position(of: Array("\r\n\r\n".utf8), in: received[...]) else { return nil }
            let head = String(decoding: received[..<headEnd], as: UTF8.self).lowercased()
            guard let field = head.split(separator: "\r\n").first(where: { $0.hasPrefix("content-length:") }),
                let length = Int(field.dropFirst("content-length:".count).filter { $0 != " " })
            else { throw Wrong(description: "an answer without a length: \(head)") }
            let size = headEnd + 4 + length
            guard received.count >= size else { return nil }
            guard head.hasPrefix("http/1.1 200"), position(of: expected, in: received[(headEnd + 4)...]) != nil else {
                let text = String(decoding: received, as: UTF8.self)
                throw Wrong(description: "an answer that was not expected: \(text)")
            }
            return size
        }
    }
}

/// Where `bytes` stand in the haystack for the first time.
func position(of bytes: [UInt8], in haystack: ArraySlice<UInt8>) -> Int? {
    guard let first = bytes.first, haystack.count >= bytes.count else { return nil }
    var index = haystack.startIndex
    let last = haystack.endIndex - bytes.count
    while index <= last {
        if haystack[index] == first, haystack[index..<(index + bytes.count)].elementsEqual(bytes) { return index }
        index += 1
    }
    return nil
}
