internal import Basics

/// The time that a request was signed at, as it stands in the request.
struct SignedTime {
    /// How far a signed time may be from now, in either direction, where the platform's page says nothing else.
    static let toleranceMilliseconds: Int64 = 300_000

    /// As it was sent, for it is the text that is signed: 1–13 digits, so that nothing else can stand before the body.
    let text: String
    private let instant: Instant

    /// - Parameter millisecondsPerUnit: What the platform counts.
    /// - Throws: `malformedTimestamp`.
    init(_ text: String, millisecondsPerUnit: Int64 = 1000) throws(WebhookFault) {
        guard text.utf8.count <= 13, text.isDigits, let count = Int64(text) else { throw .malformedTimestamp }
        self.text = text
        instant = Instant(milliseconds: count * millisecondsPerUnit)
    }

    /// To be asked once the signature is known to be right.
    ///
    /// - Throws: `staleTimestamp`.
    func requireRecent(
        at now: Instant, toleranceMilliseconds: Int64 = SignedTime.toleranceMilliseconds
    ) throws(WebhookFault) {
        guard now.milliseconds(since: instant).magnitude <= toleranceMilliseconds.magnitude else {
            throw .staleTimestamp
        }
    }
}
