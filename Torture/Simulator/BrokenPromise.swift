/// A promise of spec.md that did not hold.
struct BrokenPromise: Error {
    let text: String

    init(_ text: String) {
        self.text = text
    }
}

func expect(_ holds: Bool, _ text: @autoclosure () -> String) throws(BrokenPromise) {
    if !holds { throw BrokenPromise(text()) }
}
