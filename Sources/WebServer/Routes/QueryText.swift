internal import Foundation

/// The part of an address behind the question mark.
enum QueryText {
    /// Items in order, of which the connection layer has let few enough pass, percent-decoded; `+` stays what it is (RFC 3986). What does not decode to UTF-8 is left out.
    static func items(of text: String) -> [(name: String, value: String)] {
        text.split(separator: "&").compactMap { item in
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = String(parts[0]).removingPercentEncoding,
                let value = parts.count == 2 ? String(parts[1]).removingPercentEncoding : ""
            else { return nil }
            return (name, value)
        }
    }
}
