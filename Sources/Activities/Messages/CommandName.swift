/// What can be asked for in chat. The raw value is the command's English name: in the audit log, in tests, in metrics.
///
/// - Source: spec.md section 4.
public enum CommandName: String, Hashable, Sendable, Codable, CaseIterable {
    /// 绑定
    case bind
    /// 解绑
    case unbind
    /// 我的绑定
    case myBinding = "binding"
    /// 抽奖
    case draw
    /// 中奖
    case myWins = "wins"
    /// 中奖汇总
    case winners
    /// 奖池
    case pool
    /// 活动
    case activity
    /// 排队
    case queue
    /// 离开
    case leave
    /// 验证
    case verify
    /// 帮助
    case help
    /// 我的数据
    case myData = "mydata"
    /// 删除我的数据
    case eraseMyData = "erase"
    /// 抽奖开始
    case start
    /// 抽奖结束
    case stop
    /// 活动列表
    case activities
    /// 活动导入
    case importActivity = "import"
    /// 奖品数量
    case setNumber = "number"
    /// 流量
    case traffic
    /// 流量设置
    case setTraffic = "set"
    /// 维护
    case maintenance
    /// 作废
    case void
    /// 导出
    case export

    /// Whether only an admin may run it.
    public var isForAdmins: Bool {
        switch self {
        case .start, .stop, .activities, .importActivity, .setNumber, .traffic, .setTraffic, .maintenance, .void,
            .export:
            true
        case .bind, .unbind, .myBinding, .draw, .myWins, .winners, .pool, .activity, .queue, .leave, .verify, .help,
            .myData, .eraseMyData:
            false
        }
    }
}
