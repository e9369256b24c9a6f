// swift-tools-version: 6.2
import PackageDescription

/// One fuzzer for each of FuzzTargets. A package of its own, because their `main` is libFuzzer's: they can only be linked
/// with `--sanitize=fuzzer`, and a plain `swift build` of the package that they are in would fail. See `make fuzz`.
let package = Package(
    name: "Fuzz",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "hongbao", path: "..")],
    targets: ["commands", "platforms", "json", "activities", "ledgers", "configuration"].map { name in
        .executableTarget(
            name: name, dependencies: [.product(name: "FuzzTargets", package: "hongbao")],
            // There is no main file.
            swiftSettings: [.unsafeFlags(["-parse-as-library"])])
    },
    swiftLanguageModes: [.v6]
)
