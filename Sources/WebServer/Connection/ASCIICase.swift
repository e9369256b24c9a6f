/// Whether the bytes spell `lowercase`, ASCII letters in either case.
func isSame(_ bytes: some Collection<UInt8>, _ lowercase: StaticString) -> Bool {
    lowercase.withUTF8Buffer { expected in
        bytes.count == expected.count
            && zip(bytes, expected).allSatisfy { byte, other in
                byte == other || ((UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) && byte | 0x20 == other)
            }
    }
}
