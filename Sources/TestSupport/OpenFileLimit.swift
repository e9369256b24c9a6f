internal import Foundation

/// How many files and connections the tests' process may have open.
public enum OpenFileLimit {
    /// Raises the limit to `count` where it is lower.
    ///
    /// - Returns: Whether so many may be open: a test that needs them is skipped otherwise, which its run says.
    public static func allows(_ count: Int) -> Bool {
        #if canImport(Glibc)
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let resource = RLIMIT_NOFILE
        #endif
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return false }
        if limit.rlim_cur < rlim_t(count) {
            limit.rlim_cur = min(limit.rlim_max, rlim_t(count))
            _ = setrlimit(resource, &limit)
            guard getrlimit(resource, &limit) == 0 else { return false }
        }
        return limit.rlim_cur >= rlim_t(count)
    }
}
