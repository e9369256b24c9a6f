internal import Basics
internal import Foundation
public import Lottery

/// An answer as it is kept with its message: code, receipt and parameters, never the wording.
///
/// - Source: spec.md section 7, promise 3.
public struct StoredAnswer: Hashable, Sendable {
    public let code: OutcomeCode
    public let receipt: Receipt?
    /// A JSON object; nil where code and receipt say all.
    public let parameters: String?

    public init(code: OutcomeCode, receipt: Receipt?, parameters: String?) {
        self.code = code
        self.receipt = receipt
        self.parameters = parameters
    }

    private struct Parameters: Codable {
        var outcome: Outcome?
        var reading: Reading?
    }

    private struct AttemptParameters: Codable {
        var award: String?
        var hash: String
        var left: Int?
    }

    init(_ decision: Decision) {
        switch decision {
        case .answered(let outcome):
            self.init(code: outcome.code, receipt: outcome.receipt, parameters: Self.parameters(of: outcome))
        case .reading(let reading):
            self.init(code: .ok, receipt: nil, parameters: Self.json(Parameters(reading: reading)))
        case .session: preconditionFailure("what a page's session asks is not kept")
        }
    }

    /// The decision again.
    ///
    /// - Parameter activity: The current form of an activity, for its name and its awards' labels.
    /// - Returns: Nil when the parameters cannot be read, as after a change of their form.
    func decision(activity: (ActivityID) -> Activity?) -> Decision? {
        switch code {
        case .notBound: return .answered(.notBound)
        case .noActivity: return .answered(.noActivity)
        case .won, .missed:
            guard let receipt, let parameters,
                let stored = try? JSONDecoder().decode(AttemptParameters.self, from: Data(parameters.utf8))
            else { return nil }
            let activity = activity(receipt.activity)
            let award = stored.award.map { id in
                activity?.awards.first { $0.id.text == id }.map(AwardLabel.init)
                    ?? AwardLabel(id: AwardID(id), prefix: "", name: id)
            }
            let attempt = DrawnAttempt(
                activityName: activity?.name ?? receipt.activity.text, award: award, receipt: receipt,
                rowHash: stored.hash, attemptsLeft: stored.left)
            return .answered(code == .won ? .won(attempt) : .missed(attempt))
        default:
            guard let parameters,
                let stored = try? JSONDecoder().decode(Parameters.self, from: Data(parameters.utf8))
            else { return nil }
            return stored.outcome.map { .answered($0) } ?? stored.reading.map { .reading($0) }
        }
    }

    private static func parameters(of outcome: Outcome) -> String? {
        switch outcome {
        case .notBound, .noActivity: return nil
        case .won(let attempt), .missed(let attempt):
            // Written by hand because it stands on every draw's way; ids and hashes need no escaping.
            let award = attempt.award.map { "\"award\":\"\($0.id.text)\"," } ?? ""
            let left = attempt.attemptsLeft.map { ",\"left\":\($0)" } ?? ""
            return "{\(award)\"hash\":\"\(attempt.rowHash)\"\(left)}"
        default: return json(Parameters(outcome: outcome))
        }
    }

    private static func json(_ parameters: Parameters) -> String? {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(parameters)).map { String(decoding: $0, as: UTF8.self) }
    }
}

extension Request {
    /// What must be the same when the same message is delivered again.
    var fingerprint: String {
        switch content {
        case .command(let command): command.fingerprint
        case .badArgument(let name, let fault): "\(name.rawValue)? \(fault)"
        case .unknown(let suggestion, _): "? \(suggestion?.rawValue ?? "")"
        case .ignored: ""
        }
    }
}
