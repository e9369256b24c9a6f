internal import Activities
internal import Basics
internal import Lottery
internal import TestSupport
internal import TrafficGate

/// Who and what there is in one simulated event, and what they may say.
struct SimulatedWorld {
    static let admin: UserID = "qq:admin"
    static let endpoints = ["onebot", "telegram"]
    /// `network`: which of them the gate counts as one address.
    static let addresses: [(text: String?, network: Int?)] = [
        (nil, nil), ("192.0.2.1", 1), ("192.0.2.2", 2), ("2001:db8::1", 3), ("2001:db8::2", 3), ("2001:db8:0:1::1", 4),
    ]
    /// `account`: which spellings are one game account.
    static let gameIDs: [(gameID: GameID, account: Int)] = [
        ("剑侠客", 0), ("Dragon", 1), ("dragon", 1), ("ＤRAGON", 1), ("a1", 2), ("A1", 2), ("b", 3), ("c", 4), ("d", 5),
        ("e", 6), ("f f", 7), ("g", 8), ("h", 9), ("i", 10), ("j", 11), ("k", 12),
    ].map { (GameID(stored: $0.0), $0.1) }
    private static let accounts = Dictionary(uniqueKeysWithValues: gameIDs.map { ($0.gameID, $0.account) })

    let chats: [ChatID?]
    let users: [UserID]
    /// Pages' sessions; one is called like a user.
    let pages: [SessionID] = (1...8).map { SessionID("web:\($0)") }
    let webUsers: [UserID] = ["web:1", "web:2", "web:x"]
    let activityIDs: [ActivityID]

    init(_ random: inout SeededGenerator) {
        chats = [nil, "qq:100", "qq:200"]
        let count = random.below(3) == 0 ? 3 + random.below(4) : 6 + random.below(25)
        users = (1...count).map { $0.isMultiple(of: 5) ? UserID("tg:\($0)") : UserID("qq:\($0)") }
        activityIDs = Array(["spring", "lantern-2", "x.y_z"].prefix(1 + random.below(3)))
    }

    static func account(of gameID: GameID) -> Int? { accounts[gameID] }

    // MARK: Activities

    /// A form of the activity's file; each call gives another.
    func activity(_ index: Int, now: Instant, _ random: inout SeededGenerator) -> Activity {
        var awards: [ActivityAward] = []
        let percents = ["0", "1", "1", "5", "5", "10", "33.3333", "100"]
        for award in 0..<(1 + random.below(3)) {
            let isOnly = random.below(4) == 0
            awards.append(
                ActivityAward(
                    id: AwardID("w\(award)"), kind: isOnly ? .ONLY : .NORNAL,
                    percent: Percent(percents[random.below(percents.count)]) ?? .zero, prefix: "\(award) 等奖",
                    name: random.below(12) == 0 ? "改名" : "奖品 \(award)",
                    number: isOnly && random.below(10) > 0 ? 1 : random.below(7)))
        }
        if random.below(4) == 0 { awards.append(ActivityAward(id: "bao", kind: .DI_BAO, prefix: "低保", name: "金币")) }
        if random.below(3) == 0 { awards.shuffle(using: &random) }
        let scopes: [Scope] = [.everywhere, .chats(["qq:100"]), .chats(["qq:200"]), .chats(["qq:100", "qq:200"])]
        func time(_ odds: Int, within seconds: Int) -> Instant? {
            random.below(odds) == 0 ? now.advanced(bySeconds: Int64(random.below(seconds))) : nil
        }
        return Activity(
            id: activityIDs[index], name: "活动 \(index)",
            scope: index == 0 ? scopes[random.below(3)] : scopes[random.below(4)],
            maxAttempts: [nil, nil, nil, 1, 3][random.below(5)], oneWinPerGameID: random.below(2) == 0,
            startsAt: time(5, within: 900), endsAt: time(5, within: 1800), awards: awards)
    }

    // MARK: The gate's configuration

    /// A key with a value that a small crowd notices; now and then one that must be refused.
    func setting(_ random: inout SeededGenerator) -> (key: String, value: String) {
        switch random.below(14) {
        case 0...2: ("max_concurrent_users", String(1 + random.below(random.below(2) == 0 ? 6 : 25)))
        case 3: ("queue_timeout_seconds", String(20 + random.below(280)))
        case 4: ("heartbeat_timeout_seconds", String(10 + random.below(110)))
        case 5: ("rush_hour_start", String(random.below(24)))
        case 6: ("rush_hour_end", String(random.below(24)))
        case 7: ("rush_hour_max_users", String(1 + random.below(12)))
        case 8: ("ip_max_sessions", String(random.below(4)))
        case 9: ("max_queue_length", String(random.below(10)))
        case 10: ("user_messages_per_minute", ["0", "0", "4", "12", "30"][random.below(5)])
        case 11: ("release_after_draw", random.below(2) == 0 ? "true" : "false")
        case 12: ("time_zone", random.below(2) == 0 ? "UTC" : "Asia/Shanghai")
        default:
            (
                ["max_concurrent_users", "no_such_key", "rush_hour_end"][random.below(3)],
                ["-1", "0x", "24"][random.below(3)]
            )
        }
    }

    // MARK: What is said

    func session(_ random: inout SeededGenerator) -> (request: SessionRequest, network: Int?) {
        let session = pages[random.below(pages.count)]
        let (text, network) = Self.addresses[random.below(Self.addresses.count)]
        switch random.below(5) {
        case 0, 1:
            let user: UserID? = [nil, nil, webUsers[random.below(webUsers.count)], users[random.below(users.count)]][
                random.below(4)]
            return (SessionRequest(session: session, action: .join(user: user, ipAddress: text)), network)
        case 2, 3: return (SessionRequest(session: session, action: .heartbeat), nil)
        default: return (SessionRequest(session: session, action: .leave), nil)
        }
    }

    /// Something that a player says; mostly 抽奖.
    func playerContent(seen receipts: [Receipt], _ random: inout SeededGenerator) -> MessageContent {
        switch random.below(100) {
        case ..<52: .command(.draw)
        case ..<68: .command(.bind(Self.gameIDs[random.below(Self.gameIDs.count)].gameID))
        case ..<70: .command(.unbind)
        case ..<72: .command(.myBinding)
        case ..<76: .command(.myWins)
        case ..<78: .command(.winners(page: 1 + random.below(3)))
        case ..<80: .command(.pool)
        case ..<81: .command(.activity)
        case ..<85: .command(.queue)
        case ..<90: .command(.leave)
        case ..<92: .command(.verify(receipt(receipts, &random)))
        case ..<93: .command(.help(nil))
        case ..<94: .command(.myData)
        case ..<96: .command(.eraseMyData)
        case ..<97: .badArgument(.bind, .missing)
        case ..<98: .unknown(suggestion: .draw, isAddressed: true)
        case ..<99: .command(.stop(activity: nil))
        default: .command(.void(receipt(receipts, &random), reason: "不是管理员"))
        }
    }

    func adminContent(seen receipts: [Receipt], _ random: inout SeededGenerator) -> MessageContent {
        let activity = activityIDs[random.below(activityIDs.count)]
        switch random.below(100) {
        case ..<24: return .command(.start(activity: activity.text))
        case ..<30: return .command(.stop(activity: random.below(3) == 0 ? nil : activity.text))
        case ..<42: return .command(.importActivity(file: "\(activity).yaml"))
        case ..<56:
            return .command(
                .setNumber(
                    activity: activity.text, award: random.below(8) == 0 ? "bao" : "w\(random.below(3))",
                    number: random.below(8)))
        case ..<72: return .command(.void(receipt(receipts, &random), reason: "重复账号"))
        case ..<86:
            let (key, value) = setting(&random)
            return .command(.setTraffic(key: key, value: value))
        case ..<88: return .command(.maintenance(isOn: true, reason: "升级"))
        case ..<96: return .command(.maintenance(isOn: false, reason: nil))
        case ..<97: return .command(.traffic)
        case ..<98: return .command(.activities)
        case ..<99: return .command(.export(activity: activity.text))
        default: return .badArgument(.setTraffic, .missing)
        }
    }

    private func receipt(_ seen: [Receipt], _ random: inout SeededGenerator) -> Receipt {
        if seen.isEmpty || random.below(10) == 0 {
            return Receipt(activity: activityIDs[0], seq: Int64(random.below(40)))
        }
        return seen[random.below(seen.count)]
    }
}
