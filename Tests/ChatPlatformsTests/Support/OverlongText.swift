/// A text of 90,000 bytes, far more than anybody types.
let overlongText = String(repeating: "抽", count: 30_000)

extension String {
    /// Whether this is no more than the beginning of ``overlongText``: still too long for a command.
    var isBeginningOfOverlongText: Bool {
        4096 < utf8.count && utf8.count <= 8192 && overlongText.utf8.starts(with: utf8)
    }
}
