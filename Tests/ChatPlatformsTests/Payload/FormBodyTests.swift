import Testing

@testable import ChatPlatforms

struct FormBodyTests {
    @Test(arguments: [
        ("", [:]), ("a=1", ["a": "1"]), ("a=1&b=", ["a": "1", "b": ""]), ("a=b=c", ["a": "b=c"]),
        ("a+b=%E5%91%A8+x", ["a b": "周 x"]), ("a=%2b%2B%26", ["a": "++&"]), ("a=~*'()", ["a": "~*'()"]),
    ])
    func aFormIsRead(_ body: String, _ fields: [String: String]) throws {
        let form = try #require(FormBody(Array(body.utf8)))
        #expect(form.count == fields.count)
        for (name, value) in fields { #expect(form[name] == value) }
        #expect(form["c"] == nil)
    }

    @Test(arguments: [
        "a", "=1", "a=1&", "&a=1", "a=1&&b=2", "a=1&a=2", "a=1&%61=2", "a=%", "a=%4", "a=%4g", "a=%FF", "a=%C0%80",
        "a=%00",
        "a=%ED%A0%80", "a=\u{7}", "a=周", "a= ", "%FF=1", "a=\n",
    ])
    func whatAnEncoderWouldNotWriteIsRefused(_ body: String) {
        #expect(FormBody(Array(body.utf8)) == nil)
    }

    @Test func aFormHasAtMostAHundredFields() {
        func form(_ count: Int) -> [UInt8] { Array((1...count).map { "k\($0)=1" }.joined(separator: "&").utf8) }
        #expect(FormBody(form(100))?.count == 100)
        #expect(FormBody(form(101)) == nil)
    }
}
