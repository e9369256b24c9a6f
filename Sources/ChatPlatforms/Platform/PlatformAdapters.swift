extension Platform {
    /// The type that speaks for the platform.
    public var adapterType: any PlatformAdapter.Type {
        switch self {
        case .webhook: StandardWebhooksAdapter.self
        case .onebot11: OneBot11Adapter.self
        case .satori: SatoriAdapter.self
        case .qq: QQAdapter.self
        case .telegram: TelegramAdapter.self
        case .discord: DiscordAdapter.self
        case .feishu: FeishuAdapter.self
        case .dingtalk: DingTalkAdapter.self
        case .wecom: WeComAdapter.self
        case .wechatOA: WeChatOAAdapter.self
        case .slack: SlackAdapter.self
        case .line: LINEAdapter.self
        case .mattermost: MattermostAdapter.self
        case .rocketchat: RocketChatAdapter.self
        case .matrix: MatrixAdapter.self
        case .onebot12: OneBot12Adapter.self
        }
    }
}
