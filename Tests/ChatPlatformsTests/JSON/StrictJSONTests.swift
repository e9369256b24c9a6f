import Basics
import ChatPlatforms
import Foundation
import TestSupport
import Testing

struct StrictJSONTests {
    typealias Reason = StrictJSONError.Reason

    static func failure(_ bytes: some Collection<UInt8>, maximumSize: Int = 1 << 24) -> StrictJSONError? {
        do throws(StrictJSONError) {
            _ = try StrictJSON.parse(bytes, maximumSize: maximumSize)
            return nil
        } catch {
            return error
        }
    }

    static let badTexts: [(String, Reason, Int)] = [
        ("", .unexpectedEnd, 0),
        (" \t\r\n", .unexpectedEnd, 4),
        ("{", .unexpectedEnd, 1),
        ("[1", .unexpectedEnd, 2),
        ("[1,", .unexpectedEnd, 3),
        (#"{"a""#, .unexpectedEnd, 4),
        (#"{"a":"#, .unexpectedEnd, 5),
        (#"{"a":1"#, .unexpectedEnd, 6),
        (#"{"a":1,"#, .unexpectedEnd, 7),
        (#""abc"#, .unexpectedEnd, 4),
        (#""ab\"#, .unexpectedEnd, 4),
        (#""ab\n"#, .unexpectedEnd, 5),
        (#""\u12"#, .unexpectedEnd, 5),
        ("tru", .unexpectedEnd, 3),
        ("-", .unexpectedEnd, 1),
        ("1.", .unexpectedEnd, 2),
        ("1e", .unexpectedEnd, 2),
        ("1e+", .unexpectedEnd, 3),
        // Row 23.
        (#"{"a":1,"a":1}"#, .duplicateKey, 7),
        (#"{"a":1,"\u0061":2}"#, .duplicateKey, 7),
        (#"{"\u0061":1,"b":0,"a":2}"#, .duplicateKey, 18),
        (#"{"🧧":1,"\ud83e\udde7":2}"#, .duplicateKey, 10),
        (#"{"":1,"":2}"#, .duplicateKey, 6),
        (#"[{"x":{"a":1,"a":2}}]"#, .duplicateKey, 13),
        // Row 24.
        ("[1,]", .trailingComma, 2),
        (#"{"a":1 , }"#, .trailingComma, 7),
        ("[,]", .expectedValue, 1),
        ("[1,,2]", .expectedValue, 3),
        ("{,}", .expectedKey, 1),
        // Row 25.
        ("\u{FEFF}{}", .byteOrderMark, 0),
        ("{\u{FEFF}}", .expectedKey, 1),
        // Row 26.
        ("{}{}", .trailingBytes, 2),
        ("{}\n{}", .trailingBytes, 3),
        ("1 2", .trailingBytes, 2),
        ("nullx", .trailingBytes, 4),
        ("{}]", .trailingBytes, 2),
        ("{}\u{0}", .trailingBytes, 2),
        ("1\u{A0}", .trailingBytes, 1),
        // Rows 28 and 29, where it is not even a number.
        ("NaN", .expectedValue, 0),
        ("nan", .expectedValue, 0),
        ("Infinity", .expectedValue, 0),
        ("-Infinity", .invalidNumber, 0),
        ("+1", .expectedValue, 0),
        ("01", .invalidNumber, 0),
        ("-01", .invalidNumber, 0),
        ("00", .invalidNumber, 0),
        (".5", .expectedValue, 0),
        ("1.e3", .invalidNumber, 0),
        ("[1.x]", .invalidNumber, 1),
        ("1e+x", .invalidNumber, 0),
        ("0x10", .trailingBytes, 1),
        ("1_000", .trailingBytes, 1),
        ("１", .expectedValue, 0),
        // Row 32.
        (#""a\u0000""#, .nulCharacter, 2),
        ("\"a\u{0}\"", .controlCharacter, 2),
        (#"{"\u0000":1}"#, .nulCharacter, 2),
        // Rows 20 and 33; raw bytes are below.
        (#""\ud800""#, .unpairedSurrogate, 1),
        (#""\udc00""#, .unpairedSurrogate, 1),
        (#""\ud800\ud800""#, .unpairedSurrogate, 1),
        (#""\ud800\n""#, .unpairedSurrogate, 1),
        (#""\ud800x""#, .unpairedSurrogate, 1),
        (#""\ud800\u0041""#, .unpairedSurrogate, 1),
        (#""x\udbff\ue000""#, .unpairedSurrogate, 2),
        (#""\ud800\u00""#, .invalidEscape, 7),
        (#""\x41""#, .invalidEscape, 1),
        (#""\u00g0""#, .invalidEscape, 1),
        (#""\u+123""#, .invalidEscape, 1),
        (#""\U0041""#, .invalidEscape, 1),
        (#""\'""#, .invalidEscape, 1),
        ("\"a\nb\"", .controlCharacter, 2),
        ("\"a\tb\"", .controlCharacter, 2),
        ("\"\\n\u{1F}\"", .controlCharacter, 3),
        ("{a:1}", .expectedKey, 1),
        ("{'a':1}", .expectedKey, 1),
        ("{1:1}", .expectedKey, 1),
        ("{null:1}", .expectedKey, 1),
        (#"{"a" 1}"#, .expectedColon, 5),
        (#"{"a",1}"#, .expectedColon, 4),
        (#"{"a":}"#, .expectedValue, 5),
        (#"{"a":1 "b":2}"#, .expectedCommaOrEnd, 7),
        ("[1 2]", .expectedCommaOrEnd, 3),
        ("[1}", .expectedCommaOrEnd, 2),
        (#"{"a":1]"#, .expectedCommaOrEnd, 6),
        ("]", .expectedValue, 0),
        ("'a'", .expectedValue, 0),
        ("True", .expectedValue, 0),
        ("nul!", .expectedValue, 0),
        ("{} // end", .trailingBytes, 3),
        ("/* */{}", .expectedValue, 0),
        ("\u{3000}{}", .expectedValue, 0),
        ("\u{B}1", .expectedValue, 0),
    ]

    @Test("hardening rows 20, 23, 24, 25, 26, 28, 29, 32, 33: what is no strict JSON is refused", arguments: badTexts)
    func badTextIsRefused(text: String, reason: Reason, offset: Int) {
        let error = Self.failure(Array(text.utf8))
        #expect(error?.reason == reason)
        #expect(error?.offset == offset)
    }

    static let badStringBytes: [[UInt8]] = [
        [0x80], [0xBF], [0xC0, 0x80], [0xC0, 0xAF], [0xC1, 0xBF], [0xC2], [0xC2, 0x20], [0xC2, 0xC2],
        [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF], [0xE2, 0x82], [0xE2, 0x28, 0xA1], [0xE2, 0x82, 0x28],
        [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xED, 0xA0, 0x80, 0xED, 0xB0, 0x80],
        [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x8F, 0xBF, 0xBF], [0xF0, 0x9F, 0xA7], [0xF0, 0x9F, 0x28, 0xA7],
        [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFE], [0xFF],
        Array("抽".utf8.dropLast()), [0xB3, 0xE9],
    ]

    @Test("hardening row 33: invalid UTF-8 is refused", arguments: badStringBytes)
    func invalidUTF8IsRefused(bytes: [UInt8]) {
        let quote = UInt8(ascii: "\"")
        for prefix in ["a", "\\n"] {
            let start = [quote] + Array(prefix.utf8)
            let closed = Self.failure(start + bytes + [quote])
            #expect(closed?.reason == .invalidUTF8)
            #expect(closed?.offset == start.count)
            #expect(Self.failure(start + bytes)?.reason == .invalidUTF8)
        }
    }

    @Test(
        "hardening row 25: other encodings are refused",
        arguments: [
            [0xFF, 0xFE, 0x7B, 0x00, 0x7D, 0x00], [0xFE, 0xFF, 0x00, 0x7B, 0x00, 0x7D], [0x7B, 0x00, 0x7D, 0x00],
            [0x00, 0x7B, 0x00, 0x7D], [0xFF, 0xFE, 0, 0, 0x7B, 0, 0, 0], [0, 0, 0xFE, 0xFF, 0, 0, 0, 0x7B],
            [0x7B, 0, 0, 0, 0x7D, 0, 0, 0],
        ] as [[UInt8]])
    func otherEncodingsAreRefused(bytes: [UInt8]) {
        #expect(Self.failure(bytes) != nil)
    }

    @Test("hardening row 27: deep nesting is refused", arguments: [33, 511, 512, 100_000])
    func deepNestingIsRefused(depth: Int) {
        let arrays = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        #expect(Self.failure(arrays.utf8) == Self.failure(String(repeating: "[", count: depth).utf8))
        #expect(Self.failure(arrays.utf8)?.reason == .tooDeep)
        #expect(Self.failure(arrays.utf8)?.offset == 32)
        let objects = String(repeating: #"{"a":"#, count: depth)
        #expect(Self.failure(objects.utf8)?.reason == .tooDeep)
    }

    @Test func allowedNestingIsRead() throws {
        let arrays = String(repeating: "[", count: 32) + String(repeating: "]", count: 32)
        var value = try json(arrays)
        for _ in 1..<32 { value = try #require(value.arrayValue?.first) }
        #expect(value == .array([]))
        // Side by side is not deep.
        #expect(Self.failure("[\(String(repeating: "[[]],", count: 1000))0]".utf8) == nil)
    }

    @Test("hardening row 34: keys are counted") func keysAreCounted() throws {
        func object(_ count: Int) -> String {
            "{" + (0..<count).map { "\"k\($0)\":\($0)" }.joined(separator: ",") + "}"
        }
        let value = try #require(try json(object(1000)).objectValue)
        #expect(value.members.count == 1000)
        #expect(value["k999"]?.integerValue == 999)
        #expect(Self.failure(object(1001).utf8)?.reason == .tooManyKeys)
        #expect(Self.failure(object(100_000).utf8)?.reason == .tooManyKeys)
    }

    @Test(arguments: [2, 15, 16, 17, 18, 40, 999])
    func duplicateKeyIsFoundAtEverySize(count: Int) {
        let keys = (0..<count).map { "\"k\($0)\":0" }
        for repeated in Set([0, count / 2, count - 1]) {
            let text = "{" + (keys + ["\"\\u006b\(repeated)\":1"]).joined(separator: ",") + "}"
            #expect(Self.failure(text.utf8)?.reason == .duplicateKey)
        }
    }

    @Test("hardening row 34: the size of a key is limited") func keySizeIsLimited() {
        let longest = String(repeating: "k", count: 256)
        #expect(Self.failure(#"{"\#(longest)":1}"#.utf8) == nil)
        #expect(Self.failure(#"{"\#(longest)k":1}"#.utf8)?.reason == .keyTooLong)
        #expect(Self.failure(#"{"\#(String(repeating: "k", count: 1 << 20))":1}"#.utf8)?.reason == .keyTooLong)
        // Counted after unescaping, in bytes.
        #expect(Self.failure(#"{"\#(String(repeating: "\\u006b", count: 256))":1}"#.utf8) == nil)
        #expect(Self.failure(#"{"\#(String(repeating: "抽", count: 86))":1}"#.utf8)?.reason == .keyTooLong)
    }

    @Test func sizeIsLimited() {
        #expect(Self.failure(Array("[1,2]".utf8), maximumSize: 5) == nil)
        #expect(Self.failure(Array("[1,2]".utf8), maximumSize: 4) == Self.failure("[1,2]".utf8, maximumSize: 4))
        #expect(Self.failure(Array("[1,2]".utf8), maximumSize: 4)?.reason == .tooLarge)
        #expect(Self.failure(AnyCollection(Array("[1,2]".utf8)), maximumSize: 4)?.reason == .tooLarge)
        #expect(Self.failure("[]".utf8, maximumSize: 0)?.reason == .tooLarge)
        #expect(Self.failure("".utf8, maximumSize: 0)?.reason == .unexpectedEnd)
    }

    @Test func storageDoesNotMatter() throws {
        let bytes = Array(#"x{"a":[1,"é"]}y"#.utf8)
        let expected = try json(#"{"a":[1,"é"]}"#)
        let slice = bytes[1..<bytes.count - 1]
        #expect(try StrictJSON.parse(slice, maximumSize: 100) == expected)
        #expect(try StrictJSON.parse(AnyCollection(slice), maximumSize: 100) == expected)
        #expect(try slice.withUnsafeBufferPointer { try StrictJSON.parse($0, maximumSize: 100) } == expected)
        // An offset is counted from the start of the slice.
        #expect(Self.failure(bytes[1...])?.offset == slice.count)
    }

    @Test(
        "hardening rows 28, 29, 30: a number keeps its text",
        arguments: [
            ("0", 0), ("-1", -1), ("12", 12), ("9007199254740993", 9_007_199_254_740_993),
            ("9223372036854775807", .max), ("-9223372036854775808", .min),
            ("-0", nil), ("1.0", nil), ("1e3", nil), ("1E3", nil), ("0.0", nil), ("9223372036854775808", nil),
            ("-9223372036854775809", nil), ("18446744073709551616", nil), ("1e999", nil), ("-1.5e-10", nil),
        ] as [(String, Int64?)])
    func numberKeepsItsText(text: String, integer: Int64?) throws {
        guard case .number(let number) = try json("[\(text)]").arrayValue?.first else {
            Issue.record("not a number")
            return
        }
        #expect(number.text == text)
        #expect(number.integer == integer)
        if let integer { #expect(JSONNumber(integer) == number) }
    }

    @Test func numberSizeIsLimited() throws {
        #expect(try json(String(repeating: "9", count: 128)).integerValue == nil)
        #expect(Self.failure(String(repeating: "9", count: 129).utf8)?.reason == .numberTooLong)
        #expect(Self.failure("1.\(String(repeating: "0", count: 100_000))".utf8)?.reason == .numberTooLong)
    }

    @Test(arguments: [
        (#""""#, ""), (#""抽奖""#, "抽奖"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"),
        (#""\u0041\u00e9\u62BD\ud83e\uDDE7z""#, "Aé抽🧧z"), (#""a\ud83e\udde7""#, "a🧧"),
        ("\"\u{7F}\u{85}\"", "\u{7F}\u{85}"),
        (#""\uffff\ufffe""#, "\u{FFFF}\u{FFFE}"), (#""\ue000""#, "\u{E000}"), (#""\ud7ff""#, "\u{D7FF}"),
        (#""\udbff\udfff""#, "\u{10FFFF}"), ("\"\u{FEFF}\"", "\u{FEFF}"), (#""\u0001""#, "\u{1}"),
    ])
    func stringsAreRead(text: String, expected: String) throws {
        #expect(try json(text) == .string(expected))
    }

    @Test func stringsAreComparedAsBytes() throws {
        // Given: é composed and decomposed, which Swift's String takes for the same.
        let value = try json("{\"\u{E9}\":1,\"e\u{301}\":2}")
        let object = try #require(value.objectValue)
        #expect(object.members.count == 2)
        #expect(object["e\u{301}"]?.integerValue == 2)
        #expect(object["\u{E9}"]?.integerValue == 1)
        #expect(JSONValue.string("\u{E9}") != .string("e\u{301}"))
        #expect(Set([JSONValue.string("\u{E9}"), .string("e\u{301}"), .string("\u{E9}")]).count == 2)
    }

    @Test func valuesAreRead() throws {
        let value = try json(" { \"a\" : [ true , false , null ] ,\"b\":{},\"c\":\"1\" , \"d\":[] } \r\n")
        let object = try #require(value.objectValue)
        #expect(object.members.map(\.key) == ["a", "b", "c", "d"])
        #expect(object["a"] == .array([.bool(true), .bool(false), .null]))
        #expect(object["a"]?.arrayValue?.first?.boolValue == true)
        #expect(object["b"]?.objectValue?.members.isEmpty == true)
        #expect(object["c"]?.stringValue == "1")
        #expect(object["c"]?.integerValue == nil)
        #expect(object["d"]?.arrayValue == [])
        #expect(object["e"] == nil)
        #expect(object["a"]?.stringValue == nil && object["a"]?.objectValue == nil && object["c"]?.boolValue == nil)
    }

    @Test func errorSaysWhatAndWhere() {
        #expect(Self.failure("[1,]".utf8)?.description == "a comma must be followed by another member (at byte 2)")
    }

    @Test func validDocumentsAgreeWithFoundation() throws {
        var random = RandomJSON(generator: SeededGenerator(seed: SeededGenerator.baseSeed))
        for _ in 0..<500 {
            let bytes = random.document()
            let value = try StrictJSON.parse(bytes, maximumSize: 1 << 24)
            let other = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
            #expect(agree(value, other), "\(String(decoding: bytes, as: UTF8.self))")
            // And what is written from it is the same document.
            var written: [UInt8] = []
            JSONWriter.append(value, to: &written)
            #expect(try StrictJSON.parse(written, maximumSize: 1 << 24) == value)
        }
    }

    @Test func damagedDocumentsAreRefusedOrAgreeWithFoundation() throws {
        var random = RandomJSON(generator: SeededGenerator(seed: SeededGenerator.baseSeed))
        for _ in 0..<1500 {
            let document = random.document()
            let bytes = random.damaged(document)
            guard let value = try? StrictJSON.parse(bytes, maximumSize: 1 << 24) else { continue }
            guard let other = try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed) else {
                // Foundation refuses numbers that no Double holds; nothing else that is accepted here.
                #expect(bytes.contains { $0 | 0x20 == UInt8(ascii: "e") }, "\(String(decoding: bytes, as: UTF8.self))")
                continue
            }
            #expect(agree(value, other), "\(String(decoding: bytes, as: UTF8.self))")
        }
    }

    @Test func randomBytesNeverCrash() {
        var generator = SeededGenerator(seed: SeededGenerator.baseSeed)
        let alphabet = Array("{}[]\",:\\u0dD8ec1-. tfn".utf8) + [0xED, 0xA0, 0x80, 0xE2, 0xF0, 0x9F]
        for round in 0..<10_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                round.isMultiple(of: 2)
                    ? UInt8.random(in: 0 ... .max, using: &generator) : alphabet.randomElement(using: &generator)!
            }
            if let error = Self.failure(bytes) {
                #expect((0...bytes.count).contains(error.offset))
            }
            _ = try? ConsoleLine.decode(bytes)
        }
    }

    private func agree(_ value: JSONValue, _ other: Any) -> Bool {
        switch value {
        case .object(let object):
            guard let other = other as? [String: Any], other.count == object.members.count else { return false }
            return object.members.allSatisfy { member in other[member.key].map { agree(member.value, $0) } ?? false }
        case .array(let values):
            guard let other = other as? [Any], other.count == values.count else { return false }
            return zip(values, other).allSatisfy(agree)
        case .string(let text):
            return (other as? String).map { $0.utf8.elementsEqual(text.utf8) } ?? false
        case .number(let number):
            guard let other = other as? NSNumber else { return false }
            if let integer = number.integer { return other.int64Value == integer }
            guard let double = Double(number.text) else { return false }
            return abs(other.doubleValue - double) <= abs(double) * 1e-12
        case .bool(let value):
            return other as? Bool == value
        case .null:
            return other is NSNull
        }
    }
}
