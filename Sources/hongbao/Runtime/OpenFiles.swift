internal import Foundation

/// How many files, connections among them, the process may have open.
enum OpenFiles {
    /// What is kept free for everything but the connections of strangers: the database, calls out, monitors.
    static let reserve = 256
    /// More is no use with the server's limit of connections.
    private static let most: rlim_t = 65_536

    #if canImport(Glibc)
        private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
        private static let resource = RLIMIT_NOFILE
    #endif

    /// Raises the limit as far as the system allows: a shell's is usually 1,024, fewer than the server's connections.
    ///
    /// - Returns: The limit that holds now.
    static func raiseLimit() -> Int {
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return 1_024 }
        let wanted = min(limit.rlim_max, most)
        if limit.rlim_cur < wanted {
            let before = limit.rlim_cur
            limit.rlim_cur = wanted
            if setrlimit(resource, &limit) != 0 { limit.rlim_cur = before }
        }
        return Int(clamping: limit.rlim_cur)
    }
}
