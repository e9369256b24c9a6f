internal import Foundation

/// A measured value, most of them beside a reference.
struct Figure: Encodable {
    let name: String
    let value: Double
    let unit: String
    var reference: String?
    var referenceValue: Double?
    var ratio: Double?
    let goal: Goal?

    /// A value that stands for itself.
    init(_ name: String, _ value: Double, _ unit: String, goal: Goal? = nil) {
        self.name = name
        self.value = value
        self.unit = unit
        self.goal = goal
    }

    init(_ name: String, _ comparison: Comparison, _ unit: String, reference: String, goal: Goal? = nil) {
        self.init(name, comparison.value, unit, goal: goal)
        self.reference = reference
        referenceValue = comparison.reference
        ratio = comparison.ratio
    }

    private enum CodingKeys: String, CodingKey {
        case name, value, unit, reference
        case referenceValue = "reference_value"
        case ratio
    }

    /// Every key is there, null where there is no reference.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(value, forKey: .value)
        try container.encode(unit, forKey: .unit)
        try container.encode(reference, forKey: .reference)
        try container.encode(referenceValue, forKey: .referenceValue)
        try container.encode(ratio, forKey: .ratio)
    }

    static func json(_ figures: [Figure]) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(figures) + Data("\n".utf8)
    }
}

/// What a figure is to reach.
enum Goal {
    case ratioAtLeast(Double)
    case ratioAtMost(Double)
    case valueAtLeast(Double)
    case valueAtMost(Double)

    /// What is to be reached, and whether it is.
    func text(_ figure: Figure) -> String {
        switch self {
        case .ratioAtLeast(let bound): "≥ \(bound.ratioText) " + verdict(figure.ratio.map { $0 >= bound })
        case .ratioAtMost(let bound): "≤ \(bound.ratioText) " + verdict(figure.ratio.map { $0 <= bound })
        case .valueAtLeast(let bound): "≥ \(bound.short) \(figure.unit) " + verdict(figure.value >= bound)
        case .valueAtMost(let bound): "≤ \(bound.short) \(figure.unit) " + verdict(figure.value <= bound)
        }
    }

    private func verdict(_ isReached: Bool?) -> String { isReached == true ? "ok" : "below" }
}

/// Figures in aligned columns.
struct FigureTable: CustomStringConvertible {
    let figures: [Figure]
    /// Off where next to no data was measured: that something runs is no figure to compare.
    var hasGoals = true

    var description: String {
        let head = ["name", "value", "unit", "reference", "reference value", "ratio", "to reach"]
        let rows = figures.map { figure in
            [
                figure.name, figure.value.short, figure.unit, figure.reference ?? "–",
                figure.referenceValue?.short ?? "–", figure.ratio?.ratioText ?? "–",
                hasGoals ? figure.goal?.text(figure) ?? "–" : "–",
            ]
        }
        let isNumber = [false, true, false, false, true, true, false]
        let widths = head.indices.map { column in ([head] + rows).map { Self.width($0[column]) }.max() ?? 0 }
        return ([head, widths.map { String(repeating: "-", count: $0) }] + rows).map { row in
            let cells = row.indices.map { column in
                let blank = String(repeating: " ", count: widths[column] - Self.width(row[column]))
                return isNumber[column] ? blank + row[column] : row[column] + blank
            }
            return cells.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    /// Columns of a terminal. A Chinese character takes two.
    private static func width(_ text: String) -> Int {
        text.unicodeScalars.reduce(0) { $0 + ($1.value >= 0x2E80 ? 2 : 1) }
    }
}

extension Double {
    /// As many digits as say something.
    var short: String { String(format: magnitude >= 100 ? "%.0f" : magnitude >= 1 ? "%.2f" : "%.4f", self) }

    fileprivate var ratioText: String { String(format: "%.2f", self) }
}
