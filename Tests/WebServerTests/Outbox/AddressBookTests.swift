import Activities
import Basics
import ChatPlatforms
import Testing

@testable import WebServer

struct AddressBookTests {
    private let now = Instant(milliseconds: 1_800_000_000_000)

    private func address(_ chat: String) -> StoredAddress {
        StoredAddress(endpoint: "telegram", address: ReplyAddress(chat: chat, isPrivate: false, user: "1"))
    }

    @Test func whoWaitsIsFoundOnceAtTheirLatestAddress() {
        let book = AddressBook()
        #expect(!book.noteWaiting("qq:1", at: address("a"), now: now))
        #expect(!book.noteWaiting("qq:1", at: address("b"), now: now))
        #expect(book.takeWaiting("qq:1", now: now) == address("b"))
        #expect(book.takeWaiting("qq:1", now: now) == nil)
    }

    @Test func aTurnThatCameBeforeTheAddressIsToldAtOnceForAWhile() {
        let book = AddressBook()
        #expect(book.takeWaiting("qq:1", now: now) == nil)
        #expect(book.noteWaiting("qq:1", at: address("a"), now: now))
        #expect(!book.noteWaiting("qq:1", at: address("a"), now: now))
        #expect(book.takeWaiting("qq:2", now: now) == nil)
        #expect(!book.noteWaiting("qq:2", at: address("a"), now: now.advanced(bySeconds: 10)))
    }

    @Test func whoIsForgottenIsNowhere() {
        let book = AddressBook()
        _ = book.noteWaiting("qq:1", at: address("a"), now: now)
        book.noteAdmin("qq:1", at: address("a"))
        book.noteAdmin("qq:2", at: address("b"))
        book.forget("qq:1")
        #expect(book.takeWaiting("qq:1", now: now) == nil)
        #expect(book.adminAddresses == [address("b")])
    }

    @Test func aFullBookLeavesOutWhoHasGone() {
        let book = AddressBook()
        for number in 0..<AddressBook.capacity {
            _ = book.noteWaiting(UserID("qq:\(number)"), at: address("a"), now: now)
        }
        #expect(!book.noteWaiting("qq:new", at: address("b"), now: now))
        #expect(book.takeWaiting("qq:new", now: now) == nil)
        let tomorrow = now.advanced(bySeconds: 86_400)
        #expect(!book.noteWaiting("qq:newer", at: address("b"), now: tomorrow))
        #expect(book.takeWaiting("qq:newer", now: tomorrow) == address("b"))
        #expect(book.takeWaiting("qq:1", now: tomorrow) == nil)
    }
}
