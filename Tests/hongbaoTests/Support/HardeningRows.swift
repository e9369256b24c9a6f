/// The table of hostile inputs, by number: what the project answers to.
///
/// A test that holds a row has its number in its name: `@Test("hardening row 43: …")`, `@Test("hardening rows 43, 44: …")`.
enum HardeningRows {
    static let titles: [Int: String] = [
        // Text in a chat.
        1: "nothing but blanks", 2: "a combining mark behind the keyword", 3: "other normal forms",
        4: "full-width letters and digits", 5: "invisible characters in the keyword", 6: "bidirectional controls",
        7: "200,000 combining marks", 8: "a mebibyte in a line", 9: "control characters", 10: "CR LF inside",
        11: "forged log lines", 12: "quoted and forwarded commands", 13: "edited messages",
        14: "the bot's own messages",
        15: "mentions and markup in names", 16: "admin words, look-alikes", 17: "numbers",
        18: "a thousand commands in a message", 19: "regex bombs", 20: "lone surrogates",
        21: "unassigned and private characters", 22: "one message id in two groups",
        // JSON and XML.
        23: "repeated keys", 24: "a trailing comma", 25: "other encodings", 26: "more than one document",
        27: "deep nesting", 28: "numbers that are no plain integers", 29: "numbers out of range",
        30: "ids above 2^53", 31: "number or string", 32: "U+0000 in strings", 33: "bytes that are no UTF-8",
        34: "many and large keys", 35: "missing, null and wrong fields", 36: "unknown fields", 37: "entity bombs",
        38: "external entities", 39: "nested elements", 40: "ambiguous XML", 41: "other media types",
        42: "compressed bodies",
        // HTTP.
        43: "ambiguous lengths", 44: "ambiguous chunks", 45: "slow headers", 46: "slow bodies", 47: "endless bodies",
        48: "slow readers", 49: "large heads", 50: "requests for other servers", 51: "pipelining and half-close",
        52: "path tricks", 53: "forged forwarding headers", 54: "odd hosts", 55: "HTTP/2", 56: "idle connections",
        57: "a stuck connection at the end",
        // Signatures.
        58: "what is no signature", 59: "a body changed after signing", 60: "wrong times",
        61: "a replay inside the window", 62: "a replay after it", 63: "one id for two messages",
        64: "a key of another endpoint", 65: "secrets that change", 66: "weak secrets",
        67: "other spellings of a signature",
        68: "forged challenges", 69: "broken padding",
        // Files, numbers, clocks.
        70: "odd percentages, too many awards", 71: "odd stocks", 72: "percentages that are no plain decimals",
        73: "odd times", 74: "prize values", 75: "odd YAML", 76: "files that are none",
        77: "addresses inside the network",
        78: "foreign and damaged databases", 79: "a log that was removed or swapped", 80: "a second process",
        81: "a clock that jumps", 82: "counters at their ends", 83: "traps that input could reach",
        84: "SQL in names", 85: "formulas in spreadsheets", 86: "markup in pages", 87: "being forgotten amid draws",
        88: "redeem codes", 89: "two admins at once", 90: "an odd environment",
    ]

    /// Rows without a test of their number, and why.
    static let exceptions: [Int: String] = [
        74: "belongs to prize values, which there are none of",
        88: "belongs to redeem codes, which there are none of",
    ]
}
