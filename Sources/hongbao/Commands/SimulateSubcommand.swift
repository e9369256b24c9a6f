internal import Activities
internal import ActivityFiles
internal import ArgumentParser
internal import Basics
internal import ChatCommands
internal import Foundation
internal import Lottery
internal import OperatorSettings

/// `hongbao simulate`: what an activity would give out, before it starts.
struct SimulateSubcommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "开始之前先看会发出多少奖品。Shows what would be given out.")

    @Argument(help: "活动文件（YAML）。The activity file.")
    var file: String

    @Option(help: "预计参加人数。How many users come.")
    var users: Int

    @Option(help: "随机种子，相同的种子给出相同的结果。Repeats a result.")
    var seed: UInt64?

    mutating func validate() throws {
        guard (1...Simulation.maximumUserCount).contains(users) else {
            let maximum = Simulation.maximumUserCount
            throw ValidationError("--users 应在 1 到 \(maximum) 之间。--users must be within 1…\(maximum).")
        }
    }

    mutating func run() async throws {
        try RegularFile.check(file)
        let folders = ActivityFolders(activities: ".", exports: ".", acceptsPaths: true)
        let activity: Activity
        switch folders.activity(inFile: file) {
        case .success(let parsed): activity = parsed
        case .failure(let fault):
            let words = try HongbaoConfiguration().replyWriter()
            throw RefusedCommand(text: words.text(for: .init(.badArgument(fault.refusal)), role: .admin))
        }
        if Terminal.hasErrorReader { FileHandle.standardError.write(Data("正在模拟… simulating…\r".utf8)) }
        var randomness = SeededGenerator(seed: seed ?? .random(in: .min ... .max))
        print(SimulationReport.text(simulate(activity, users: users, randomness: &randomness), activity))
    }
}

/// What `hongbao simulate` prints.
enum SimulationReport {
    static func text(_ simulation: Simulation, _ activity: Activity) -> String {
        var lines = [
            "\(activity.name)：\(simulation.userCount) 人，每人最多 \(simulation.attemptsPerUser) 次，模拟 \(simulation.runCount) 遍",
            "\(simulation.userCount) users, at most \(simulation.attemptsPerUser) attempts each, \(simulation.runCount) runs",
        ]
        if activity.maxAttempts == nil {
            lines.append("（未设 max_attempts：按每人一次计算。Without max_attempts each user draws once here.）")
        }
        for (award, result) in zip(activity.awards, simulation.awards) {
            let name = awardText(prefix: award.prefix, name: award.name)
            let stock = award.kind == .DI_BAO ? "不限 unlimited" : "\(award.number)"
            lines.append(
                "\(name) [\(award.id)]：库存 stock \(stock)，发出 given \(rounded(result.meanCount))"
                    + "（\(result.minimumCount)–\(result.maximumCount)），首抽概率 odds \(percent(result.oddsAtStart))")
            if award.kind == .DI_BAO || award.number == 0 { continue }
            if let draw = result.meanRanOutDraw {
                lines.append(
                    "    \(percent(result.ranOutShare)) 的模拟里发完，平均在第 \(rounded(draw)) 次抽奖 "
                        + "runs out in \(percent(result.ranOutShare)) of the runs, on average at draw \(rounded(draw))")
            } else {
                lines.append("    从未发完 never runs out")
            }
        }
        lines.append(
            "未中 misses \(rounded(simulation.meanMissCount)) / 抽奖 draws \(rounded(simulation.meanDrawCount))，"
                + "首抽未中概率 \(percent(simulation.missOddsAtStart))")
        if activity.diBaoIndex == nil, simulation.missOddsAtStart > 0 {
            lines.append("提示：没有低保，有人会空手而归。There is no 低保: some will win nothing.")
        }
        return lines.joined(separator: "\n")
    }

    private static func rounded(_ value: Double) -> String {
        let tenths = (value * 10).rounded() / 10
        return tenths == tenths.rounded() ? String(Int(tenths)) : String(tenths)
    }

    private static func percent(_ share: Double) -> String {
        let value = (share * 1_000_000).rounded() / 10_000
        return (value == value.rounded() ? String(Int(value)) : String(value)) + "%"
    }
}
