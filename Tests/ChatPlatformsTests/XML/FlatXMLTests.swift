import Basics
import Foundation
import Testing

@testable import ChatPlatforms

#if canImport(FoundationXML)
    import FoundationXML
#endif

struct FlatXMLTests {
    static func read(_ text: String) -> [String: String]? { FlatXML.texts(of: Array(text.utf8)) }

    @Test(arguments: [
        ("<xml></xml>", [:]),
        ("<xml><A>t</A><B><![CDATA[x<y&amp;]]></B></xml>", ["A": "t", "B": "x<y&amp;"]),
        ("<xml>\n\t<A>t</A> \r\n<B/>\r</xml>\n", ["A": "t", "B": ""]),
        ("<xml><A>&lt;&amp;&gt;&quot;&apos;&#20013;&#x4E2d;&#x1F9E7;</A></xml>", ["A": "<&>\"'中中🧧"]),
        ("<xml><A>1<![CDATA[]]>2<![CDATA[3]]></A></xml>", ["A": "123"]),
        ("<xml><A><![CDATA[a]]]]><![CDATA[>b]]></A></xml>", ["A": "a]]>b"]),
        ("<xml><A><![CDATA[<!DOCTYPE x><!-- c --><?p?>]]></A></xml>", ["A": "<!DOCTYPE x><!-- c --><?p?>"]),
        ("<xml><A>a\r\nb\rc</A><B><![CDATA[\r\r\n]]></B><C>&#13;</C></xml>", ["A": "a\nb\nc", "B": "\n\n", "C": "\r"]),
        ("<xml><A >t</A\n></xml>", ["A": "t"]),
        ("<?xml version=\"1.0\"?><xml><A>t</A></xml>", ["A": "t"]),
        ("<?xml version='1.0' encoding='utf-8' ?>\n<xml><A>t</A></xml>", ["A": "t"]),
        // Nested elements are skipped, and what holds them has no text.
        ("<xml><A>a<B>b</B>c</A><C><A>d</A><A>e</A></C><D>f</D></xml>", ["D": "f"]),
        ("<xml><A>é</A></xml>", ["A": "é"]), ("<xml><A>]]&gt;]]</A></xml>", ["A": "]]>]]"]),
    ])
    func documentIsRead(text: String, expected: [String: String]) {
        #expect(Self.read(text) == expected)
    }

    @Test(
        "hardening rows 37, 38, 40: what could be read in two ways is refused",
        arguments: [
            "", " ", "text", "<xml>", "<xml><A>t</A>", "<xml><A>t</xml>", "<xml><A>t</B></xml>", "</xml>", "<xml/>",
            "<html></html>", "<XML></XML>", "<xml></xml><xml></xml>", "<xml></xml>text", "x<xml></xml>",
            "\u{FEFF}<xml></xml>",
            "<xml><A>t</A></xml", "<xml><A>t</A></xml>\0", "<xml>text<A>t</A></xml>", "<xml>&#32;</xml>",
            "<xml><![CDATA[ ]]></xml>",
            // A name that is there twice.
            "<xml><A>1</A><A>2</A></xml>", "<xml><A>1</A><A/></xml>", "<xml><A><B/></A><A>2</A></xml>",
            // Attributes, namespaces, names.
            "<xml a='1'></xml>", "<xml><A b=\"1\">t</A></xml>", "<xml><A b='1' b='2'/></xml>", "<xml xmlns='u'></xml>",
            "<xml><x:A>t</x:A></xml>", "<xml><A xmlns:x='u'/></xml>", "<xml><1A/></xml>", "<xml><中/></xml>",
            "<xml></></xml>",
            "<xml>< A/></xml>", "<xml><A / ></xml>", "<xml><A>t</ A></xml>",
            // Comments and instructions.
            "<xml><A>12<!-- c -->34</A></xml>", "<xml><!-- c --></xml>", "<!-- c --><xml></xml>",
            "<xml></xml><!-- c -->",
            "<?p?><xml></xml>", "<xml><?p?></xml>", "<xml></xml><?p?>", "<xml><A>1<?p?>2</A></xml>",
            "<xml><?xml version=\"1.0\"?></xml>", " <?xml version=\"1.0\"?><xml></xml>", "<?xml?><xml></xml>",
            "<?xml version=\"1.0\"?><?xml version=\"1.0\"?><xml></xml>", "<?xml version=\"1.1\"?><xml></xml>",
            "<?xml version=\"1.0\" encoding=\"GBK\"?><xml></xml>",
            "<?xml version=\"1.0\" encoding=\"UTF-16\"?><xml></xml>",
            "<?xml version=\"1.0\" standalone=\"yes\"?><xml></xml>", "<?xml encoding=\"utf-8\"?><xml></xml>",
            "<?xml version=\"1.0\"><xml></xml>",
            "<?xml version=\"1.0\" encoding=\"utf-8\" encoding=\"utf-8\"?><xml></xml>",
            // Document types and entities.
            "<!DOCTYPE xml><xml></xml>", "<!doctype xml><xml></xml>", "<xml><!DOCTYPE a></xml>",
            "<xml></xml><!DOCTYPE a>",
            "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><xml><A>&b;</A></xml>",
            "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><xml><A>&a;</A></xml>",
            "<?xml version=\"1.0\"?><!DOCTYPE x><xml></xml>", "<xml><!ENTITY a 'b'></xml>", "<xml><A>&a;</A></xml>",
            "<xml><A>&nbsp;</A></xml>", "<xml><A>&AMP;</A></xml>", "<xml><A>&;</A></xml>", "<xml><A>a & b</A></xml>",
            "<xml><A>&#0;</A></xml>", "<xml><A>&#1;</A></xml>", "<xml><A>&#xD800;</A></xml>",
            "<xml><A>&#xFFFE;</A></xml>",
            "<xml><A>&#x110000;</A></xml>", "<xml><A>&#99999999999;</A></xml>", "<xml><A>&#+65;</A></xml>",
            "<xml><A>&#x-1;</A></xml>", "<xml><A>&#X41;</A></xml>", "<xml><A>&#;</A></xml>", "<xml><A>&#65</A></xml>",
            "<xml><A>&#000000000000000065;</A></xml>", "<xml><A>&amp", "<xml><A>&",
            // Characters and sections.
            "<xml><A>a\0b</A></xml>", "<xml><A>a\u{1}b</A></xml>", "<xml><A><![CDATA[\u{1}]]></A></xml>",
            "<xml><A><![CDATA[\u{FFFE}]]></A></xml>", "<xml><A>\u{FFFF}</A></xml>", "<xml><A>a]]>b</A></xml>",
            "<xml>]]></xml>",
            "<xml><A><![CDATA[a</A></xml>", "<xml><A><![cdata[a]]></A></xml>", "<xml><A><![CDATA[a]] ></A></xml>",
        ])
    func anythingElseIsRefused(text: String) {
        #expect(Self.read(text) == nil)
    }

    @Test(
        arguments: [[0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xFF], [0xE4, 0xB8], [0xF4, 0x90, 0x80, 0x80]] as [[UInt8]])
    func invalidUTF8IsRefused(bytes: [UInt8]) {
        for (start, end) in [
            ("<xml><A>", "</A></xml>"), ("<xml><A><![CDATA[", "]]></A></xml>"), ("<xml><A", "/></xml>"),
        ] {
            #expect(FlatXML.texts(of: Array(start.utf8) + bytes + Array(end.utf8)) == nil)
        }
    }

    @Test func otherEncodingsAreRefused() {
        let text = "<xml><A>t</A></xml>"
        #expect(FlatXML.texts(of: text.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }) == nil)
        #expect(FlatXML.texts(of: [0xEF, 0xBB, 0xBF] + Array(text.utf8)) == nil)
    }

    @Test func sizeIsLimited() {
        let frame = "<xml><A></A></xml>".utf8.count
        let fits = String(repeating: "x", count: FlatXML.maximumSize - frame)
        #expect(Self.read("<xml><A>\(fits)</A></xml>") == ["A": fits])
        #expect(Self.read("<xml><A>\(fits)x</A></xml>") == nil)
    }

    @Test("hardening row 39: depth is limited") func depthIsLimited() {
        func nested(_ depth: Int) -> String {
            "<xml>" + String(repeating: "<a>", count: depth - 1) + String(repeating: "</a>", count: depth - 1)
                + "</xml>"
        }
        #expect(Self.read(nested(16)) == [:])
        #expect(Self.read(nested(17)) == nil)
        #expect(Self.read("<xml>" + String(repeating: "<a>", count: 20_000)) == nil)
    }

    @Test func nameSizeIsLimited() {
        let name = String(repeating: "n", count: FlatXML.maximumNameSize)
        #expect(Self.read("<xml><\(name)>t</\(name)></xml>") == [name: "t"])
        #expect(Self.read("<xml><\(name)n>t</\(name)n></xml>") == nil)
    }

    /// As large as it may be, many times over: something quadratic would not end in time.
    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            ("&amp;", true), ("]", true), ("<A/>", true), ("<![CDATA[]]>", true), ("<![CDATA[", false), ("<a>", false),
            ("]]>", false), ("&", false), ("<", false), ("</", false),
        ])
    func repeatedPiecesEnd(piece: String, isRead: Bool) {
        let repeated = String(repeating: piece, count: (FlatXML.maximumSize - 100) / piece.utf8.count)
        for _ in 0..<20 { #expect((Self.read("<xml><B>\(repeated)</B></xml>") != nil) == isRead) }
    }

    @Test(
        "hardening rows 15, 40: a written element holds its text",
        arguments: [
            ("抽奖", "<A><![CDATA[抽奖]]></A>"), ("", "<A><![CDATA[]]></A>"),
            ("a]]>b", "<A><![CDATA[a]]]]><![CDATA[>b]]></A>"),
            ("]]]>>", "<A><![CDATA[]]]]]><![CDATA[>>]]></A>"),
            ("]]>]]>", "<A><![CDATA[]]]]><![CDATA[>]]]]><![CDATA[>]]></A>"),
            ("]]>\u{301}", "<A><![CDATA[]]]]><![CDATA[>\u{301}]]></A>"),
            ("]\u{0}]>", "<A><![CDATA[]]]]><![CDATA[>]]></A>"),
            ("<&\"'\t\n", "<A><![CDATA[<&\"'\t\n]]></A>"), ("a\u{0}\u{1B}[31m\u{FFFE}b", "<A><![CDATA[a[31mb]]></A>"),
        ])
    func writtenElementHoldsItsText(text: String, expected: String) {
        #expect(FlatXML.element("A", text) == expected)
        let allowed = String(String.UnicodeScalarView(text.unicodeScalars.filter(FlatXML.isAllowed)))
        #expect(Self.read("<xml>\(expected)</xml>")?["A"].map { Array($0.utf8) } == Array(allowed.utf8))
    }

    @Test(
        "hardening row 15: tags are disarmed",
        arguments: [
            ("a < b <3 <", "a < b <3 <"), ("<a href=\"x\">y</a>", "＜a href=\"x\">y＜/a>"), ("<<at>", "<＜at>"),
            ("<!-- -->", "＜!-- -->"), ("抽奖 <活动>", "抽奖 <活动>"), ("<", "<"),
        ])
    func tagsAreDisarmed(text: String, expected: String) {
        #expect(text.withTagsDisarmed == expected)
    }
}

/// Holds the reader against Foundation's parser: what ours takes, that one takes too, and sees the same in it.
struct FlatXMLComparisonTests {
    private final class Delegate: NSObject, XMLParserDelegate {
        var texts: [String: String] = [:]
        var names: [String] = []
        var nested: Set<String> = []
        var isRefused = false

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
            attributes: [String: String]
        ) {
            names.append(name)
            if names.count == 2 { texts[name] = "" }
            if names.count > 2 { nested.insert(names[1]) }
        }

        func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
            names.removeLast()
        }

        func parser(_ parser: XMLParser, foundCharacters text: String) {
            if names.count == 2 { texts[names[1], default: ""] += text }
        }

        func parser(_ parser: XMLParser, foundCDATA data: Data) {
            if names.count == 2 { texts[names[1], default: ""] += String(decoding: data, as: UTF8.self) }
        }

        func parser(_ parser: XMLParser, parseErrorOccurred error: any Error) { isRefused = true }
    }

    @Test func acceptedDocumentsAreUnderstoodAlike() {
        let pieces = [
            "<xml>", "</xml>", "<A>", "</A>", "<B>", "</B>", "<C/>", "<A>t</A>", "<B><![CDATA[x]]></B>", "<![CDATA[",
            "]]>",
            "&amp;", "&#65;", "&#x4e2d;", "&b;", "text", "中", "<!-- -->", "<?p?>", " a='1'", "\n", " ", "]]", ">", "<",
            "/>",
        ]
        var generator = SeededGenerator(seed: 7)
        var acceptedCount = 0
        for _ in 0..<60_000 {
            var document = "<xml>"
            for _ in 0..<Int.random(in: 0...8, using: &generator) {
                document += pieces[Int.random(in: 0..<pieces.count, using: &generator)]
            }
            document += "</xml>"
            guard let texts = FlatXML.texts(of: Array(document.utf8)) else { continue }
            acceptedCount += 1
            let delegate = Delegate()
            let parser = XMLParser(data: Data(document.utf8))
            parser.delegate = delegate
            #expect(parser.parse() && !delegate.isRefused, "\(document)")
            #expect(texts == delegate.texts.filter { !delegate.nested.contains($0.key) }, "\(document)")
        }
        #expect(acceptedCount > 1000)
    }
}
