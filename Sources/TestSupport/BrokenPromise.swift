/// A promise that was not kept, said as a sentence.
public struct BrokenPromise: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }
}
