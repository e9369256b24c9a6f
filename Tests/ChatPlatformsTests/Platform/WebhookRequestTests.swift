import Testing

@testable import ChatPlatforms

struct WebhookRequestTests {
    private func request(_ headers: [(name: String, value: String)]) -> WebhookRequest {
        WebhookRequest(method: "POST", headers: headers)
    }

    @Test func aHeaderThatIsThereTwiceIsNone() {
        #expect(request([("X-Token", "a")]).header("x-token") == "a")
        #expect(request([("X-Token", "a"), ("x-TOKEN", "a")]).header("x-token") == nil)
        #expect(request([("X-Token", "a"), ("X-Token", "b"), ("X-Token", "c")]).header("x-token") == nil)
        #expect(request([("X-Token", "")]).header("x-token") == "")
        #expect(request([]).header("x-token") == nil)
        #expect(request([("X-Token2", "a")]).header("x-token") == nil)
    }

    @Test func aQueryItemThatIsThereTwiceIsNone() {
        let request = WebhookRequest(method: "GET", query: [("a", "1"), ("b", "2"), ("b", "2"), ("A", "3")])
        #expect(request.queryItem("a") == "1")
        #expect(request.queryItem("b") == nil)
        #expect(request.queryItem("c") == nil)
    }

    @Test(arguments: [
        ("application/json", true), ("Application/JSON; charset=utf-8", true), ("application/json ;x", true),
        ("application/jsonp", false), ("text/plain; application/json", false), ("", false),
        ("application/ld+json", false),
    ])
    func theMediaTypeIsComparedWithoutParameters(_ value: String, _ isJSON: Bool) {
        #expect(request([("Content-Type", value)]).isOfType("application/json") == isJSON)
    }

    @Test func twoMediaTypesAreNone() {
        let types = request([("Content-Type", "application/json"), ("Content-Type", "application/json")])
        #expect(!types.isOfType("application/json"))
    }

    @Test func everyFaultHasABareAnswer() {
        for fault in WebhookFault.allCases {
            let response = fault.bareResponse
            #expect(response.body.isEmpty && response.contentType == nil)
            #expect((response.status == 401) == fault.isOfIdentity)
        }
    }
}

struct DeliveryResultTests {
    @Test(arguments: [
        (200, DeliveryResult.delivered), (204, .delivered), (299, .delivered), (401, .staleToken),
        (408, .later(afterSeconds: nil)), (425, .later(afterSeconds: nil)), (429, .later(afterSeconds: nil)),
        (500, .later(afterSeconds: nil)), (599, .later(afterSeconds: nil)), (199, .refused(reason: "status 199")),
        (301, .refused(reason: "status 301")), (400, .refused(reason: "status 400")),
        (403, .refused(reason: "status 403")),
        (404, .refused(reason: "status 404")), (410, .refused(reason: "status 410")),
    ])
    func aStatusIsUnderstood(_ status: Int, _ result: DeliveryResult) {
        #expect(DeliveryResult(status: OutboundAnswer(status: status), renewsToken: true) == result)
    }

    @Test func aTokenThatIsNotRenewedIsRefusedForGood() {
        let answer = OutboundAnswer(status: 401)
        #expect(DeliveryResult(status: answer, renewsToken: false) == .refused(reason: "status 401"))
    }

    @Test(
        arguments: [
            ("7", 7), ("0", 0), ("3600", 3600), ("3601", nil), ("-1", nil), ("1.5", nil), ("", nil),
            ("99999999999999999999", nil),
            ("Wed, 21 Oct 2026 07:28:00 GMT", nil),
        ] as [(String, Int64?)])
    func retryAfterIsReadInSeconds(_ text: String, _ seconds: Int64?) {
        for status in [429, 503] {
            let answer = OutboundAnswer(status: status, headers: ["retry-after": text])
            #expect(DeliveryResult(status: answer, renewsToken: false) == .later(afterSeconds: seconds))
        }
    }
}
