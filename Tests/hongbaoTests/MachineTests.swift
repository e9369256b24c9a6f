import Foundation
import TestSupport
import Testing

/// `.ci/run` sees every test run, and not just pass.
@Suite struct MachineTests {
    private struct Need {
        let isMet: Bool
        /// What is missing otherwise.
        let name: String
    }

    private static var needs: [Need] {
        var needs = [
            Need(isMet: TestMachine.python != nil, name: "python3 in PATH"),
            Need(isMet: TestMachine.browser != nil, name: "chromium in PATH"),
            Need(isMet: OpenFileLimit.allows(17_000), name: "17,000 open files (ulimit -n)"),
            Need(isMet: TestMachine.hasIPv6, name: "the address ::1"),
            Need(
                isMet: !Program.isUnhindered || Program.withoutRights != nil,
                name: "a build that the user nobody may run, since root may read and write everything"),
        ]
        #if os(Linux)
            needs.append(
                Need(isMet: SmallDisk.isAllowed, name: "the right to mount a tmpfs (root, or sudo without a password)"))
        #endif
        return needs
    }

    @Test(.enabled(if: TestMachine.mustHaveAll, "HONGBAO_ALL_TESTS is not 1: tests that need more are skipped"))
    func nothingIsSkippedHere() {
        for need in Self.needs { #expect(need.isMet, "some tests are skipped: this machine lacks \(need.name)") }
    }
}
