internal import Activities
internal import ArgumentParser
internal import OperatorSettings
internal import SQLiteStore
internal import WebServer

extension OperatorMessage {
    init(_ error: StoreError) {
        let chinese =
            switch error.code {
            case .locked:
                "数据库正被另一个 hongbao 使用，什么都没有改动。请先停止它，或用 --database 指定另一个文件；活动可在聊天里用“抽奖开始”“抽奖结束”“活动导入”管理。"
            case .foreign: "这个文件不是本版本 hongbao 的数据库，什么都没有改动。请用 --database 指定另一个文件。"
            case .corrupt: "数据库文件已损坏。请停止使用，保留该文件和它的 -wal 文件的副本，并恢复备份。"
            case .inaccessible: "数据库文件打不开或不能写，什么都没有改动。请检查路径和权限。"
            case .unusableSideFile:
                "数据库旁边的 .heads 文件（记着已经发出的结果）打不开、写不了，或者不是 hongbao 的文件，什么都没有改动。请检查权限，或把不是它的文件移走。"
            case .full: "磁盘已满。已经答复过的结果是安全的，最后一批没有写入。请腾出空间后重新启动。"
            case .diskFailed:
                "磁盘读写出错。已经答复过的结果是安全的，最后一批可能没有写入。请检查磁盘，备份数据库文件和它的 -wal 文件，再重新启动。"
            case .notDurable: "这里无法保证写入落盘（synchronous=FULL），为避免丢失中奖记录，程序不会启动。请换到本地磁盘。"
            case .constraint: "数据库的约束拒绝了最后一批，整批都没有写入。请重新启动，并确认没有其他程序在改动该文件。"
            case .failed: "数据库出错。已经答复过的结果是安全的，最后一批可能没有写入。请重新启动。"
            }
        self.init(chinese, error.description)
    }

    init(_ fault: ListeningFault) {
        let (key, host, port) = (fault.key, fault.host, fault.port)
        switch fault.reason {
        case .portInUse:
            self.init(
                "\(key)：端口 \(port) 已被另一个程序占用。请先停止它，或把 \(key) 换成别的端口。",
                "\(key): another program already listens on port \(port). Stop it, or set \(key) to another port.")
        case .notPermitted:
            self.init(
                "\(key)：没有权限监听端口 \(port)。请换成 1024 以上的端口。",
                "\(key): not permitted to listen on port \(port). Choose one from 1024 on.")
        case .addressUnknown:
            self.init(
                "\(key)：“\(host)”不是这台机器的地址，不能在上面监听。", "\(key): “\(host)” is no address of this machine to listen on.")
        case .other(let cause):
            self.init("\(key)：不能在 \(host) 的端口 \(port) 上监听。", "\(key): cannot listen on \(host), port \(port): \(cause)")
        }
    }

    /// `error` as a person can read it.
    static func describing(_ error: any Error) -> any Error {
        switch error {
        case let error as StoreError: OperatorMessage(error)
        case let error as OutdatedDatabase:
            OperatorMessage(error, confirmation: RestoreSubcommand.confirmation(error.database))
        case let error as ListeningFault: OperatorMessage(error)
        case is CancellationError:
            OperatorMessage(
                "未能按时结束，已强行停止。已经答复过的结果是安全的。", "It did not end in time and was stopped. What was answered is safe.")
        default: error
        }
    }
}
