/// One text of a reply. The raw value is its key in the YAML files of Resources and in the operator's.
///
/// The one-line summaries of 帮助 are kept by command: ``CommandDeclaration/summaryKey``.
enum ReplyKey: String, CaseIterable, Sendable {
    case won
    case missed
    case missedLast = "missed_last"
    case missedUnlimited = "missed_unlimited"
    case alreadyWon = "already_won"
    case gameIDUsed = "game_id_used"
    case attemptsUsed = "attempts_used"
    case erasedBefore = "erased_before"
    case notBound = "not_bound"
    case noActivity = "no_activity"
    case queued
    case queueAhead = "queue.ahead"
    case queueFirst = "queue.first"
    case queueStillWaiting = "queue.still_waiting"
    case waitUnknown = "wait.unknown"
    case waitAboutSeconds = "wait.about_seconds"
    case waitSeconds = "wait.seconds"
    case waitAboutMinutes = "wait.about_minutes"
    case waitMinutes = "wait.minutes"
    case blockedIPSessions = "blocked.ip_sessions"
    case blockedQueueFull = "blocked.queue_full"
    case blockedNoSession = "blocked.no_session"
    case maintenance
    case maintenanceReason = "maintenance_reason"
    case rateLimited = "rate_limited"
    case busy
    case notPermitted = "not_permitted"
    case unknownCommand = "unknown_command"
    case unknownCommandSuggestion = "unknown_command.suggestion"
    case bound
    case boundChanged = "bound.changed"
    case unbound
    case binding
    case wins
    case winsNone = "wins.none"
    case winners
    case winnersNone = "winners.none"
    case winnersErased = "winners.erased"
    case listSeparator = "list_separator"
    case pool
    case activity
    case placeIn = "place.in"
    case placeNone = "place.none"
    case left
    case leftNone = "left.none"
    case promoted
    case noticeOpened = "notice.opened"
    case noticeClosed = "notice.closed"
    case noticeConflict = "notice.conflict"
    case noticeMissed = "notice.missed"
    case noticeConfigurationIgnored = "notice.configuration_ignored"
    case unreadableLine = "unreadable_line"
    case verification
    case verificationMissed = "verification.missed"
    case fateMissed = "fate.missed"
    case fateWon = "fate.won"
    case fateSoldOut = "fate.sold_out"
    case fateNotAsked = "fate.not_asked"
    case help
    case helpTopic = "help.topic"
    case helpUnknown = "help.unknown"
    case myData = "my_data"
    case erased
    case started
    case startWarningOddsGap = "start_warning.odds_gap"
    case startWarningUnlimitedAttempts = "start_warning.unlimited_attempts"
    case stopped
    case activities
    case activitiesNone = "activities.none"
    case activitiesNoneHere = "activities.none_here"
    case statusIdle = "status.idle"
    case statusActive = "status.active"
    case statusInactive = "status.inactive"
    case importedCreated = "imported.created"
    case importedReplaced = "imported.replaced"
    case importedUnchanged = "imported.unchanged"
    case numberSet = "number_set"
    case traffic
    case trafficSet = "traffic_set"
    case maintenanceSetOn = "maintenance_set.on"
    case maintenanceSetOff = "maintenance_set.off"
    case voided
    case exported
    case refusalArgument = "refusal.argument"
    case faultMissing = "fault.missing"
    case faultUnexpected = "fault.unexpected"
    case faultUnexpectedPath = "fault.unexpected_path"
    case faultTooLong = "fault.too_long"
    case faultNotPrintable = "fault.not_printable"
    case faultNotANumber = "fault.not_a_number"
    case faultOutOfRange = "fault.out_of_range"
    case faultNotAReceipt = "fault.not_a_receipt"
    case faultNotASwitch = "fault.not_a_switch"
    case refusalMessageTooLong = "refusal.message_too_long"
    case refusalMessageKeyReused = "refusal.message_key_reused"
    case refusalUnknownActivity = "refusal.unknown_activity"
    case refusalNothingOpen = "refusal.nothing_open"
    case refusalNotOpen = "refusal.not_open"
    case refusalUnknownAward = "refusal.unknown_award"
    case refusalAmbiguousAward = "refusal.ambiguous_award"
    case refusalCannotStart = "refusal.cannot_start"
    case startFaultAlreadyOpen = "start_fault.already_open"
    case startFaultNoAwards = "start_fault.no_awards"
    case startFaultOverlaps = "start_fault.overlaps"
    case startFaultOnlyNumber = "start_fault.only_number"
    case startFaultTwoDiBao = "start_fault.two_di_bao"
    case refusalNumberOfOnly = "refusal.number_of_only"
    case refusalNumberOfDiBao = "refusal.number_of_di_bao"
    case refusalNumberBelowIssued = "refusal.number_below_issued"
    case refusalUnknownReceipt = "refusal.unknown_receipt"
    case refusalNotAWin = "refusal.not_a_win"
    case refusalAlreadyVoided = "refusal.already_voided"
    case refusalUnknownSetting = "refusal.unknown_setting"
    case refusalSettingRange = "refusal.setting_range"
    case refusalSettingSwitch = "refusal.setting_switch"
    case refusalSettingZone = "refusal.setting_zone"
    case refusalImportFaults = "refusal.import_faults"
    case refusalFileNotFound = "refusal.file_not_found"
    case refusalFileUnreadable = "refusal.file_unreadable"
    case refusalImportWhileOpen = "refusal.import_while_open"
    case refusalImportDropsWonAward = "refusal.import_drops_won_award"
    case refusalImportBelowIssued = "refusal.import_below_issued"
    case refusalImportNameTaken = "refusal.import_name_taken"
    case refusalExportFailed = "refusal.export_failed"
    case awardLabel = "award_label"
}
