internal import Activities
internal import Basics
internal import Foundation
internal import Lottery

#if canImport(Glibc)
    // Which module owns the C library's structures depends on the order in which files are compiled.
    internal import CDispatch
    internal import CoreFoundation
    internal import Glibc
#endif

/// Keeps, in a small file beside the database, where each ledger ended when somebody was last answered.
///
/// Written in place after each commit and before its answers, so it is never ahead of the database and, however the
/// process ends, never behind an answer. It is not synced with each batch: after a loss of power it may be behind, and
/// then it lets an older database pass but refuses no good one.
///
/// Records carry the identity of their database. Those of another one that once lay under the same name stay, and mean
/// nothing to one that has records of its own.
final class HeadsFile {
    /// What stands in the file.
    struct Contents {
        var isThere = false
        /// By their place in the file.
        var records: [Int: HeadRecord] = [:]
        /// Places that cannot be read.
        var damaged: [Int] = []
        var placeCount = 1

        func heads(of identity: DatabaseIdentity?) -> [IssuedHead] {
            inOrder.filter { $0.identity == identity }.map(\.head)
        }

        /// What a database of this identity must hold. One that nothing was ever issued from lies in the place of those
        /// that something was, and lacks all of it.
        func issued(from identity: DatabaseIdentity?) -> [IssuedHead] {
            let own = heads(of: identity)
            return own.isEmpty ? inOrder.map(\.head) : own
        }

        private var inOrder: [HeadRecord] { records.sorted { $0.key < $1.key }.map(\.value) }
    }

    /// The first place, for people who wonder what the file is.
    static let header: [UInt8] = {
        let text = "hongbao heads 1: 每个账本最后发出的一行，防止旧数据库重复发奖。请勿删除。Keep this file.\n"
        return Array(text.utf8) + Array(repeating: UInt8(ascii: "\n"), count: HeadRecord.size - text.utf8.count)
    }()
    /// Activities are few; a larger file is not ours.
    private static let maximumSize = 8 << 20

    private let descriptor: Int32
    private var identity: DatabaseIdentity
    private var places: [ActivityID: Int] = [:]
    /// Damaged ones, to be used again.
    private var freePlaces: [Int]
    private var placeCount: Int
    private var buffer = [UInt8](repeating: 0, count: HeadRecord.size)
    private var isSynchronized = true

    /// The file that belongs to the database at `path`, whatever link leads to it.
    static func path(besideDatabase path: String) -> String {
        URL(fileURLWithPath: path).resolvingSymlinksInPath().path + ".heads"
    }

    // MARK: Reading

    /// Reads the file; a missing one has no records.
    ///
    /// - Throws: ``StoreError`` with `unusableSideFile`, also for a file that was never ours.
    static func contents(at path: String) throws(StoreError) -> Contents {
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return Contents() }
            throw inaccessible(path)
        }
        defer { Foundation.close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw inaccessible(path) }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_size <= maximumSize else { throw foreign(path) }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
        guard count >= 0 else { throw inaccessible(path) }
        return try contents(of: bytes.prefix(count), at: path)
    }

    private static func contents(of bytes: ArraySlice<UInt8>, at path: String) throws(StoreError) -> Contents {
        var contents = Contents()
        contents.isThere = true
        contents.placeCount = max(1, bytes.count / HeadRecord.size)
        for place in 1..<contents.placeCount {
            let start = place * HeadRecord.size
            if let record = HeadRecord(bytes[start..<start + HeadRecord.size]) {
                contents.records[place] = record
            } else {
                contents.damaged.append(place)
            }
        }
        let isOurs = bytes.starts(with: header) || header.starts(with: bytes) || !contents.records.isEmpty
        guard isOurs else { throw foreign(path) }
        return contents
    }

    // MARK: Writing

    /// Opens the file for writing, and makes it when there is none.
    ///
    /// - Parameters:
    ///   - contents: What stands in it.
    ///   - identity: Of the database whose heads are kept from now on.
    ///   - database: Whose owner the file gets when an administrator makes it.
    init(
        at path: String, contents: Contents, identity: DatabaseIdentity, database: String
    ) throws(StoreError) {
        if !contents.isThere {
            let file = try NewFile(path + ".new", ownedAs: database)
            try file.write(Self.header)
            try file.finish(as: path, replacing: true)
        }
        descriptor = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.inaccessible(path) }
        self.identity = identity
        for (place, record) in contents.records where record.identity == identity {
            places[record.head.activity] = place
        }
        freePlaces = contents.damaged
        placeCount = contents.placeCount
        fchmod(descriptor, 0o600)
    }

    deinit {
        synchronize()
        Foundation.close(descriptor)
    }

    /// Notes where the ledgers of a batch end now. The batch is durable and nobody was answered yet.
    ///
    /// - Throws: ``StoreError``: nobody may be answered, since nothing would tell that this was issued.
    /// - Complexity: O(*n*) in the rows; one write for each activity among them.
    func note(_ ledger: [Changes.LedgerEntry]) throws(StoreError) {
        var noted: [ActivityID] = []
        for index in ledger.indices.reversed() where !noted.contains(ledger[index].activity) {
            let entry = ledger[index]
            noted.append(entry.activity)
            try note(IssuedHead(activity: entry.activity, seq: entry.row.seq, hash: entry.row.hash))
        }
    }

    func note(_ head: IssuedHead) throws(StoreError) {
        guard HeadRecord(identity: identity, head: head).write(to: &buffer) else { return }
        let place = place(of: head.activity)
        let written = buffer.withUnsafeBytes {
            pwrite(descriptor, $0.baseAddress, $0.count, off_t(place * HeadRecord.size))
        }
        guard written == HeadRecord.size else {
            throw StoreError(
                code: written < 0 && errno != ENOSPC && errno != EDQUOT ? .failed : .full,
                message: "The file of issued receipts (.heads) cannot be written. What was acknowledged is safe; the "
                    + "last batch is stored, but nobody was told. Free some space and start again.",
                cause: written < 0 ? String(cString: strerror(errno)) : nil)
        }
        isSynchronized = false
    }

    private func place(of activity: ActivityID) -> Int {
        if let place = places[activity] { return place }
        let place = freePlaces.popLast() ?? placeCount
        placeCount = max(placeCount, place + 1)
        places[activity] = place
        return place
    }

    /// Makes it survive a loss of power as well. Seldom: what it guards does.
    func synchronize() {
        guard !isSynchronized else { return }
        isSynchronized = fsync(descriptor) == 0
    }

    private static func inaccessible(_ path: String) -> StoreError {
        StoreError(
            code: .unusableSideFile,
            message: "The file \(path) cannot be opened. Nothing was changed. Check who may read and write it.",
            cause: String(cString: strerror(errno)))
    }

    private static func foreign(_ path: String) -> StoreError {
        StoreError(
            code: .unusableSideFile,
            message: "\(path) is not the file that hongbao keeps there. Nothing was changed. Move it away.")
    }
}
