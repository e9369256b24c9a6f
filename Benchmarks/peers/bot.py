"""The bot that is usually written for such an activity: NoneBot2, its OneBot 11 adapter, SQLAlchemy on SQLite.

    bot.py serve --database FILE --token TOKEN --users FILE   binds the users of a file, then serves
    bot.py check --database FILE                              says as JSON what is in the database

Written as the documents of its parts show it, and not slowed down: one transaction for each draw, WAL, prepared
connections, no log. What it keeps of a draw is what hongbao keeps: the message, the win, the stock, a chained ledger.
"""

import argparse
import hashlib
import json
import random
import socket
import sqlite3
import sys

from sqlalchemy import ForeignKey, create_engine, event, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker


class Base(DeclarativeBase):
    pass


class Binding(Base):
    __tablename__ = "binding"
    user_id: Mapped[int] = mapped_column(primary_key=True)
    game_id: Mapped[str]


class Award(Base):
    __tablename__ = "award"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    weight: Mapped[float]
    remaining: Mapped[int]


class Win(Base):
    __tablename__ = "win"
    user_id: Mapped[int] = mapped_column(primary_key=True)
    award_id: Mapped[int] = mapped_column(ForeignKey("award.id"))
    game_id: Mapped[str]


class LedgerEntry(Base):
    __tablename__ = "ledger"
    number: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    digest: Mapped[str]


class ProcessedMessage(Base):
    __tablename__ = "message"
    id: Mapped[str] = mapped_column(primary_key=True)
    reply: Mapped[str]


AWARDS = [(1, "gold", 0.5, 1), (2, "silver", 3, 1_000_000), (3, "bronze", 12, 10_000_000), (4, "lucky", 30, 100_000_000)]
# For everybody else, without an end.
CONSOLATION = 5


def prepare(database: str, users: str) -> None:
    """Makes the tables and binds users, past the bot: that is not what is measured."""
    engine = create_engine(f"sqlite:///{database}")
    Base.metadata.create_all(engine)
    engine.dispose()
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executemany("INSERT INTO award VALUES (?, ?, ?, ?)", AWARDS + [(CONSOLATION, "bao", 0, 1 << 40)])
        with open(users) as lines:
            connection.executemany("INSERT INTO binding VALUES (?, ?)", ((int(line), f"角色{line[-9:-1]}") for line in lines))
    connection.close()


def serve(database: str, port: int, token: str) -> None:
    import nonebot
    from nonebot import on_command
    from nonebot.adapters.onebot.v11 import Adapter, MessageEvent
    from nonebot.params import CommandArg

    nonebot.init(
        driver="~fastapi", host="127.0.0.1", port=port, log_level="CRITICAL", command_start={""},
        onebot_access_token=token,
    )
    driver = nonebot.get_driver()
    driver.register_adapter(Adapter)

    engine = create_engine(f"sqlite:///{database}", connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def configure(connection, _):
        cursor = connection.cursor()
        # As hongbao: on disk before the answer.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA cache_size = -65536")
        cursor.execute("PRAGMA wal_autocheckpoint = 16000")
        cursor.close()

    sessions = sessionmaker(engine, expire_on_commit=False)
    ledger_head = ""

    binding_command = on_command("绑定")
    draw_command = on_command("抽奖")

    @binding_command.handle()
    async def _(message: MessageEvent, argument=CommandArg()):
        game_id = argument.extract_plain_text().strip()
        with sessions.begin() as session:
            session.merge(Binding(user_id=message.user_id, game_id=game_id))
        await binding_command.finish(f"绑定成功：{game_id}")

    # Not as a coroutine: SQLite has one writer, and a thread for it would halve what the bot answers.
    def draw(message: MessageEvent) -> str:
        nonlocal ledger_head
        with sessions.begin() as session:
            if known := session.get(ProcessedMessage, f"{message.self_id}:{message.message_id}"):
                return known.reply
            binding = session.get(Binding, message.user_id)
            if binding is None:
                return "您还没有绑定角色"
            if session.get(Win, message.user_id):
                return "您已经中过奖了"
            awards = (session.scalars(select(Award).order_by(Award.id))).all()
            won = awards[-1]
            for award in awards:
                if award.remaining > 0 and random.random() * 100 < award.weight:
                    won = award
                    break
            session.execute(
                update(Award).where(Award.id == won.id, Award.remaining > 0).values(remaining=Award.remaining - 1))
            text = f"{message.user_id} {won.name} {message.time}"
            digest = hashlib.sha256((ledger_head + text).encode()).hexdigest()
            reply = f"恭喜中奖！【bench】您抽中了：奖 {won.name}\n编号：{digest[:16]}，可查验。"
            session.add(Win(user_id=message.user_id, award_id=won.id, game_id=binding.game_id))
            session.add(LedgerEntry(text=text, digest=digest))
            session.add(ProcessedMessage(id=f"{message.self_id}:{message.message_id}", reply=reply))
        ledger_head = digest
        return reply

    @draw_command.handle()
    async def _(message: MessageEvent):
        await draw_command.finish(draw(message))

    nonebot.run()


def check(database: str) -> None:
    connection = sqlite3.connect(database)
    [wins, users] = connection.execute("SELECT count(*), count(DISTINCT user_id) FROM win").fetchone()
    [entries] = connection.execute("SELECT count(*) FROM ledger").fetchone()
    taken = sum(
        number - remaining
        for (number, [remaining]) in zip(
            [award[3] for award in AWARDS] + [1 << 40], connection.execute("SELECT remaining FROM award ORDER BY id")))
    print(json.dumps({"wins": wins, "users": users, "ledger": entries, "taken": taken}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve", "check"])
    parser.add_argument("--database", required=True)
    parser.add_argument("--token")
    parser.add_argument("--users")
    options = parser.parse_args()
    if options.command == "check":
        check(options.database)
        sys.exit()
    prepare(options.database, options.users)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    print(f"http://127.0.0.1:{port}", file=sys.stderr, flush=True)
    serve(options.database, port, options.token)
