internal import TestSupport

/// Ends the event when something that spec.md promises does not hold.
func expect(_ holds: Bool, _ text: @autoclosure () -> String) throws(BrokenPromise) {
    if !holds { throw BrokenPromise(text()) }
}
