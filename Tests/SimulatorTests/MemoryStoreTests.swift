import Activities
import TestSupport
import Testing

/// The model is a store: it keeps every promise of one.
struct MemoryStoreTests {
    @Test(arguments: StoreContract.checks)
    func promiseHoldsInMemory(check: StoreContract.Check) async throws {
        let disk = MemoryStore.Disk()
        let contract = StoreContract {
            StoreContract.FreshStore(MemoryStore(on: disk), reopen: { MemoryStore(on: disk) })
        }
        try await contract.run(check)
    }

    @Test func aStoreIsDeadOnceItsDiskWasOpenedAgain() async throws {
        let disk = MemoryStore.Disk()
        let old = MemoryStore(on: disk)
        let new = MemoryStore(on: disk)
        await #expect(throws: StoreError.self) { try await old.transact(FactQuery()) { _ in (Changes(), ()) } }
        try await new.transact(FactQuery()) { _ in (Changes(), ()) }
    }

    @Test func anotherProgramsEditIsToldOnce() async throws {
        let disk = MemoryStore.Disk()
        let store = MemoryStore(on: disk)
        func told() async throws -> Bool {
            try await store.transact(FactQuery()) { facts in (Changes(), facts.configuration != nil) }
        }
        #expect(try await told())
        #expect(try await !told())
        disk.editConfiguration("max_concurrent_users", to: "3")
        #expect(try await told())
        #expect(try await !told())
        #expect(try await store.load().configuration.first?.value == "3")
    }
}
