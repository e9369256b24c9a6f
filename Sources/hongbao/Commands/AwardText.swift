/// An award as the command line prints it: `一等奖 游戏主机`, or the name alone when there is no prefix.
func awardText(prefix: String, name: String) -> String {
    prefix.isEmpty ? name : "\(prefix) \(name)"
}
