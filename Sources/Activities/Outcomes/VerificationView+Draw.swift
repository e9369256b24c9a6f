internal import Basics
internal import Lottery

extension VerificationView {
    /// What `viewer` may see of a draw: the user in full only for its owner and admins, the salt only for its owner,
    /// the seed only once the round is closed.
    ///
    /// - Source: spec.md section 4, 验证.
    init(_ draw: StoredDraw, receipt: Receipt, activityName: String, viewer: UserID, isAdmin: Bool) {
        let entry = draw.entry
        let isOwner = entry.user == viewer
        let wonIndex = draw.rules.awards.firstIndex { $0.kind != .DI_BAO && $0.id == entry.award }
        var steps: [Step] = []
        if let user = entry.user, let seed = draw.seed {
            var words = DrawWords(
                seed: seed, activity: receipt.activity, round: entry.round, user: user, attempt: entry.attempt)
            for (index, award) in draw.rules.awards.enumerated() where award.kind != .DI_BAO {
                let word = words.word(at: index)
                steps.append(
                    Step(
                        award: AwardLabel(id: award.id, prefix: award.prefix, name: award.name), word: word,
                        threshold: award.percent.threshold,
                        fate: fate(ofHit: isHit(word, percent: award.percent), at: index, wonIndex: wonIndex)))
            }
        }
        let award = draw.rules.awards.first { $0.id == entry.award }
        self.init(
            activityName: activityName, receipt: receipt, round: Int(entry.round), attempt: Int(entry.attempt),
            drawnAt: draw.row.at, award: award.map { AwardLabel(id: $0.id, prefix: $0.prefix, name: $0.name) },
            isVoided: draw.voidedAt != nil, rowHash: draw.row.hash.hex, commitment: draw.commitment.hex,
            user: isOwner || isAdmin ? entry.user : nil,
            salt: isOwner ? entry.salt.map { hexText($0.bytes) } : nil, seed: draw.seed.map { hexText($0.bytes) },
            steps: steps)
    }
}

/// - Parameter wonIndex: The position of the award that was won by its word; nil for a miss and for 低保.
private func fate(ofHit isHit: Bool, at index: Int, wonIndex: Int?) -> VerificationView.Fate {
    if let wonIndex, index > wonIndex { return .notAsked }
    if index == wonIndex { return .won }
    return isHit ? .soldOut : .missed
}
