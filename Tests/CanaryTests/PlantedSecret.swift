import Foundation

/// A secret that a test planted, in every form that a log might give it.
struct PlantedSecret: Hashable {
    let bytes: [UInt8]
    let name: String

    /// - Parameter line: Of what `Canary` noted: hex, then the name.
    init?(line: Substring) {
        let parts = line.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        var digits = parts[0]
        while !digits.isEmpty {
            guard let byte = UInt8(digits.prefix(2), radix: 16) else { return nil }
            bytes.append(byte)
            digits.removeFirst(2)
        }
        self.init(bytes: bytes, name: String(parts[1]))
    }

    init(bytes: [UInt8], name: String) {
        self.bytes = bytes
        self.name = name
    }

    /// Texts of which none may be in any output.
    var forms: Set<String> {
        var forms: Set<String> = [hex(bytes), hex(bytes).uppercased()]
        if let text = String(validating: bytes, as: UTF8.self), !text.unicodeScalars.contains(where: { $0.value < 32 })
        {
            forms.insert(text)
        }
        for isUpper in [true, false] {
            forms.insert(percentEncoded(isUpper: isUpper) { _ in false })
            // As the standard has it, and as forms have it.
            forms.insert(percentEncoded(isUpper: isUpper) { Self.unreserved.contains($0) })
        }
        for shift in 0..<3 {
            let standard = base64(shift)
            forms.insert(standard)
            forms.insert(standard.replacing("+", with: "-").replacing("/", with: "_"))
        }
        return forms
    }

    private static let unreserved = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~".utf8)

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private func percentEncoded(isUpper: Bool, _ isKept: (UInt8) -> Bool) -> String {
        bytes.map { byte in
            if isKept(byte) { return String(UnicodeScalar(byte)) }
            let digits = hex([byte])
            return "%" + (isUpper ? digits.uppercased() : digits)
        }.joined()
    }

    /// What is in the Base64 of any text that has the secret behind a multiple of three bytes and `shift` more.
    private func base64(_ shift: Int) -> String {
        let text = Data([UInt8](repeating: 0, count: shift) + bytes).base64EncodedString()
        // Characters that hold bits of what is before or behind may be any.
        let whole = (shift + bytes.count) * 8 / 6
        return String(text.prefix(whole).dropFirst((shift * 8 + 5) / 6))
    }
}
