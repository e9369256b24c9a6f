public import Basics

/// The virtual waiting room: decides who is in, who waits, and who is next.
///
/// A value without clock, randomness or I/O: the same calls give the same answers. Every mutating call with `now`
/// promotes the head of the queue while there is room, so that after it somebody waits only when the gate is full or in
/// maintenance. `now` should not go back; if it does, no time has passed.
///
/// What the specification leaves open is decided thus:
///
/// - A session's length is `leave_time - join_time`, waiting included, so that it can be recomputed from the table and
///   survives a restart. An expired session has a `leave_time` too: the tick that ended it.
/// - A sign of life from the future (the clock was set back) is pulled to the present by the next tick, so that no
///   place is held for the length of the error.
/// - With `max_queue_length` above 0 there may be more than ``maximumLiveSessions`` live sessions.
/// - Requests counted since the last row are lost with the process; sessions, places and order are not.
///
/// Copies share their storage until one of them changes, and then the whole of it is copied: hold one.
///
/// - Source: spec.md section 6.
public struct Gate: Sendable {
    /// Live sessions when `max_queue_length` is 0.
    public static let maximumLiveSessions = 1_000_000
    /// Rows behind ``GateSummary/averageSessionSeconds``: ten minutes of ticks.
    public static let summaryRowCount = 20
    /// How often ``tick(now:)`` is meant to be called.
    public static let tickSeconds = 30

    public private(set) var configuration: GateConfiguration
    /// Sessions that hold a place. May exceed the capacity after it was lowered.
    public private(set) var activeCount = 0

    /// A test lowers it.
    var liveSessionLimit = Gate.maximumLiveSessions

    private var slots: [Slot] = []
    private var freeSlots: [Int] = []
    /// Live sessions, and ended ones that a list still holds.
    private var slotOfSession: [SessionID: Int] = [:]
    /// Slots of a user whose session is not named like the user. A chat session is, so chat costs nothing here.
    private var slotsOfUser: [UserID: Set<Int>] = [:]
    /// Live sessions per address.
    private var addressCounts: [AddressGroup: Int] = [:]

    private var line = WaitingLine()
    private var nextTicket: UInt64 = 1
    private var measure = WaitMeasure()

    private var journal: [Int] = []
    private var touched: [Int] = []
    /// May name a session twice, or one that is no more.
    private var promoted: [SessionID] = []

    /// Timeouts count from here at the earliest: the start of the process, or the last end of maintenance.
    private var graceStart: Instant
    /// Capacity of a minute since 1970; nil when unknown.
    private var capacityOfMinute: (minute: Int64, capacity: Int)?

    private var totalRequests = 0
    private var rejectedRequests = 0
    private var endedLengths = SessionLengths()
    /// Of the last rows, oldest first.
    private var earlierLengths: [SessionLengths] = []

    /// - Parameters:
    ///   - restoring: The table's rows, then the journal's: of a session named twice the later counts. Ended ones are
    ///     ignored. What is restored is not listed as touched, so the caller brings the table up to date itself. Queued
    ///     ones keep the order of their tickets; where a ticket is missing, repeated or impossibly large, all get new
    ///     ones in the order of ticket, join time and session. Active ones stay even above the capacity.
    ///   - startedAt: Timeouts count from here at the earliest.
    public init(configuration: GateConfiguration, restoring: [Participant], startedAt: Instant) {
        self.configuration = configuration
        graceStart = startedAt
        restore(restoring)
        promote(now: startedAt, freedPlaces: 0)
    }
}

// MARK: - Sessions

extension Gate {
    /// A session wants in.
    ///
    /// A live session gets its state, and the call counts as its heartbeat; `user` and `ipAddress` are then not looked
    /// at. Anybody else gets a new place: active if there is room and nobody waits, else at the back of the queue. In
    /// maintenance nothing changes, also for a live session.
    ///
    /// - Parameters:
    ///   - user: Nil for an anonymous visitor.
    ///   - ipAddress: Nil (or empty) is not limited by `ip_max_sessions`.
    public mutating func join(_ session: SessionID, user: UserID?, ipAddress: String?, now: Instant) -> GateAnswer {
        if configuration.maintenanceMode { return .maintenance }
        let known = slotOfSession[session]
        if let known, slots[known].participant.status.isLive {
            refresh(known, now: now)
            promote(now: now, freedPlaces: 0)
            return answer(ofSlot: known)
        }

        promote(now: now, freedPlaces: 0)
        let address = AddressGroup(ipAddress)
        if let address, configuration.ipMaxSessions > 0,
            addressCounts[address, default: 0] >= configuration.ipMaxSessions
        {
            return .blocked(.ipSessions)
        }
        let mustWait = !line.isEmpty || activeCount >= capacity(at: now)
        if configuration.maxQueueLength > 0 {
            if mustWait, line.count >= configuration.maxQueueLength { return .blocked(.queueFull) }
        } else if activeCount + line.count >= liveSessionLimit {
            return .blocked(.queueFull)
        }

        var participant = Participant(
            session: session, user: user, ipAddress: ipAddress, joinTime: now, lastHeartbeat: now, status: .active)
        if mustWait {
            participant.status = .queued
            participant.ticket = nextTicket
            participant.queuePosition = line.count + 1
            nextTicket += 1
        }
        let slot = occupy(known, participant, address: address)
        markChanged(slot)
        measure.note(waiting: !line.isEmpty, now: now)
        return answer(ofSlot: slot)
    }

    /// A sign of life. Works in maintenance.
    ///
    /// - Returns: `blocked(.noSession)` unless the session is active or queued.
    public mutating func heartbeat(_ session: SessionID, now: Instant) -> GateAnswer {
        guard let slot = slotOfSession[session], slots[slot].participant.status.isLive else {
            promote(now: now, freedPlaces: 0)
            return .blocked(.noSession)
        }
        refresh(slot, now: now)
        promote(now: now, freedPlaces: 0)
        return answer(ofSlot: slot)
    }

    /// Gives up the place, in the gate or in the queue. Works in maintenance.
    ///
    /// - Returns: False if there was no live session; nothing has changed then.
    public mutating func leave(_ session: SessionID, now: Instant) -> Bool {
        guard let slot = slotOfSession[session], slots[slot].participant.status.isLive else {
            promote(now: now, freedPlaces: 0)
            return false
        }
        let freed = end(slot, as: .left, now: now)
        promote(now: now, freedPlaces: freed)
        return true
    }

    /// Forgets a user's sessions: they leave, and no list handed out later mentions them. The caller deletes the rows.
    ///
    /// A session belongs to the user if it joined with them, or if it is named like them and joined without anybody
    /// (not in the namespace `web`, where pages choose their names).
    ///
    /// - Returns: The sessions forgotten, sorted by bytes, ended ones included that were still in memory.
    public mutating func erase(user: UserID, now: Instant) -> [SessionID] {
        var owned = Array(slotsOfUser[user] ?? [])
        if let slot = slotOfSession[SessionID(user.text)] {
            let owner = slots[slot].participant.user
            if owner == user || (owner == nil && user.namespace != "web") { owned.append(slot) }
        }
        var freed = 0
        var sessions: [SessionID] = []
        for slot in owned.sorted() {
            if slots[slot].participant.status.isLive { freed += end(slot, as: .left, now: now) }
            sessions.append(slots[slot].participant.session)
            forget(slot)
        }
        promote(now: now, freedPlaces: freed)
        return sessions.sorted()
    }

    /// Lets a live session serve one user only: whoever acted in it first, or whom it joined for.
    ///
    /// - Returns: False when the session is somebody else's, or not live; nothing has changed then.
    public mutating func claim(_ session: SessionID, for user: UserID) -> Bool {
        guard let slot = slotOfSession[session], slots[slot].participant.status.isLive else { return false }
        if let owner = slots[slot].participant.user { return owner == user }
        slots[slot].participant.user = user
        if !Self.isNamed(session, like: user) { slotsOfUser[user, default: []].insert(slot) }
        markChanged(slot)
        return true
    }

    /// A live session's state without refreshing it; nil when there is none.
    ///
    /// - Complexity: O(log *n*) for a queued session.
    public func answer(for session: SessionID) -> GateAnswer? {
        guard let slot = slotOfSession[session], slots[slot].participant.status.isLive else { return nil }
        return answer(ofSlot: slot)
    }
}

// MARK: - The gate as a whole

extension Gate {
    /// Sessions that wait.
    public var queuedCount: Int { line.count }

    /// Takes a new configuration at once. Lowering the capacity throws nobody out; raising it promotes. The end of
    /// maintenance is a new start for every timeout.
    public mutating func configure(_ configuration: GateConfiguration, now: Instant) {
        if self.configuration.maintenanceMode, !configuration.maintenanceMode { graceStart = now }
        self.configuration = configuration
        capacityOfMinute = nil
        promote(now: now, freedPlaces: 0)
        measure.note(waiting: !line.isEmpty && !configuration.maintenanceMode, now: now)
    }

    /// Ends what has been silent for longer than its timeout, promotes, and closes a statistics row. Every 30 seconds,
    /// or whenever: everything counts from what was. In maintenance only the row is written.
    ///
    /// - Complexity: O(*n*) in all sessions in memory, O(log *n*) more for each that expires or is promoted.
    public mutating func tick(now: Instant) -> GateStatistics {
        graceStart = min(graceStart, now)
        var freed = 0
        let mayExpire = !configuration.maintenanceMode
        let activeTimeout = Self.milliseconds(seconds: configuration.heartbeatTimeoutSeconds)
        let queueTimeout = Self.milliseconds(seconds: configuration.queueTimeoutSeconds)
        for slot in slots.indices {
            let status = slots[slot].participant.status
            guard status.isLive else { continue }
            if slots[slot].participant.lastHeartbeat > now { refresh(slot, now: now) }
            let silence = now.milliseconds(since: max(slots[slot].participant.lastHeartbeat, graceStart))
            if mayExpire, silence > (status == .active ? activeTimeout : queueTimeout) {
                freed += end(slot, as: .expired, now: now)
            }
        }
        promote(now: now, freedPlaces: freed)
        measure.tick(now: now)

        let row = GateStatistics(
            at: now, activeUsers: activeCount, queuedUsers: line.count, totalRequests: totalRequests,
            rejectedRequests: rejectedRequests, averageSessionSeconds: endedLengths.meanSeconds)
        totalRequests = 0
        rejectedRequests = 0
        earlierLengths.append(endedLengths)
        if earlierLengths.count > Self.summaryRowCount { earlierLengths.removeFirst() }
        endedLengths = SessionLengths()
        return row
    }

    /// What a newcomer would meet.
    public func check(now: Instant) -> GateCheck {
        let capacity = peekCapacity(at: now)
        if configuration.maintenanceMode {
            return GateCheck(
                status: .maintenance, currentUsers: activeCount, maxUsers: capacity,
                retryAfterSeconds: 2 * Self.tickSeconds)
        }
        guard activeCount >= capacity || !line.isEmpty else {
            return GateCheck(status: .ok, currentUsers: activeCount, maxUsers: capacity)
        }
        let wait = wait(atPosition: line.count + 1)
        let retryAfter =
            switch wait {
            case .unknown: Self.tickSeconds
            case .seconds(let range): min(range.lowerBound, 2 * Self.tickSeconds)
            }
        return GateCheck(
            status: .crowded, currentUsers: activeCount, maxUsers: capacity, queuePosition: line.count + 1, wait: wait,
            retryAfterSeconds: retryAfter)
    }

    /// What 流量 shows.
    public func summary(now: Instant) -> GateSummary {
        var lengths = endedLengths
        for earlier in earlierLengths { lengths.add(earlier) }
        return GateSummary(
            activeUsers: activeCount, queuedUsers: line.count, capacity: peekCapacity(at: now),
            maintenance: configuration.maintenanceMode, totalRequests: totalRequests,
            rejectedRequests: rejectedRequests,
            averageSessionSeconds: lengths.meanSeconds, wait: wait(atPosition: line.count + 1))
    }

    /// Counts a player's request for the next row; once per request, whatever it calls here.
    ///
    /// - Parameter rejected: Refused for maintenance, block or limits.
    public mutating func recordRequest(rejected: Bool) {
        totalRequests += 1
        if rejected { rejectedRequests += 1 }
    }
}

// MARK: - What the caller writes and tells

extension Gate {
    /// Sessions whose status changed since the last call (join, queue, promote, leave, expire), each once in its final
    /// state, in the order of their first change: for the journal written in every batch.
    public mutating func takeJournal() -> [Participant] {
        let slots = journal
        journal.removeAll(keepingCapacity: true)
        return slots.compactMap { take($0, from: .journal) }
    }

    /// Every session touched since the last call, heartbeats included, sorted by the bytes of its id: for the table,
    /// written at each tick and at the close. Ended sessions are forgotten here (once ``takeJournal()`` has handed them
    /// out too).
    ///
    /// - Complexity: O(*n* log *n*) in the sessions touched.
    public mutating func takeTouched() -> [Participant] {
        // Sixteen bytes decide nearly every comparison; the ids themselves are compared only when they do not.
        let sorted = touched.map { slot in (prefix: Self.sortPrefix(slots[slot].participant.session), slot: slot) }
            .sorted { left, right in
                if left.prefix != right.prefix { return left.prefix < right.prefix }
                return slots[left.slot].participant.session < slots[right.slot].participant.session
            }
        touched.removeAll(keepingCapacity: true)
        return sorted.compactMap { take($0.slot, from: .touched) }
    }

    /// How many sessions ``takeTouched()`` would give, those erased meanwhile included.
    public var touchedCount: Int { touched.count }

    /// Sessions promoted from the queue since the last call and still active by it, first promoted first: for telling
    /// them.
    public mutating func takePromoted() -> [Participant] {
        let listed = promoted
        promoted.removeAll(keepingCapacity: true)
        // From the back, because of a session promoted twice the second time counts.
        let news = listed.reversed().compactMap { session -> Participant? in
            guard let slot = slotOfSession[session], slots[slot].marks.contains(.promotedNow) else { return nil }
            slots[slot].marks.remove(.promotedNow)
            return slots[slot].participant
        }
        return news.reversed()
    }

    private mutating func take(_ slot: Int, from list: Slot.Marks) -> Participant? {
        let participant = slots[slot].marks.contains(.forgotten) ? nil : slots[slot].participant
        slots[slot].marks.remove(list)
        releaseIfUnused(slot)
        return participant
    }

    /// The first sixteen bytes as one number; shorter ids are filled up with zeros.
    private static func sortPrefix(_ session: SessionID) -> UInt128 {
        var prefix: UInt128 = 0
        var count = 0
        for byte in session.text.utf8.prefix(16) {
            prefix = prefix << 8 | UInt128(byte)
            count += 1
        }
        return prefix << (8 * UInt128(16 - count))
    }
}

// MARK: - Slots

extension Gate {
    /// Where one session is kept. Slots are reused, but only once no list holds them.
    private struct Slot: Sendable {
        struct Marks: OptionSet, Sendable {
            let rawValue: UInt8
            static let journal = Marks(rawValue: 1)
            static let touched = Marks(rawValue: 2)
            /// In either list.
            static let listed: Marks = [.journal, .touched]
            /// Active by a promotion that nobody has been told of.
            static let promotedNow = Marks(rawValue: 4)
            /// Erased: the lists that still hold the slot pass it over.
            static let forgotten = Marks(rawValue: 8)
        }

        var participant: Participant
        var marks: Marks = []
        /// In the line; without meaning unless queued.
        var lane = 0
    }

    /// Puts a live participant into `known` (its ended predecessor's slot) or a new slot, and into the line if it
    /// waits.
    private mutating func occupy(_ known: Int?, _ participant: Participant, address: AddressGroup?) -> Int {
        let slot: Int
        if let known {
            slot = known
            disown(known)
            slots[known].participant = participant
        } else if let free = freeSlots.popLast() {
            slot = free
            slots[free].participant = participant
        } else {
            slot = slots.count
            slots.append(Slot(participant: participant))
        }
        if known == nil { slotOfSession[participant.session] = slot }
        if let user = participant.user, !Self.isNamed(participant.session, like: user) {
            slotsOfUser[user, default: []].insert(slot)
        }
        if let address { addressCounts[address, default: 0] += 1 }
        if participant.status == .queued {
            if let moved = line.compactIfFull() {
                for (lane, moved) in moved.enumerated() { slots[moved].lane = lane }
            }
            slots[slot].lane = line.append(slot)
        } else {
            activeCount += 1
        }
        return slot
    }

    /// - Returns: How many places became free: 1 or 0.
    private mutating func end(_ slot: Int, as status: ParticipantStatus, now: Instant) -> Int {
        let wasActive = slots[slot].participant.status == .active
        let joinTime = slots[slot].participant.joinTime
        if wasActive {
            activeCount -= 1
            endedLengths.add(now.milliseconds(since: joinTime))
        } else {
            line.remove(lane: slots[slot].lane)
            slots[slot].participant.ticket = nil
            slots[slot].participant.queuePosition = nil
        }
        slots[slot].participant.status = status
        slots[slot].participant.leaveTime = max(now, joinTime)
        slots[slot].marks.remove(.promotedNow)
        if let address = AddressGroup(slots[slot].participant.ipAddress), let count = addressCounts[address] {
            addressCounts[address] = count > 1 ? count - 1 : nil
        }
        markChanged(slot)
        return wasActive ? 1 : 0
    }

    private mutating func refresh(_ slot: Int, now: Instant) {
        slots[slot].participant.lastHeartbeat = now
        markTouched(slot)
    }

    private mutating func markTouched(_ slot: Int) {
        guard !slots[slot].marks.contains(.touched) else { return }
        slots[slot].marks.insert(.touched)
        touched.append(slot)
    }

    private mutating func markChanged(_ slot: Int) {
        markTouched(slot)
        guard !slots[slot].marks.contains(.journal) else { return }
        slots[slot].marks.insert(.journal)
        journal.append(slot)
    }

    /// Drops everything that names the session or its user, at once.
    private mutating func forget(_ slot: Int) {
        slotOfSession[slots[slot].participant.session] = nil
        disown(slot)
        slots[slot].participant = Self.nobody
        slots[slot].marks.insert(.forgotten)
        releaseIfUnused(slot)
    }

    /// Frees the slot of an ended session that no list holds any more.
    private mutating func releaseIfUnused(_ slot: Int) {
        guard !slots[slot].participant.status.isLive, slots[slot].marks.isDisjoint(with: .listed) else { return }
        if !slots[slot].marks.contains(.forgotten) {
            slotOfSession[slots[slot].participant.session] = nil
            disown(slot)
            slots[slot].participant = Self.nobody
        }
        slots[slot].marks = []
        freeSlots.append(slot)
    }

    /// Takes the slot from its user's set.
    private mutating func disown(_ slot: Int) {
        guard let user = slots[slot].participant.user,
            !Self.isNamed(slots[slot].participant.session, like: user)
        else { return }
        slotsOfUser[user]?.remove(slot)
        if slotsOfUser[user]?.isEmpty == true { slotsOfUser[user] = nil }
    }

    private static func isNamed(_ session: SessionID, like user: UserID) -> Bool {
        session == SessionID(user.text)
    }

    /// What an unused slot holds.
    private static let nobody = Participant(
        session: "", joinTime: Instant(milliseconds: 0), lastHeartbeat: Instant(milliseconds: 0), status: .left)
}

// MARK: - Queue and capacity

extension Gate {
    /// While there is room, the head of the queue gets a place.
    ///
    /// - Parameter freedPlaces: How many sessions have just ended: only promotions that they made possible say how fast
    ///   the queue moves.
    private mutating func promote(now: Instant, freedPlaces: Int) {
        guard !configuration.maintenanceMode else { return }
        var count = 0
        if !line.isEmpty {
            let capacity = capacity(at: now)
            while activeCount < capacity, let slot = takeNext() {
                slots[slot].participant.status = .active
                slots[slot].participant.ticket = nil
                slots[slot].participant.queuePosition = nil
                slots[slot].participant.lastHeartbeat = now
                activeCount += 1
                count += 1
                markChanged(slot)
                slots[slot].marks.insert(.promotedNow)
                promoted.append(slots[slot].participant.session)
            }
        }
        measure.notePromotions(min(count, freedPlaces))
        measure.note(waiting: !line.isEmpty, now: now)
    }

    /// Takes whoever is next out of the line.
    private mutating func takeNext() -> Int? {
        #if DEBUG
            if Mutation.current == .promoteOutOfOrder { return line.popLast() }
        #endif
        return line.popFirst()
    }

    private func answer(ofSlot slot: Int) -> GateAnswer {
        if slots[slot].participant.status == .active { return .active }
        let position = line.rank(lane: slots[slot].lane)
        return .queued(Place(position: position, wait: wait(atPosition: position)))
    }

    private func wait(atPosition position: Int) -> WaitEstimate {
        // Nobody knows how long maintenance lasts.
        configuration.maintenanceMode ? .unknown : measure.estimate(position: position)
    }

    private mutating func capacity(at now: Instant) -> Int {
        let capacity = peekCapacity(at: now)
        capacityOfMinute = (floorDivide(now.milliseconds, 60_000), capacity)
        return capacity
    }

    private func peekCapacity(at now: Instant) -> Int {
        if let known = capacityOfMinute, known.minute == floorDivide(now.milliseconds, 60_000) { return known.capacity }
        return configuration.capacity(at: now)
    }

    private static func milliseconds(seconds: Int) -> Int64 {
        let (product, overflow) = Int64(seconds).multipliedReportingOverflow(by: 1000)
        return overflow ? .max : product
    }
}

// MARK: - Restart

extension Gate {
    private mutating func restore(_ rows: [Participant]) {
        var rowOfSession: [SessionID: Int] = [:]
        for (index, row) in rows.enumerated() { rowOfSession[row.session] = index }
        let live = rows.enumerated().filter { rowOfSession[$1.session] == $0 && $1.status.isLive }.map(\.element)

        for var participant in live where participant.status == .active {
            participant.leaveTime = nil
            participant.ticket = nil
            participant.queuePosition = nil
            _ = occupy(nil, participant, address: AddressGroup(participant.ipAddress))
        }

        let waiting = live.filter { $0.status == .queued }.sorted { left, right in
            if left.ticket != right.ticket { return left.ticket ?? .max < right.ticket ?? .max }
            if left.joinTime != right.joinTime { return left.joinTime < right.joinTime }
            return left.session < right.session
        }
        let tickets = waiting.compactMap(\.ticket)
        let areUsable =
            tickets.count == waiting.count && zip(tickets, tickets.dropFirst()).allSatisfy { $0 < $1 }
            && tickets.last ?? 0 <= UInt64(Int64.max) / 2
        if areUsable { nextTicket = (tickets.last ?? 0) + 1 }
        for var participant in waiting {
            participant.leaveTime = nil
            if !areUsable {
                participant.ticket = nextTicket
                nextTicket += 1
            }
            let slot = occupy(nil, participant, address: AddressGroup(participant.ipAddress))
            if !areUsable { markChanged(slot) }
        }
        measure.note(waiting: !line.isEmpty && !configuration.maintenanceMode, now: graceStart)
    }
}
