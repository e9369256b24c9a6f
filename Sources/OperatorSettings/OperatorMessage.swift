internal import Basics

/// A fault as the person at the terminal reads it: Chinese first, English beside it. Ends the program with exit code 1.
package struct OperatorMessage: Error, CustomStringConvertible {
    package let chinese: String
    package let english: String

    /// What stands in a file may be part of the texts: its control characters are not shown.
    package init(_ chinese: String, _ english: String) {
        self.chinese = chinese.withoutControls(keepsLines: true)
        self.english = english.withoutControls(keepsLines: true)
    }

    package var description: String { "\(chinese)\n\(english)" }
}
