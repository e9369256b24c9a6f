import Activities
import Testing

/// What is known without a look at Unicode's tables must be what they say.
struct ScalarPropertyTests {
    private static let scalars = (UInt32(0)...0x10FFFF).compactMap(Unicode.Scalar.init)

    @Test func whiteSpaceIsThatOfUnicode() {
        let wrong = Self.scalars.filter { isWhiteSpace($0) != $0.properties.isWhitespace }
        #expect(wrong.isEmpty)
    }

    @Test func printableIsThatOfUnicode() {
        let hidden: Set<Unicode.GeneralCategory> = [
            .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
        ]
        let wrong = Self.scalars.filter { isPrintable($0) == hidden.contains($0.properties.generalCategory) }
        #expect(wrong.isEmpty)
    }
}
