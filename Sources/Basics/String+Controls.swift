extension String {
    /// The same text with U+FFFD for every control character: what somebody else wrote can neither steer the terminal that it
    /// is shown on nor add a line of its own.
    ///
    /// - Parameter keepsLines: Leaves line feeds as they are, for a text that has lines of ours.
    package func withoutControls(keepsLines: Bool = false) -> String {
        if utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return self }
        let shown = unicodeScalars.map { scalar in
            scalar.properties.generalCategory != .control || (keepsLines && scalar == "\n") ? scalar : "\u{FFFD}"
        }
        return String(String.UnicodeScalarView(shown))
    }
}
