#if DEBUG
    /// A deliberate fault in the core, switched on by a test that wants to know whether it would be found.
    ///
    /// Debug builds only: a program that is released has no trace of it.
    package enum Mutation: String, Sendable, CaseIterable {
        /// An award never looks gone.
        case skipStockCheck
        /// Everybody is answered before the batch is durable.
        case answerBeforeCommit
        /// Whoever came last is let in first.
        case promoteOutOfOrder
        /// A message that is delivered again is taken for a new one.
        case forgetMessageID

        /// The fault of this task and its children; nil, as everywhere but in that test: none.
        @TaskLocal package static var current: Mutation?
    }
#endif
