import CoreMetrics
import Testing

@testable import WebServer

struct PrometheusRegistryTests {
    private static let dropped =
        "# HELP hongbao_metrics_dropped_series Requests for series that were not kept because there were too many.\n"
        + "# TYPE hongbao_metrics_dropped_series counter\nhongbao_metrics_dropped_series "

    /// Without what is said of dropped series, which must be 0.
    private func text(_ registry: PrometheusRegistry) throws -> String {
        let text = registry.text()
        let range = try #require(text.firstRange(of: Self.dropped + "0\n"))
        return text.replacing(text[range], with: "")
    }

    private func line(_ start: String, in registry: PrometheusRegistry) -> String? {
        registry.text().split(separator: "\n").first { $0.hasPrefix(start) }.map(String.init)
    }

    @Test func anEmptyRegistrySaysThatNothingWasDropped() {
        #expect(PrometheusRegistry().text() == Self.dropped + "0\n")
    }

    @Test func aCounterIsExact() throws {
        let registry = PrometheusRegistry(help: ["webhook.requests": "Requests of platforms."])
        let counter = registry.makeCounter(label: "webhook.requests", dimensions: [("platform", "line")])
        counter.increment(by: 2)
        counter.increment(by: -5)
        registry.makeCounter(label: "webhook.requests", dimensions: [("platform", "line")]).increment(by: 1)
        registry.makeCounter(label: "webhook_requests", dimensions: [("platform", "discord")]).increment(by: 7)
        #expect(
            try text(registry) == """
                # HELP webhook_requests Requests of platforms.
                # TYPE webhook_requests counter
                webhook_requests{platform="discord"} 7
                webhook_requests{platform="line"} 3

                """)
        counter.reset()
        #expect(line("webhook_requests{platform=\"line\"", in: registry) == "webhook_requests{platform=\"line\"} 0")
    }

    @Test func aCounterKeepsWholeNumbersWholeAndStaysAtItsEnd() {
        let registry = PrometheusRegistry()
        let counter = registry.makeCounter(label: "c", dimensions: [])
        counter.increment(by: 9_007_199_254_740_993)
        #expect(line("c ", in: registry) == "c 9007199254740993")
        counter.increment(by: .max)
        #expect(line("c ", in: registry) == "c 9223372036854775807")
    }

    @Test func aFloatingPointCounterIsExact() throws {
        let registry = PrometheusRegistry()
        let counter = registry.makeFloatingPointCounter(label: "tokens", dimensions: [])
        counter.increment(by: 0.25)
        counter.increment(by: 1.5)
        counter.increment(by: -1)
        counter.increment(by: .nan)
        counter.increment(by: .infinity)
        #expect(try text(registry) == "# TYPE tokens counter\ntokens 1.75\n")
    }

    @Test func aMeterIsAGauge() throws {
        let registry = PrometheusRegistry()
        let meter = registry.makeMeter(label: "queue.length", dimensions: [])
        meter.set(Int64(10))
        meter.increment(by: 2.5)
        meter.decrement(by: 20)
        #expect(try text(registry) == "# TYPE queue_length gauge\nqueue_length -7.5\n")
        for (value, written) in [
            (Double.nan, "NaN"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (3, "3"), (1e300, "1e+300"), (-0.0, "0"),
        ] {
            meter.set(value)
            #expect(line("queue_length ", in: registry) == "queue_length " + written)
        }
    }

    @Test func aRecorderIsAGaugeOrASummary() throws {
        let registry = PrometheusRegistry()
        let last = registry.makeRecorder(label: "last", dimensions: [], aggregate: false)
        last.record(Int64(4))
        last.record(2.0)
        let batch = registry.makeRecorder(label: "batch.size", dimensions: [("store", "sqlite")], aggregate: true)
        batch.record(Int64(4))
        batch.record(2.5)
        batch.record(.nan)
        #expect(
            try text(registry) == """
                # TYPE batch_size summary
                batch_size_sum{store="sqlite"} 6.5
                batch_size_count{store="sqlite"} 2
                # TYPE last gauge
                last 2

                """)
    }

    @Test func aTimerIsAHistogramInSeconds() throws {
        let registry = PrometheusRegistry(help: ["draw.duration": "How long a draw takes."])
        let timer = registry.makeTimer(label: "draw.duration", dimensions: [("a", "b")])
        for nanoseconds in [-1, 0, 500_000, 500_001, 1_000_000_000, 10_000_000_000, 10_000_000_001] {
            timer.recordNanoseconds(Int64(nanoseconds))
        }
        #expect(
            try text(registry) == """
                # HELP draw_duration_seconds How long a draw takes.
                # TYPE draw_duration_seconds histogram
                draw_duration_seconds_bucket{a="b",le="0.0005"} 3
                draw_duration_seconds_bucket{a="b",le="0.001"} 4
                draw_duration_seconds_bucket{a="b",le="0.0025"} 4
                draw_duration_seconds_bucket{a="b",le="0.005"} 4
                draw_duration_seconds_bucket{a="b",le="0.01"} 4
                draw_duration_seconds_bucket{a="b",le="0.025"} 4
                draw_duration_seconds_bucket{a="b",le="0.05"} 4
                draw_duration_seconds_bucket{a="b",le="0.1"} 4
                draw_duration_seconds_bucket{a="b",le="0.25"} 4
                draw_duration_seconds_bucket{a="b",le="0.5"} 4
                draw_duration_seconds_bucket{a="b",le="1"} 5
                draw_duration_seconds_bucket{a="b",le="2.5"} 5
                draw_duration_seconds_bucket{a="b",le="5"} 5
                draw_duration_seconds_bucket{a="b",le="10"} 6
                draw_duration_seconds_bucket{a="b",le="+Inf"} 7
                draw_duration_seconds_sum{a="b"} 21.001000002
                draw_duration_seconds_count{a="b"} 7

                """)
    }

    @Test func aTimersNameEndsWithSecondsOnce() {
        let registry = PrometheusRegistry()
        registry.makeTimer(label: "wait_seconds", dimensions: []).recordNanoseconds(1)
        #expect(line("wait_seconds_count", in: registry) == "wait_seconds_count 1")
        #expect(line("wait_seconds_bucket", in: registry) == "wait_seconds_bucket{le=\"0.0005\"} 1")
    }

    @Test(arguments: [
        ("a.b-c", "a_b_c"), ("9a", "_9a"), ("", "_"), ("抽奖", "__"), ("a:b_C9", "a:b_C9"),
        ("a b\n{x=\"1\"} 5\n", "a_b__x__1___5_"),
    ])
    func namesAreMadeFit(_ label: String, _ name: String) throws {
        let registry = PrometheusRegistry()
        registry.makeCounter(label: label, dimensions: []).increment(by: 1)
        #expect(try text(registry) == "# TYPE \(name) counter\n\(name) 1\n")
    }

    @Test(arguments: [
        ("a\\b", #"a\\b"#), ("a\"b", #"a\"b"#), ("a\nb", #"a\nb"#), ("\r\n", "\r\\n"), ("\"} 1\nx 2", #"\"} 1\nx 2"#),
        ("抽奖", "抽奖"),
        ("\"\u{301}", "\\\"\u{301}"), (String(repeating: "😀", count: 500), String(repeating: "😀", count: 128)),
        ("", ""),
    ])
    func labelValuesAreEscapedAndCut(_ value: String, _ written: String) {
        let registry = PrometheusRegistry()
        registry.makeCounter(label: "c", dimensions: [("l", value)]).increment(by: 1)
        #expect(
            registry.text().utf8.elementsEqual(
                ("# TYPE c counter\nc{l=\"\(written)\"} 1\n" + Self.dropped + "0\n").utf8))
    }

    @Test func labelNamesAreMadeFitAndSorted() throws {
        let registry = PrometheusRegistry()
        let dimensions = [
            ("b.c", "1"), ("a", "2"), ("a", "3"), ("le", "4"), ("quantile", "5"), ("x:y", "6"), ("0", "7"),
        ]
        registry.makeCounter(label: "c", dimensions: dimensions).increment(by: 1)
        registry.makeCounter(label: "c", dimensions: [("a", "2"), ("b.c", "1")] + dimensions).increment(by: 1)
        #expect(
            try text(registry)
                == "# TYPE c counter\nc{_0=\"7\",a=\"2\",b_c=\"1\",le_=\"4\",quantile_=\"5\",x_y=\"6\"} 2\n")
    }

    @Test func helpIsEscaped() throws {
        let registry = PrometheusRegistry(help: ["c": "One\nline \\ \"quoted\""])
        registry.makeCounter(label: "c", dimensions: []).increment(by: 1)
        #expect(try text(registry) == "# HELP c One\\nline \\\\ \"quoted\"\n# TYPE c counter\nc 1\n")
    }

    @Test func aNameHasOneKind() {
        let registry = PrometheusRegistry()
        registry.makeCounter(label: "a", dimensions: []).increment(by: 1)
        registry.makeMeter(label: "a", dimensions: []).set(5.0)
        registry.makeMeter(label: "a", dimensions: [("b", "c")]).set(5.0)
        registry.makeCounter(label: "hongbao.metrics.dropped.series", dimensions: []).increment(by: 9)
        #expect(registry.text() == "# TYPE a counter\na 1\n" + Self.dropped + "3\n")
    }

    @Test func atMostAThousandSeriesAreKept() {
        let registry = PrometheusRegistry()
        for number in 0..<1200 {
            registry.makeCounter(label: "c", dimensions: [("n", "\(number)")]).increment(by: 1)
        }
        func count(_ start: String) -> Int { registry.text().split(separator: "\n").count { $0.hasPrefix(start) } }
        #expect(count("c{") == 1000)
        #expect(line("hongbao_metrics_dropped_series", in: registry) == "hongbao_metrics_dropped_series 200")
        registry.makeMeter(label: "m", dimensions: []).set(1.0)
        #expect(count("m ") == 0)
        // A series that is there goes on; one that is destroyed makes room.
        let first = registry.makeCounter(label: "c", dimensions: [("n", "0")])
        first.increment(by: 1)
        #expect(line("c{n=\"0\"}", in: registry) == "c{n=\"0\"} 2")
        registry.destroyCounter(first)
        registry.destroyCounter(first)
        registry.makeMeter(label: "m", dimensions: []).set(1.0)
        registry.makeMeter(label: "m2", dimensions: []).set(1.0)
        #expect(count("c{") == 999)
        #expect(count("m ") == 1)
        #expect(count("m2 ") == 0)
    }

    @Test func aMetricOfWhichNothingIsLeftIsNotNamed() throws {
        let registry = PrometheusRegistry()
        registry.destroyTimer(registry.makeTimer(label: "t", dimensions: []))
        #expect(try text(registry) == "")
        registry.makeMeter(label: "t_seconds", dimensions: []).set(1.0)
        #expect(try text(registry) == "# TYPE t_seconds gauge\nt_seconds 1\n")
    }

    @Test func whatEightTasksAddIsAllThere() async {
        let registry = PrometheusRegistry()
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for round in 0..<5000 {
                        registry.makeCounter(label: "shared", dimensions: []).increment(by: 1)
                        registry.makeFloatingPointCounter(label: "float", dimensions: []).increment(by: 0.5)
                        registry.makeMeter(label: "meter", dimensions: []).increment(by: 1)
                        registry.makeRecorder(label: "sizes", dimensions: [], aggregate: true).record(Int64(2))
                        registry.makeTimer(label: "time", dimensions: []).recordNanoseconds(1_000_000)
                        registry.makeCounter(label: "own", dimensions: [("task", "\(task)")]).increment(by: 1)
                        if round % 1000 == 0 { #expect(registry.text().hasSuffix("\n")) }
                    }
                }
            }
        }
        for expected in [
            "shared 40000", "float 20000", "meter 40000", "sizes_sum 80000", "sizes_count 40000",
            "time_seconds_count 40000",
            "time_seconds_sum 40", "time_seconds_bucket{le=\"0.001\"} 40000", "time_seconds_bucket{le=\"0.0005\"} 0",
            "own{task=\"7\"} 5000",
        ] {
            #expect(registry.text().contains("\n" + expected + "\n"), "\(expected)")
        }
    }

    @Test func itServesTheMetricsAPI() throws {
        let registry = PrometheusRegistry()
        Counter(label: "hb.requests", dimensions: [("path", "/")], factory: registry).increment()
        Gauge(label: "gauge", factory: registry).record(3)
        Timer(label: "request.time", factory: registry).recordSeconds(2)
        #expect(line("hb_requests{", in: registry) == "hb_requests{path=\"/\"} 1")
        #expect(line("gauge ", in: registry) == "gauge 3")
        #expect(line("request_time_seconds_sum", in: registry) == "request_time_seconds_sum 2")
    }
}
