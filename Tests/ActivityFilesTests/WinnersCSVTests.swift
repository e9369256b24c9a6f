import ActivityFiles
import Basics
import Lottery
import Testing

struct WinnersCSVTests {
    private func line(gameID: String?, award: String = "一等奖 游戏主机") -> String {
        String(
            decoding: WinnersCSV.line(
                WinnersCSV.Winner(
                    receipt: Receipt(activity: "spring-2027", seq: 7), user: gameID == nil ? nil : "qq:10001",
                    gameID: gameID, award: award, at: Instant(milliseconds: 1_776_643_201_000))), as: UTF8.self)
    }

    @Test func fileBeginsWithAByteOrderMarkAndAHeader() {
        let file = WinnersCSV.render([])
        #expect(file.starts(with: [0xEF, 0xBB, 0xBF]))
        #expect(file == WinnersCSV.header)
        #expect(file.suffix(2) == [0x0D, 0x0A])
    }

    @Test func winIsOneLine() {
        #expect(
            line(gameID: "剑三大侠")
                == "\"spring-2027-7\",\"qq:10001\",\"剑三大侠\",\"一等奖 游戏主机\",\"2026-04-20 00:00:01.000\"\r\n")
        #expect(
            line(gameID: nil) == "\"spring-2027-7\",\"\",\"\",\"一等奖 游戏主机\",\"2026-04-20 00:00:01.000\"\r\n")
    }

    @Test func quotesCommasAndLineEndsStayInTheirCell() {
        #expect(line(gameID: "a\",\"b\r\nc").contains(",\"a\"\",\"\"b\r\nc\","))
    }

    /// hardening.md row 85.
    @Test(
        "hardening row 85: formulas get an apostrophe",
        arguments: [
            "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\u{FF1D}1", "\u{FF0B}1", "\u{FF0D}1", "\u{FF20}x",
            "\u{2212}1",
            " =1", "\u{3000}=1", "\u{200B}=1", "\u{FEFF}=1", "=cmd|' /C calc'!A0",
        ])
    func formulasGetAnApostrophe(_ text: String) {
        #expect(line(gameID: text).contains(",\"'\(text)\","))
        #expect(line(gameID: "x", award: text).contains(",\"'\(text)\","))
    }

    @Test(arguments: ["a=1", "1+1", "x-y", "me@home", "  a", "", "剑三"])
    func ordinaryTextsStayAsTheyAre(_ text: String) {
        #expect(line(gameID: text).contains(",\"\(text)\",\"一等奖"))
    }
}
