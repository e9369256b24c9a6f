internal import Foundation

#if canImport(Glibc)
    // Which module owns the C library's structures depends on the order in which files are compiled.
    internal import Glibc
#endif

/// What some tests need of the machine. They are skipped where it is missing, which only their run says.
public enum TestMachine {
    /// Whether a run must skip none: `HONGBAO_ALL_TESTS=1`, which `.ci/run` sets. A test then fails and names what is missing.
    public static let mustHaveAll = ProcessInfo.processInfo.environment["HONGBAO_ALL_TESTS"] == "1"

    public static let python = path("python3")
    public static let browser = path("chromium", "chromium-browser", "google-chrome")

    /// The first of these programs that is in `PATH`.
    public static func path(_ names: String...) -> String? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
        return names.lazy.flatMap { name in folders.map { "\($0)/\(name)" } }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Whether a server can listen at `::1`.
    public static let hasIPv6: Bool = {
        #if canImport(Glibc)
            let type = Int32(SOCK_STREAM.rawValue)
        #else
            let type = SOCK_STREAM
        #endif
        let descriptor = socket(AF_INET6, type, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_addr = in6addr_loopback
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
            }
        }
    }()
}
