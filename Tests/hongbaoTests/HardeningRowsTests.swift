import Foundation
import Testing

/// No row of the table of hostile inputs is dropped in silence.
@Suite struct HardeningRowsTests {
    /// The rows that tests name, each with the files where they do.
    private static func labelledRows() throws -> [Int: Set<String>] {
        let tests = Document.root.appending(path: "Tests")
        var rows: [Int: Set<String>] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: tests.path) where path.hasSuffix(".swift") {
            let text = try String(contentsOf: tests.appending(path: path), encoding: .utf8)
            for match in text.matches(of: /@Test\(\s*"hardening rows? (\d+(?:, \d+)*): [^"]+"/) {
                for number in match.1.split(separator: ", ").compactMap({ Int($0) }) {
                    rows[number, default: []].insert(path)
                }
            }
        }
        return rows
    }

    @Test func everyRowHasATestThatNamesIt() throws {
        let labelled = try Self.labelledRows()
        #expect(HardeningRows.titles.keys.sorted() == Array(1...90))
        for (row, title) in HardeningRows.titles.sorted(by: { $0.key < $1.key })
        where HardeningRows.exceptions[row] == nil {
            #expect(labelled[row] != nil, "row \(row), \(title), has no test")
        }
        for row in labelled.keys { #expect(HardeningRows.titles[row] != nil, "there is no row \(row)") }
        for (row, reason) in HardeningRows.exceptions { #expect(!reason.isEmpty && HardeningRows.titles[row] != nil) }
    }

    /// The table itself, where it lies beside the project.
    private static let table = Document.root.deletingLastPathComponent().appending(path: "shared/hardening.md")

    @Test(.enabled(if: FileManager.default.fileExists(atPath: HardeningRowsTests.table.path)))
    func theListIsTheTable() throws {
        let text = try String(contentsOf: Self.table, encoding: .utf8)
        let numbers = text.matches(of: /\n\| (\d+) \|/).compactMap { Int($0.1) }
        #expect(numbers.sorted() == HardeningRows.titles.keys.sorted())
    }
}
