import Foundation
import Testing

#if os(Linux)
    /// A library that is loaded before all others and lets one flush of the disk fail.
    ///
    /// Built once with the system's C compiler.
    enum FailingSync {
        struct NotBuilt: Error, CustomStringConvertible {
            let description: String
        }

        private static let source = """
            #define _GNU_SOURCE
            #include <dlfcn.h>
            #include <errno.h>
            #include <stdatomic.h>
            #include <stdlib.h>

            static atomic_int count;

            static int fails(void) {
                const char *number = getenv("FAILING_SYNC");
                return number != NULL && atomic_fetch_add(&count, 1) + 1 == atoi(number);
            }

            int fdatasync(int descriptor) {
                if (fails()) { errno = EIO; return -1; }
                return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(descriptor);
            }

            int fsync(int descriptor) {
                if (fails()) { errno = EIO; return -1; }
                return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(descriptor);
            }
            """

        /// What lets the flush with this number, from 1, fail in a process that gets it in its environment.
        static func environment(number: Int, builtIn folder: TemporaryFolder) throws -> [String: String] {
            let file = try folder.file("failing-sync.c", source)
            let library = folder.path + "/failing-sync.so"
            if !FileManager.default.fileExists(atPath: library) {
                let built = try Shell.run("cc -shared -fPIC -o '\(library)' '\(file)' -ldl", in: folder.path)
                guard built.status == 0 else { throw NotBuilt(description: built.text) }
            }
            return ["LD_PRELOAD": library, "FAILING_SYNC": String(number)]
        }
    }
#endif
