import Testing

@testable import ChatPlatforms

struct BearerTokenTests {
    private static let token = BearerToken(secret: Secret("a b"), schemes: ["bearer", "token"], mayStandInQuery: true)

    private static func fault(
        _ headers: [String], _ items: [String] = [], token: BearerToken = BearerTokenTests.token
    ) -> WebhookFault? {
        let request = WebhookRequest(
            method: "POST", query: items.map { ("access_token", $0) }, headers: headers.map { ("Authorization", $0) })
        do throws(WebhookFault) {
            try token.verify(request)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: ["", "Bearer", "Basic a b", "a b", " Bearer a b", "Bearera b"])
    func withoutASchemeItIsMissing(_ value: String) {
        #expect(Self.fault([value]) == .missingToken)
    }

    @Test(arguments: ["Bearer ", "Bearer  a b", "Bearer a b ", "Bearer a", "Bearer A b"])
    func anotherIsBad(_ value: String) {
        #expect(Self.fault([value]) == .badToken)
    }

    @Test(arguments: ["Bearer a b", "BEARER a b", "token a b", "Token a b"])
    func theSchemesCaseDoesNotMatter(_ value: String) {
        #expect(Self.fault([value]) == nil)
    }

    @Test func whereverItStandsItMustBeRight() {
        #expect(Self.fault([]) == .missingToken)
        #expect(Self.fault([], ["a b"]) == nil)
        #expect(Self.fault(["Bearer a b"], ["a b", "a b"]) == nil)
        #expect(Self.fault(["Bearer a b"], ["x"]) == .badToken)
        #expect(Self.fault(["Bearer x"], ["a b"]) == .badToken)
        #expect(Self.fault(["Bearer a b", "Bearer x"]) == .badToken)
        #expect(Self.fault([], ["a b", ""]) == .badToken)
        let inHeaderOnly = BearerToken(secret: Secret("a b"))
        #expect(Self.fault([], ["a b"], token: inHeaderOnly) == .missingToken)
        #expect(Self.fault(["Token a b"], token: inHeaderOnly) == .missingToken)
    }
}
