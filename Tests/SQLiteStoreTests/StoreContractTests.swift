import Activities
import SQLiteStore
import TestSupport
import Testing

struct StoreContractTests {
    @Test(arguments: StoreContract.checks)
    func promiseHoldsOnAFile(check: StoreContract.Check) async throws {
        let folder = try TemporaryFolder()
        let path = folder.path("hongbao.db")
        let contract = StoreContract {
            StoreContract.FreshStore(try SQLiteStore(path: path), reopen: { try SQLiteStore(path: path) })
        }
        try await contract.run(check)
    }

    @Test(arguments: StoreContract.checks.filter { !$0.needsReopening })
    func promiseHoldsInMemory(check: StoreContract.Check) async throws {
        try await StoreContract { StoreContract.FreshStore(try SQLiteStore()) }.run(check)
    }
}
