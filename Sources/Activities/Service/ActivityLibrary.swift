public import Basics
public import Lottery

/// The folders that admins import activities from and export them to.
public protocol ActivityLibrary: Sendable {
    /// Reads an activity file.
    ///
    /// - Parameter name: A file name without a path; anything else is refused.
    func activity(inFile name: String) -> Result<Activity, ImportRefusal>

    /// Writes an activity's ledger and winners, replacing files of the same names.
    ///
    /// - Returns: The names of the files, without their folder.
    /// - Throws: When a file cannot be written or the store cannot be read.
    func export(_ activity: ActivityID, from store: any Store) async throws -> [String]
}
