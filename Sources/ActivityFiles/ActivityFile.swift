internal import Basics
public import Lottery
internal import Yams

/// Reads activity files.
///
/// - Source: spec.md section 9 (the format) and section 5 (ids); hardening.md section 1.5.
public enum ActivityFile {
    /// The largest file, in bytes.
    public static let maximumSize = 1 << 20
    /// The longest name or prefix, in Unicode scalars.
    public static let maximumNameLength = 64
    /// The longest remark, in Unicode scalars.
    public static let maximumRemarkLength = 200
    /// The most chats in a scope.
    public static let maximumChatCount = 1000

    /// Reads an activity. Never traps, whatever the bytes are.
    ///
    /// Percentages are read from their digits, never through a binary fraction. An activity without an id gets one made
    /// from its name, the same each time; awards without one get `a1`, `a2` … by position. `ONLY` without a number has
    /// one copy.
    ///
    /// - Parameter contents: The file: UTF-8 without a byte order mark, lines ending in `\n`, one document, without
    ///   tags, anchors and aliases, at most ``maximumSize`` bytes.
    /// - Throws: Every fault of the file, not only the first. What makes the rest unreadable stands alone: a fault of
    ///   the encoding, of the YAML syntax, or a repeated key.
    public static func parse(_ contents: [UInt8]) throws(ActivityFileError) -> Activity {
        let text = try plainText(contents)
        var reader = ActivityFileReader()
        return try reader.read(try composed(text))
    }

    /// The text of a YAML file, if it is fit to be handed to the parser: UTF-8 without a byte order mark, lines ending in
    /// `\n`, no anchors, at most ``maximumSize`` bytes.
    ///
    /// - Throws: The first fault, with its line.
    package static func plainText(_ contents: [UInt8]) throws(ActivityFileError) -> String {
        guard contents.count <= maximumSize else {
            throw single(
                1, "the file has \(contents.count) bytes, expected at most \(maximumSize)",
                "文件有 \(contents.count) 字节，最多 \(maximumSize) 字节")
        }
        if contents.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw single(
                1, "found a byte order mark, expected plain UTF-8; save the file as \"UTF-8 without BOM\"",
                "文件开头有 BOM，请另存为“UTF-8(无 BOM)”")
        }
        guard let text = String(validating: contents, as: UTF8.self) else {
            // The parts before the first bad byte are valid, so the line can be counted in a repaired copy.
            let repaired = String(decoding: contents, as: UTF8.self)
            let good = zip(repaired.utf8, contents).prefix { $0 == $1 }.count
            throw single(
                lineNumber(contents, at: good), "found bytes that are not UTF-8; save the file as UTF-8",
                "有不是 UTF-8 的内容，请把文件另存为 UTF-8")
        }
        if let index = contents.firstIndex(of: 0) {
            throw single(lineNumber(contents, at: index), "found a NUL character", "有 NUL 字符")
        }
        if let index = contents.firstIndex(of: UInt8(ascii: "\r")) {
            throw single(
                lineNumber(contents, at: index),
                "found a carriage return, expected lines that end in LF; save the file with Unix line ends",
                "行尾是 CR 或 CRLF，请把换行符改为 LF(Unix)后保存")
        }
        if let line = lineOfYAMLAnchor(in: text) {
            throw single(
                line, "found an anchor (&), expected plain values; a text that begins with & needs quotes",
                "不能使用 YAML 锚点（&）；以 & 开头的文字请加引号")
        }
        return text
    }

    private static func composed(_ text: String) throws(ActivityFileError) -> Node {
        do {
            // No guessing of types from the look of a value; and the default encoding is taken from the environment.
            guard let node = try Yams.compose(yaml: text, .basic, .default, .utf8) else {
                throw single(1, "the file is empty, expected an activity", "文件是空的，应写一个活动")
            }
            return node
        } catch let error as ActivityFileError {
            throw error
        } catch let error as YamlError {
            throw fault(of: error, in: text)
        } catch {
            throw single(1, "the file cannot be read as YAML", "文件不是有效的 YAML")
        }
    }

    private static func fault(of error: YamlError, in text: String) -> ActivityFileError {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            if problem.contains("another document") {
                return single(mark.line, "found a second document, expected one activity", "有第二个 YAML 文档，一个文件只写一个活动")
            }
            if problem.contains("alias") {
                return single(
                    mark.line, "found an alias (*), expected plain values; a text that begins with * needs quotes",
                    "不能使用 YAML 别名（*）；以 * 开头的文字请加引号，例如 \"*\"")
            }
            let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            if mark.line >= 1, mark.line <= lines.count,
                lines[mark.line - 1].prefix(while: { $0 == 0x20 || $0 == 0x09 }).contains(0x09)
            {
                return single(mark.line, "found a tab in the indentation, expected spaces", "缩进里有制表符，请改用空格")
            }
            return single(mark.line, "the YAML is not valid: \(problem)", "YAML 格式有误：\(problem)")
        case .reader(let problem, let offset, _, _):
            let line = offset.map { offset in 1 + text.prefix(offset).count { $0 == "\n" } } ?? 1
            return single(line, "the file cannot be read: \(problem)", "文件无法读取：\(problem)")
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.map { shown($0) }.joined(separator: ", ")
            return single(
                context.mark.line, "the key \(names) is repeated, expected each key once", "键 \(names) 重复了，每个键只写一次",
                field: keys.first.map { plain($0) } ?? "")
        default:
            return single(1, "the file cannot be read as YAML", "文件不是有效的 YAML")
        }
    }

    private static func single(
        _ line: Int, _ english: String, _ chinese: String, field: String = ""
    ) -> ActivityFileError {
        ActivityFileError(
            faults: [ActivityFileError.Fault(line: line, field: field, english: english, chinese: chinese)])
    }

    private static func lineNumber(_ contents: [UInt8], at index: Int) -> Int {
        1 + contents.prefix(index).count { $0 == UInt8(ascii: "\n") }
    }
}

/// What was found, shortened and without control characters, in backquotes.
func shown(_ text: String) -> String {
    "`" + plain(text) + "`"
}

/// What was found, shortened and without control characters.
func plain(_ text: String) -> String {
    let scalars = text.unicodeScalars
    return String(Substring(scalars.prefix(40))).withoutControls() + (scalars.count > 40 ? "…" : "")
}
