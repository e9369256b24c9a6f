"""Telegram: updates written by aiogram's models, and answers that it reads as a method of the Bot API."""

import itertools
from datetime import datetime, timezone

from aiogram import Bot, Dispatcher
from aiogram.methods import SendMessage
from aiogram.types import Chat, Message, Update, User
from aiogram.webhook.aiohttp_server import SimpleRequestHandler

from support import HOSTILE_NAME, Server, check_contains, check_same, run

PATH = "/webhook/telegram"
SECRET = "interop-telegram_key-0001"
BOT_TOKEN = "7000000001:interop-telegram_bot-0001"
GROUP = Chat(id=-1002200001111, type="supergroup", title="Guild")
numbers = itertools.count(1)


def playing():
    settings = {"secret_token": SECRET, "bot_username": "InteropDrawBot", "reply_interval_ms": 0}
    with Server(telegram=settings) as server:
        yield (server,)


def update(text, user, edited=False, is_bot=False, thread=None):
    number = next(numbers)
    now = datetime.now(timezone.utc)
    message = Message(
        message_id=number, date=now, chat=GROUP, text=text, from_user=User(id=user, is_bot=is_bot, first_name="Hana"),
        edit_date=int(now.timestamp()) if edited else None, message_thread_id=thread, is_topic_message=thread and True)
    whole = Update(
        update_id=910000000 + number, message=None if edited else message, edited_message=message if edited else None)
    # Telegram counts seconds.
    fields = whole.model_dump(mode="python", by_alias=True, exclude_none=True, exclude_unset=True)
    return whole.model_validate(fields).model_dump_json(by_alias=True, exclude_none=True, exclude_unset=True)


def post(server, body, secret=SECRET):
    headers = {} if secret is None else {"X-Telegram-Bot-Api-Secret-Token": secret}
    return server.post(PATH, body.encode(), headers)


def method(response):
    """The answer as a method; one that would be read as markup is a failure."""
    check_same((response.status, response.headers["Content-Type"]), (200, "application/json"))
    fields = response.json()
    check_same(fields.pop("method"), SendMessage.__api_method__)
    unknown = set(fields) - set(SendMessage.model_fields)
    assert not unknown, unknown
    call = SendMessage.model_validate(fields)
    assert "parse_mode" not in fields and "entities" not in fields, fields
    check_same(call.chat_id, GROUP.id)
    return call


def test_a_player_binds_and_draws(server):
    check_contains("绑定成功", method(post(server, update("绑定 独行者", 5550001))).text)
    drawn = method(post(server, update("/抽奖@InteropDrawBot", 5550001))).text
    check_contains("恭喜中奖", drawn)
    check_contains("金币 <x100> & [更多]", drawn)


def test_an_update_delivered_again_has_the_same_reply(server):
    method(post(server, update("绑定 连发", 5550002)))
    draw = update("抽奖", 5550002)
    replies = {method(post(server, draw)).text for _ in range(3)}
    assert len(replies) == 1, replies
    check_contains("恭喜中奖", replies.pop())


def test_a_reply_stays_in_its_topic(server):
    check_same(method(post(server, update("我的绑定", 5550003, thread=42))).message_thread_id, 42)


def test_a_name_that_looks_like_markup_calls_nobody(server):
    # An @ could call somebody.
    check_contains(HOSTILE_NAME.replace("@", "＠"), method(post(server, update(f"绑定 {HOSTILE_NAME}", 5550004))).text)


def test_edits_and_bots_are_left_alone(server):
    for body in (update("抽奖", 5550005, edited=True), update("抽奖", 5550006, is_bot=True)):
        response = post(server, body)
        check_same((response.status, response.body), (200, b""))


def test_both_accept_and_refuse_the_same_secrets(server):
    handler = SimpleRequestHandler(Dispatcher(), Bot(BOT_TOKEN), secret_token=SECRET)
    verdicts = set()
    for secret in (SECRET, SECRET.upper(), SECRET[:-1], SECRET + "1", "", None):
        expected = handler.verify_secret(secret or "", handler.bot)
        check_same((secret, post(server, update("闲聊", 5550007), secret).status), (secret, 200 if expected else 401))
        verdicts.add(expected)
    check_same(verdicts, {True, False})


if __name__ == "__main__":
    run(playing)
