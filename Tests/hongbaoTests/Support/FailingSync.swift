import Foundation
import Testing

#if os(Linux)
    /// A library that is loaded before all others and lets one flush of the disk fail.
    ///
    /// What the file got since its last good flush is then gone, as it may be after a power cut: an answer that was given for
    /// it nevertheless is missing in the file. Only the file's end is cut off, so that a flush must follow something
    /// appended; ``hasLost(_:)`` tells whether it did. Built once with the system's C compiler.
    enum FailingSync {
        struct NotBuilt: Error, CustomStringConvertible {
            let description: String
        }

        private static let source = """
            #define _GNU_SOURCE
            #define _FILE_OFFSET_BITS 64
            #include <dlfcn.h>
            #include <errno.h>
            #include <pthread.h>
            #include <stdio.h>
            #include <stdlib.h>
            #include <sys/stat.h>
            #include <unistd.h>

            #define FILE_COUNT 64
            static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
            static int count, file_count;
            static struct { dev_t device; ino_t number; off_t size; } files[FILE_COUNT];

            /* The place of a file that was flushed before, or the next free one. */
            static int place(const struct stat *file) {
                int i = 0;
                while (i < file_count && (files[i].number != file->st_ino || files[i].device != file->st_dev)) i++;
                return i;
            }

            static int flush(int descriptor, const char *name) {
                struct stat file;
                int is_file = fstat(descriptor, &file) == 0 && S_ISREG(file.st_mode);
                const char *number = getenv("FAILING_SYNC");
                pthread_mutex_lock(&lock);
                int fails = number != NULL && ++count == atoi(number);
                int i = is_file ? place(&file) : FILE_COUNT;
                if (fails && i < file_count && files[i].size < file.st_size
                    && ftruncate(descriptor, files[i].size) == 0)
                    dprintf(2, "\(lossMark) %lld bytes\\n", (long long)(file.st_size - files[i].size));
                pthread_mutex_unlock(&lock);
                if (fails) { errno = EIO; return -1; }

                int result = ((int (*)(int))dlsym(RTLD_NEXT, name))(descriptor);
                pthread_mutex_lock(&lock);
                if (result == 0 && is_file && (i = place(&file)) < FILE_COUNT) {
                    if (i == file_count) file_count++;
                    files[i].device = file.st_dev;
                    files[i].number = file.st_ino;
                    files[i].size = file.st_size;
                }
                pthread_mutex_unlock(&lock);
                return result;
            }

            int fdatasync(int descriptor) { return flush(descriptor, "fdatasync"); }

            int fsync(int descriptor) { return flush(descriptor, "fsync"); }
            """

        private static let lossMark = "failing-sync: lost"

        /// Whether the failed flush took something with it.
        static func hasLost(_ result: Program.Result) -> Bool { result.errors.contains(lossMark) }

        /// What lets the flush with this number, from 1, fail in a process that gets it in its environment.
        static func environment(number: Int, builtIn folder: TemporaryFolder) throws -> [String: String] {
            let file = try folder.file("failing-sync.c", source)
            let library = folder.path + "/failing-sync.so"
            if !FileManager.default.fileExists(atPath: library) {
                let built = try Shell.run("cc -shared -fPIC -o '\(library)' '\(file)' -ldl -lpthread", in: folder.path)
                guard built.status == 0 else { throw NotBuilt(description: built.text) }
            }
            return ["LD_PRELOAD": library, "FAILING_SYNC": String(number)]
        }
    }
#endif
