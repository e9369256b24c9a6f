// swift-tools-version: 6.2
import PackageDescription

/// Every target is held to the same rules; CI adds `-warnings-as-errors`.
let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
    name: "hongbao",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "hongbao", targets: ["hongbao"]),
        // For the nested package Fuzz, which makes a fuzzer of each.
        .library(name: "FuzzTargets", targets: ["FuzzTargets"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-algorithms", from: "1.2.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-async-algorithms", from: "1.1.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(
            url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: [.defaults, "YAML"]),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.0"),
    ],
    targets: [
        // What everything else is named with: identifiers and instants.
        .target(name: "Basics", swiftSettings: swiftSettings),
        // The draw and its ledger. Pure.
        .target(
            name: "Lottery",
            dependencies: [
                "Basics",
                .product(name: "Algorithms", package: "swift-algorithms"),
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: swiftSettings),
        // The virtual waiting room. Pure.
        .target(
            name: "TrafficGate",
            dependencies: ["Basics"],
            swiftSettings: swiftSettings),
        // Commands to outcomes: batches, facts, changes, and what a store must do.
        .target(
            name: "Activities",
            dependencies: [
                "Basics", "Lottery", "TrafficGate",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings),
        // Activity files (YAML) in; winners' lists out.
        .target(
            name: "ActivityFiles",
            dependencies: ["Basics", "Lottery", .product(name: "Yams", package: "Yams")],
            swiftSettings: swiftSettings),
        // Catalogue, parser, suggestions, wording.
        .target(
            name: "ChatCommands",
            dependencies: [
                "Basics", "Lottery", "TrafficGate", "Activities", "Resources",
                .product(name: "Mustache", package: "swift-mustache"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: swiftSettings),
        // One folder per platform: verify, decode, encode.
        .target(
            name: "ChatPlatforms",
            dependencies: [
                "Basics", "Activities", "ChatCommands",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            swiftSettings: swiftSettings),
        // Routes, webhooks, calls out, metrics: all that listens or calls.
        .target(
            name: "WebServer",
            dependencies: [
                "Basics", "Lottery", "TrafficGate", "Activities", "ChatCommands", "ChatPlatforms", "Resources",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings),
        // Schema, migrations, facts and changes on SQLite.
        .target(
            name: "SQLiteStore",
            dependencies: [
                "Basics", "Lottery", "TrafficGate", "Activities",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings),
        // Texts and samples, compiled in so that the binary stays one file.
        .target(
            name: "Resources", path: "Resources",
            resources: [
                .embedInCode("zh-Hans.yaml"), .embedInCode("zh-Hant.yaml"), .embedInCode("en.yaml"),
                .embedInCode("sample-activity.yaml"), .embedInCode("openapi.json"),
            ],
            swiftSettings: swiftSettings),
        // Command line, environment and file to one value.
        .target(
            name: "OperatorSettings",
            dependencies: [
                "Basics", "Activities", "ActivityFiles", "ChatCommands", "ChatPlatforms",
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "hongbao",
            dependencies: [
                "Basics", "Lottery", "TrafficGate", "Activities", "ActivityFiles", "ChatCommands", "ChatPlatforms",
                "OperatorSettings", "SQLiteStore", "WebServer", "Resources",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncAlgorithms", package: "swift-async-algorithms"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: swiftSettings),
        // What `make bench` runs.
        .executableTarget(
            name: "hongbao-bench",
            dependencies: [
                "Basics", "Lottery", "TrafficGate", "Activities", "ChatCommands", "SQLiteStore",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Benchmarks/Sources", swiftSettings: swiftSettings),
        // What must hold whatever bytes come in; run on a corpus by a test, and on more by `make fuzz`.
        .target(
            name: "FuzzTargets",
            dependencies: [
                "Basics", "Lottery", "Activities", "ActivityFiles", "ChatCommands", "ChatPlatforms",
                "OperatorSettings",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            swiftSettings: swiftSettings),
        // What several test targets share.
        .target(
            name: "TestSupport",
            dependencies: [
                "Basics", "Lottery", "TrafficGate", "Activities", "SQLiteStore",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings),
        // Whole events under one seed, on virtual time, with faults; what `make torture` runs.
        .target(
            name: "Simulator",
            dependencies: [
                "Basics", "Lottery", "TrafficGate", "Activities", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Torture/Simulator", swiftSettings: swiftSettings),
        .executableTarget(
            name: "hongbao-torture",
            dependencies: [
                "Basics", "Simulator", "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Torture/Program", swiftSettings: swiftSettings),
        // What `make test` runs last: looks through the output of everything before.
        .testTarget(
            name: "CanaryTests", dependencies: ["ChatPlatforms", "TestSupport"], swiftSettings: swiftSettings),
        .testTarget(
            name: "SimulatorTests",
            dependencies: ["hongbao-torture", "Basics", "Activities", "Simulator", "TestSupport"],
            swiftSettings: swiftSettings),
        // What SQLite does to its files, and what a disk may hold of it when the power goes.
        .target(
            name: "CRecordingVFS", path: "Torture/RecordingVFS", linkerSettings: [.linkedLibrary("sqlite3")]),
        .target(
            name: "CrashImages",
            dependencies: [
                "Basics", "Lottery", "TrafficGate", "Activities", "SQLiteStore", "TestSupport", "CRecordingVFS",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
            ],
            path: "Torture/CrashImages", swiftSettings: swiftSettings),
        .testTarget(
            name: "hongbaoTests",
            dependencies: [
                "hongbao", "Basics", "Lottery", "TrafficGate", "Activities", "ActivityFiles", "ChatCommands",
                "ChatPlatforms", "Resources", "SQLiteStore", "TestSupport",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "ChatCommandsTests",
            dependencies: [
                "Basics", "Lottery", "TrafficGate", "Activities", "ChatCommands", "Resources", "TestSupport",
            ],
            swiftSettings: swiftSettings),
        .testTarget(name: "FuzzTargetsTests", dependencies: ["FuzzTargets"], swiftSettings: swiftSettings),
        .testTarget(
            name: "OperatorSettingsTests", dependencies: ["Basics", "ChatCommands", "OperatorSettings"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "LotteryTests", dependencies: ["Basics", "Lottery", "TestSupport"], resources: [.copy("Fixtures")],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "TrafficGateTests", dependencies: ["Basics", "TrafficGate", "TestSupport"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "ActivityFilesTests", dependencies: ["Basics", "Lottery", "ActivityFiles"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "ChatPlatformsTests",
            dependencies: [
                "Basics", "ChatPlatforms", "TestSupport",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            resources: [.copy("Fixtures")], swiftSettings: swiftSettings),
        .testTarget(
            name: "WebServerTests",
            dependencies: [
                "Basics", "Lottery", "TrafficGate", "Activities", "ChatCommands", "ChatPlatforms", "WebServer",
                "Resources", "SQLiteStore", "TestSupport",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            resources: [.copy("Fixtures")], swiftSettings: swiftSettings),
        .testTarget(
            name: "ActivitiesTests",
            dependencies: [
                "Basics", "Lottery", "TrafficGate", "Activities", "SQLiteStore", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "SQLiteStoreTests",
            dependencies: [
                "Basics", "Lottery", "TrafficGate", "Activities", "SQLiteStore", "TestSupport",
                .product(name: "GRDB", package: "GRDB.swift"), .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
            ],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "CrashImageTests",
            dependencies: ["Basics", "Activities", "SQLiteStore", "CRecordingVFS", "CrashImages", "TestSupport"],
            swiftSettings: swiftSettings),
    ],
    swiftLanguageModes: [.v6]
)
