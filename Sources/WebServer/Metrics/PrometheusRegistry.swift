public import CoreMetrics
internal import NIOConcurrencyHelpers

/// Keeps what swift-metrics measures and writes it as Prometheus reads it.
///
/// Counters, meters and timers become counters, gauges and histograms; a recorder becomes a gauge, or a summary of count
/// and sum where it aggregates. A metric's name is its label with `_` for whatever Prometheus does not allow, so `a.b` and
/// `a_b` are one metric; a timer's ends with `_seconds`. Dimensions are sorted, so their order makes no other series.
///
/// At most ``maximumSeriesCount`` series are kept. A further one is not, nor is one whose name already is a metric of
/// another kind: what it measures is lost, and each request for it is counted in `hongbao_metrics_dropped_series`. Labels
/// still belong to closed sets; the limit only saves the process from a mistake.
///
/// - Source: Prometheus documentation, text-based exposition format 0.0.4.
public final class PrometheusRegistry: MetricsFactory, Sendable {
    /// What ``text()`` is served as.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"
    public static let maximumSeriesCount = 1000

    private static let droppedName = "hongbao_metrics_dropped_series"
    /// Scalars of a label's value; the rest is cut off.
    private static let maximumValueLength = 128

    private struct Family {
        let kind: PrometheusKind
        /// By their labels, as they are written.
        var series: [String: any PrometheusSeries] = [:]
    }

    private struct State {
        var families: [String: Family] = [:]
        var seriesCount = 0
        var droppedCount: Int64 = 0
    }

    private let help: [String: String]
    private let state = NIOLockedValueBox(State())

    /// - Parameter help: A sentence for each metric, by its label or by its name.
    public init(help: [String: String] = [:]) {
        let standard = [Self.droppedName: "Requests for series that were not kept because there were too many."]
        self.help = Dictionary(
            standard.map { $0 } + help.map { (Self.name($0.key), $0.value) }, uniquingKeysWith: { _, last in last })
    }

    // MARK: MetricsFactory

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(Self.name(label), .counter, dimensions) { CounterSeries() }
    }

    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(Self.name(label), .counter, dimensions) { CounterSeries() }
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(Self.name(label), .gauge, dimensions) { GaugeSeries() }
    }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        aggregate
            ? series(Self.name(label), .summary, dimensions) { SummarySeries() }
            : series(Self.name(label), .gauge, dimensions) { GaugeSeries() }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(Self.timerName(label), .histogram, dimensions) { TimerSeries() }
    }

    public func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { remove(handler) }
    public func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
    public func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
    public func destroyTimer(_ handler: any TimerHandler) { remove(handler) }

    /// The series that is there, or a new one; one that nobody reads where it is not to be kept.
    private func series<Series: PrometheusSeries>(
        _ name: String, _ kind: PrometheusKind, _ dimensions: [(String, String)], make: () -> Series
    ) -> Series {
        let labels = Self.labels(dimensions)
        return state.withLockedValue { state in
            if let found = state.families[name]?.series[labels] as? Series { return found }
            let series = make()
            let isOtherKind = state.families[name].map { $0.kind != kind } ?? false
            if isOtherKind || state.seriesCount == Self.maximumSeriesCount || name == Self.droppedName {
                state.droppedCount += 1
                return series
            }
            state.families[name, default: Family(kind: kind)].series[labels] = series
            state.seriesCount += 1
            return series
        }
    }

    /// Who destroys a metric is done with all of its series; this searches them, for it is rare.
    private func remove(_ handler: AnyObject) {
        state.withLockedValue { state in
            for (name, family) in state.families {
                guard let labels = family.series.first(where: { $0.value === handler })?.key else { continue }
                state.families[name]?.series[labels] = nil
                state.seriesCount -= 1
                if family.series.count == 1 { state.families[name] = nil }
                return
            }
        }
    }

    // MARK: Text

    /// All metrics, sorted by name and labels.
    ///
    /// Each series is read at once, but not all of them at the same moment.
    public func text() -> String {
        let state = state.withLockedValue { $0 }
        var families = state.families.map { name, family in
            let series = family.series.sorted { $0.key < $1.key }
            return (name: name, kind: family.kind, lines: series.flatMap { $0.value.lines(name: name, labels: $0.key) })
        }
        families.append((Self.droppedName, .counter, ["\(Self.droppedName) \(state.droppedCount)"]))
        var text = ""
        for family in families.sorted(by: { $0.name < $1.name }) {
            if let help = help(for: family.name, family.kind) { text += "# HELP \(family.name) \(help)\n" }
            text += "# TYPE \(family.name) \(family.kind.rawValue)\n"
            for line in family.lines { text += line + "\n" }
        }
        return text
    }

    private func help(for name: String, _ kind: PrometheusKind) -> String? {
        let label = kind == .histogram ? String(name.dropLast(Self.timerSuffix.count)) : name
        return (help[name] ?? help[label]).map { Self.escaped($0, quotes: false) }
    }

    // MARK: Names

    private static let timerSuffix = "_seconds"

    private static func timerName(_ label: String) -> String {
        let name = name(label)
        return name.hasSuffix(timerSuffix) ? name : name + timerSuffix
    }

    /// `[A-Za-z_:][A-Za-z0-9_:]*`
    private static func name(_ label: String) -> String {
        var name = ""
        for scalar in label.unicodeScalars {
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "_", ":": name.unicodeScalars.append(scalar)
            default: name += "_"
            }
        }
        let startsRight = name.unicodeScalars.first.map { !("0"..."9" ~= $0) } ?? false
        return startsRight ? name : "_" + name
    }

    /// `a="1",b="2"`; empty without dimensions. Of two dimensions of one name the first counts.
    private static func labels(_ dimensions: [(String, String)]) -> String {
        if dimensions.isEmpty { return "" }
        var values: [String: String] = [:]
        for (dimension, value) in dimensions {
            var label = name(dimension).split(separator: ":", omittingEmptySubsequences: false).joined(separator: "_")
            // These two are the format's own.
            if label == "le" || label == "quantile" { label += "_" }
            if values[label] != nil { continue }
            values[label] = escaped(String(value.unicodeScalars.prefix(maximumValueLength)), quotes: true)
        }
        return values.sorted { $0.key < $1.key }.map { "\($0.key)=\"\($0.value)\"" }.joined(separator: ",")
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result.append(contentsOf: #"\\"#.unicodeScalars)
            case "\n": result.append(contentsOf: #"\n"#.unicodeScalars)
            case "\"" where quotes: result.append(contentsOf: #"\""#.unicodeScalars)
            default: result.append(scalar)
            }
        }
        return String(result)
    }
}
