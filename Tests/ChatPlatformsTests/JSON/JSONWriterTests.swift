import ChatPlatforms
import Foundation
import Testing

struct JSONWriterTests {
    static func written(_ text: String) -> String {
        var buffer: [UInt8] = []
        JSONWriter.append(text, to: &buffer)
        return String(decoding: buffer, as: UTF8.self)
    }

    @Test(arguments: [
        ("", #""""#), ("恭喜中奖", #""恭喜中奖""#), (#"a"b\c"#, #""a\"b\\c""#), ("</script>&", #""</script>&""#),
        ("\u{8}\t\n\u{C}\r", #""\b\t\n\f\r""#), ("\u{0}\u{1}\u{1B}[31m\u{1F}", #""\u0000\u0001\u001b[31m\u001f""#),
        ("\u{7F}\u{80}\u{9B}\u{9F}\u{A0}", "\"\\u007f\\u0080\\u009b\\u009f\u{A0}\""),
        ("\u{2027}\u{2028}\u{2029}\u{202A}", "\"\u{2027}\\u2028\\u2029\u{202A}\""), ("x\r\ny", #""x\r\ny""#),
        ("🧧\"é", "\"🧧\\\"é\""), ("\u{FFFF}", "\"\u{FFFF}\""),
    ])
    func stringsAreEscaped(text: String, expected: String) {
        #expect(Self.written(text) == expected)
    }

    @Test(
        arguments: [1..<0x800, 0x800..<0x3100, 0xD000..<0xE100, 0xFF00..<0x1_0100, 0x10_FF00..<0x11_0000]
            as [Range<UInt32>])
    func everyScalarComesBack(values: Range<UInt32>) throws {
        // Each between two others, so that the run before and after it is copied too.
        var text = ""
        for scalar in values.lazy.compactMap(Unicode.Scalar.init) { text += "a\(scalar)b" }
        #expect(try json(Self.written(text)) == .string(text))
    }

    @Test func bridgedStringIsWritten() {
        #expect(Self.written(NSString(string: "抽\n奖") as String) == #""抽\n奖""#)
    }

    @Test func valueIsWrittenInItsOrder() throws {
        let text = #"{"b":[1.50,-0,true,false,null,{}],"a":{"x":"y","w":[]}}"#
        var buffer: [UInt8] = []
        JSONWriter.append(try json(text), to: &buffer)
        #expect(String(decoding: buffer, as: UTF8.self) == text)
    }
}
