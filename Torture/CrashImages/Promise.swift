internal import Activities
internal import Basics
internal import Lottery

/// Something that somebody was told, and that must be found in the file from then on.
struct Promise: Sendable {
    enum Content: Sendable {
        case answer(Request, DecidedRequest)
        /// A page's session, and the status that it was told.
        case session(SessionID, status: String)
    }

    var content: Content
}

/// What was acknowledged up to an operation of the recording.
struct Acknowledgement: Sendable {
    /// Operations that had been done when the batch was durable.
    var position: Int
    /// How many promises had been made then.
    var promiseCount: Int
}

extension Request {
    /// The command as it is kept with the message.
    var command: Command? {
        if case .command(let command) = content { command } else { nil }
    }
}

extension DecidedRequest {
    var outcome: Outcome? {
        if case .answered(let outcome) = decision { outcome } else { nil }
    }

    /// Whether the answer is kept with its message.
    var isKept: Bool {
        switch outcome {
        case .ignored, .busy, .rateLimited: false
        default: true
        }
    }
}
