internal import CoreMetrics
internal import NIOConcurrencyHelpers

/// The raw value is how the format names it.
enum PrometheusKind: String {
    case counter
    case gauge
    case histogram
    case summary
}

/// One metric with one set of labels. Each has a lock of its own, held for a few additions.
protocol PrometheusSeries: AnyObject, Sendable {
    /// - Parameters:
    ///   - name: Of the metric.
    ///   - labels: As they are written within the braces; empty for none.
    func lines(name: String, labels: String) -> [String]
}

/// Only grows, but for a reset. Whole numbers are kept whole, and stay at their end instead of overflowing.
final class CounterSeries: PrometheusSeries, CounterHandler, FloatingPointCounterHandler {
    private struct Total {
        var whole: Int64 = 0
        var rest = 0.0
    }

    private let total = NIOLockedValueBox(Total())

    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        total.withLockedValue { $0.whole = sumStayingAtEnd($0.whole, amount) }
    }

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        total.withLockedValue { $0.rest += amount }
    }

    func reset() {
        total.withLockedValue { $0 = Total() }
    }

    func lines(name: String, labels: String) -> [String] {
        let total = total.withLockedValue { $0 }
        let value = total.rest == 0 ? String(total.whole) : sampleText(Double(total.whole) + total.rest)
        return [sampleLine(name, labels, value)]
    }
}

/// The last value.
final class GaugeSeries: PrometheusSeries, MeterHandler, RecorderHandler {
    private let value = NIOLockedValueBox(0.0)

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { self.value.withLockedValue { $0 = value } }
    func increment(by amount: Double) { value.withLockedValue { $0 += amount } }
    func decrement(by amount: Double) { value.withLockedValue { $0 -= amount } }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }

    func lines(name: String, labels: String) -> [String] {
        [sampleLine(name, labels, sampleText(value.withLockedValue { $0 }))]
    }
}

/// How many values there were, and their sum. What is no finite number is left out: the sum would never recover.
final class SummarySeries: PrometheusSeries, RecorderHandler {
    private struct Total {
        var count: Int64 = 0
        var sum = 0.0
    }

    private let total = NIOLockedValueBox(Total())

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite else { return }
        total.withLockedValue {
            $0.count += 1
            $0.sum += value
        }
    }

    func lines(name: String, labels: String) -> [String] {
        let total = total.withLockedValue { $0 }
        return [
            sampleLine(name + "_sum", labels, sampleText(total.sum)),
            sampleLine(name + "_count", labels, String(total.count)),
        ]
    }
}

/// Durations in buckets from half a millisecond to ten seconds. A negative one counts as none at all.
final class TimerSeries: PrometheusSeries, TimerHandler {
    private static let bounds: [(nanoseconds: Int64, text: String)] = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ].map { (Int64(($0 * 1e9).rounded()), sampleText($0)) }

    private struct Total {
        /// Of each bucket alone; the last is for what is beyond all bounds.
        var counts = [Int64](repeating: 0, count: TimerSeries.bounds.count + 1)
        var nanoseconds: Int64 = 0
    }

    private let total = NIOLockedValueBox(Total())

    func recordNanoseconds(_ duration: Int64) {
        let duration = max(duration, 0)
        let bucket = Self.bounds.firstIndex { duration <= $0.nanoseconds } ?? Self.bounds.count
        total.withLockedValue {
            $0.counts[bucket] += 1
            $0.nanoseconds = sumStayingAtEnd($0.nanoseconds, duration)
        }
    }

    func lines(name: String, labels: String) -> [String] {
        let total = total.withLockedValue { $0 }
        let start = labels.isEmpty ? "" : labels + ","
        var lines: [String] = []
        var count: Int64 = 0
        for (index, bucketCount) in total.counts.enumerated() {
            count += bucketCount
            let bound = index < Self.bounds.count ? Self.bounds[index].text : "+Inf"
            lines.append(sampleLine(name + "_bucket", start + "le=\"\(bound)\"", String(count)))
        }
        lines.append(sampleLine(name + "_sum", labels, sampleText(Double(total.nanoseconds) / 1e9)))
        lines.append(sampleLine(name + "_count", labels, String(count)))
        return lines
    }
}

private func sampleLine(_ name: String, _ labels: String, _ value: String) -> String {
    labels.isEmpty ? name + " " + value : name + "{" + labels + "} " + value
}

/// As the format writes numbers: `3`, `0.25`, `1e-07`, `NaN`, `+Inf`.
private func sampleText(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    // Below 2^53 every whole number is itself.
    if value == value.rounded(), abs(value) < 0x1p53 { return String(Int64(value)) }
    return String(value)
}

private func sumStayingAtEnd(_ left: Int64, _ right: Int64) -> Int64 {
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? .max : sum
}
