internal import Basics
internal import Foundation
internal import TestSupport

/// What a disk may hold at the instant at which the power goes: what was synced, and any part of what was not.
///
/// Operations are applied in their order with ``apply(_:)``; an image may be taken at any time. The rules:
///
/// - A sync makes everything before it in its file durable, and the file's name when that is new.
/// - A write that is not durable may be there, be missing, or be there in some of its sectors of 512 bytes. A truncation may
///   have happened or not. Each is independent of the others, in no order.
/// - Names appear and vanish in their order, but later than was asked.
/// - What was waiting for a sync that failed is never made durable by another; only writing it again helps.
struct SimulatedDisk {
    static let sectorSize = 512

    fileprivate struct Change {
        enum Kind {
            case write(offset: Int, UnsafeRawBufferPointer)
            case truncate(size: Int)
        }

        enum State {
            case pending
            /// Lost with a failed sync, or on the disk by chance.
            case lost
            /// Durable, but behind a lost one, so not merged.
            case durable
        }

        var kind: Kind
        var state = State.pending
    }

    private struct File {
        var durable: [UInt8] = []
        var changes: [Change] = []

        mutating func sync() {
            for index in changes.indices where changes[index].state == .pending { changes[index].state = .durable }
            forgetOverwritten()
            var merged = 0
            while merged < changes.count, changes[merged].state == .durable {
                changes[merged].kind.apply(to: &durable)
                merged += 1
            }
            changes.removeFirst(merged)
        }

        mutating func loseSync() {
            for index in changes.indices where changes[index].state == .pending { changes[index].state = .lost }
        }

        /// What was lost does not matter any more where something durable has taken its place.
        private mutating func forgetOverwritten() {
            for index in changes.indices.reversed() where changes[index].state == .lost {
                let lost = changes[index].kind
                if changes[(index + 1)...].contains(where: { $0.state == .durable && $0.kind.covers(lost) }) {
                    changes.remove(at: index)
                }
            }
        }
    }

    /// Every file that ever was, by number. A name may have belonged to several.
    private var files: [File] = []
    /// What each name stands for now.
    private var current: [Int?]
    /// What each name stands for on the disk.
    private var durableNames: [Int?]
    /// How names changed since.
    private var nameChanges: [(name: DatabaseFile, file: Int?)] = []

    /// A disk with a database that is wholly durable.
    init(database: [UInt8]) {
        files = [File(durable: database)]
        current = [0, nil, nil]
        durableNames = current
    }

    mutating func apply(_ operation: Operation) {
        let name = operation.file
        if case .create = operation.kind {
            files.append(File())
            rename(name, to: files.count - 1)
            return
        }
        guard let number = current[name.rawValue] else { return }
        switch operation.kind {
        case .create: break
        case .write(let offset, let bytes):
            files[number].changes.append(Change(kind: .write(offset: offset, bytes)))
        case .truncate(let size): files[number].changes.append(Change(kind: .truncate(size: size)))
        case .sync:
            files[number].sync()
            // SQLite syncs the folder together with a file that it has made.
            if durableNames[name.rawValue] != number {
                durableNames = current
                nameChanges = []
            }
        case .lostSync: files[number].loseSync()
        case .delete: rename(name, to: nil)
        }
    }

    private mutating func rename(_ name: DatabaseFile, to file: Int?) {
        current[name.rawValue] = file
        nameChanges.append((name, file))
    }

    /// Makes `image` what the disk holds when everything is written back after all.
    func writeWhole(to image: MemoryDatabase) {
        for name in DatabaseFile.allCases {
            write(current[name.rawValue], to: image, as: name) { _ in .whole }
        }
    }

    /// Makes `image` something that the disk may hold after a crash now.
    func writeCrashed(to image: MemoryDatabase, _ random: inout SeededGenerator) {
        var names = durableNames
        for change in nameChanges.prefix(random.below(nameChanges.count + 1)) {
            names[change.name.rawValue] = change.file
        }
        // Nothing, little, half, almost all or all of it has been written back; sometimes in order, as by one queue.
        let isOrdered = random.below(3) == 0
        let share = [0, 8, 50, 92, 100][random.below(5)]
        let tornShare = [0, 10, 60][random.below(3)]
        for name in DatabaseFile.allCases {
            let number = names[name.rawValue]
            let last = number.map { random.below(files[$0].changes.count + 1) } ?? 0
            write(number, to: image, as: name) { index in
                if isOrdered, index < last { return .whole }
                if isOrdered, index > last { return .missing }
                guard isOrdered || random.below(100) < share else { return .missing }
                return isOrdered || random.below(100) < tornShare ? .torn(SeededGenerator(seed: random.next())) : .whole
            }
        }
    }

    private enum Fate {
        case whole
        case missing
        /// Some sectors are there, as the generator says.
        case torn(SeededGenerator)
    }

    /// - Parameter fate: Of the change with this index; only asked for what is not durable.
    private func write(
        _ number: Int?, to image: MemoryDatabase, as name: DatabaseFile, _ fate: (Int) -> Fate
    ) {
        guard let number else {
            image.resize(name, to: nil)
            return
        }
        let file = files[number]
        // Room for all, and cut at the end: the image's bytes stay where they are.
        let capacity = file.changes.reduce(file.durable.count) { max($0, $1.kind.end) }
        guard let bytes = image.resize(name, to: capacity) else { return }
        var size = file.durable.count
        file.durable.withUnsafeBytes { bytes.copyMemory(from: UnsafeRawBufferPointer($0)) }
        for (index, change) in file.changes.enumerated() {
            let fate: Fate = change.state == .durable ? .whole : fate(index)
            switch (change.kind, fate) {
            case (_, .missing): break
            case (.truncate(let newSize), _): size = min(size, newSize)
            case (.write(let offset, let written), .whole):
                Self.write(written, at: offset, to: bytes, &size)
            case (.write(let offset, let written), .torn(var random)):
                var start = 0
                while start < written.count {
                    let end = min(written.count, start + Self.sectorSize - (offset + start) % Self.sectorSize)
                    if random.below(2) == 0 {
                        Self.write(
                            UnsafeRawBufferPointer(rebasing: written[start..<end]), at: offset + start, to: bytes, &size
                        )
                    }
                    start = end
                }
            }
        }
        image.resize(name, to: size)
    }

    private static func write(
        _ written: UnsafeRawBufferPointer, at offset: Int, to bytes: UnsafeMutableRawBufferPointer, _ size: inout Int
    ) {
        if offset > size { bytes[size..<offset].initializeMemory(as: UInt8.self, repeating: 0) }
        UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<(offset + written.count)]).copyMemory(from: written)
        size = max(size, offset + written.count)
    }
}

extension SimulatedDisk.Change.Kind {
    /// How long a file is at least afterwards.
    fileprivate var end: Int {
        switch self {
        case .write(let offset, let bytes): offset + bytes.count
        case .truncate: 0
        }
    }

    /// Whether nothing can be seen of `other` when this comes later.
    fileprivate func covers(_ other: Self) -> Bool {
        switch (self, other) {
        case (.write(let start, let bytes), .write(let otherStart, let otherBytes)):
            start <= otherStart && otherStart + otherBytes.count <= start + bytes.count
        case (.truncate(let size), .write(let otherStart, _)): size <= otherStart
        case (.truncate(let size), .truncate(let otherSize)): size <= otherSize
        case (.write, .truncate): false
        }
    }

    fileprivate func apply(to content: inout [UInt8]) {
        switch self {
        case .truncate(let size):
            if size < content.count { content.removeLast(content.count - size) }
        case .write(let offset, let bytes):
            let end = offset + bytes.count
            if end > content.count { content += [UInt8](repeating: 0, count: end - content.count) }
            content.withUnsafeMutableBytes { content in
                UnsafeMutableRawBufferPointer(rebasing: content[offset..<end]).copyMemory(from: bytes)
            }
        }
    }
}
