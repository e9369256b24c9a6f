"""The official QQ bot: NoneBot's adapter checks what we check, answers what we answer, and makes the calls we make."""

import asyncio
import itertools
import json
import time
from datetime import datetime, timedelta, timezone

import nonebot
from nacl.signing import SigningKey
from nonebot.adapters.qq import Adapter, Bot, GroupAtMessageCreateEvent
from nonebot.adapters.qq.config import BotInfo
from nonebot.adapters.qq.models import WebhookVerify
from nonebot.drivers import Request

from support import HOSTILE_NAME, Server, StubAPI, check_contains, check_only_binding, check_same, run

PATH = "/webhook/qq"
APP_ID = "102000001"
SECRET = "interop-qq-bot-0001"
ACCESS_TOKEN = "interop-qq-access-token-0001"
numbers = itertools.count(1)


def playing():
    def answer(call):
        if call.path == "/app/getAppAccessToken":
            if call.json() != {"appId": APP_ID, "clientSecret": SECRET}:
                return 200, {"code": 100016, "message": "invalid appid or secret"}
            return 200, {"access_token": ACCESS_TOKEN, "expires_in": "7200"}
        if call.headers["Authorization"] != f"QQBot {ACCESS_TOKEN}":
            return 401, {"code": 11243, "message": "token not pass"}
        return 200, {"id": "sent", "timestamp": "2026-01-02T20:00:00+08:00"}

    with StubAPI(answer) as api:
        token_url = api.url + "/app/getAppAccessToken"
        settings = {
            "app_id": APP_ID, "bot_secret": SECRET, "api_url": api.url, "token_url": token_url, "reply_interval_ms": 0,
        }
        nonebot.init(driver="~aiohttp", qq_api_base=api.url + "/", qq_auth_base=token_url, log_level="CRITICAL")
        adapter = Adapter(nonebot.get_driver())
        bot = Bot(adapter, APP_ID, BotInfo(id=APP_ID, secret=SECRET))
        with Server(qq=settings) as server:
            yield server, api, bot


def signed(body, secret=SECRET):
    """The platform's side: its key is the secret, repeated up to 32 bytes."""
    timestamp = str(int(time.time()))
    seed = (secret * 32).encode()[:32]
    return {
        "X-Bot-Appid": APP_ID, "X-Signature-Timestamp": timestamp,
        "X-Signature-Ed25519": SigningKey(seed).sign(timestamp.encode() + body.encode()).signature.hex(),
    }


def event(text, user, is_bot=False):
    number = next(numbers)
    now = datetime.now(timezone(timedelta(hours=8))).isoformat(timespec="seconds")
    return json.dumps({
        "op": 0, "id": f"GROUP_AT_MESSAGE_CREATE:{number}", "s": number, "t": "GROUP_AT_MESSAGE_CREATE",
        "d": {
            # The mention is cut out, the blank behind it stays.
            "id": f"ROBOT1.0_{number}", "content": f" {text}", "timestamp": now, "group_openid": "G1", "group_id": "G1",
            "author": {"id": user, "member_openid": user, "member_role": "member", "bot": is_bot},
        },
    }, ensure_ascii=False)


def refusal(bot, body, headers):
    return bot.adapter._check_signature(bot, Request("POST", "http://bot/qq/webhook", headers=headers, content=body))


def reply(server, api, bot, body):
    headers = signed(body)
    assert refusal(bot, body, headers) is None
    read = Adapter.payload_to_event(Adapter.data_to_payload(bot, body))
    assert isinstance(read, GroupAtMessageCreateEvent), read
    response = server.post(PATH, body.encode(), headers)
    check_same((response.status, response.json()["op"], response.json()["d"]), (200, 12, 0))
    return api.take("/messages")


def verification(plain_token, event_ts):
    return json.dumps({"op": 13, "d": {"plain_token": plain_token, "event_ts": event_ts}})


def test_the_address_is_confirmed_as_by_nonebot(server, api, bot):
    body = verification("Arq0D5A61EgUu4OxUvOp", "1725442341")
    payload = Adapter.data_to_payload(bot, body)
    assert isinstance(payload, WebhookVerify), payload
    expected = bot.adapter._webhook_verify(bot, payload)
    # Ed25519 signatures of one text are the same.
    for headers in ({"X-Bot-Appid": APP_ID}, signed(body)):
        response = server.post(PATH, body.encode(), headers)
        check_same((response.status, response.json()), (200, json.loads(expected.content)))


def test_the_confirmation_signs_no_events(server, api, bot):
    # NoneBot signs this; what it answers would be the signature of the event.
    forged = event("绑定 冒名", "MX")
    for plain_token, event_ts in ((forged, "1725442341"), ("Arq0D5A61EgUu4OxUvOp", "1725442341{")):
        response = server.post(PATH, verification(plain_token, event_ts).encode(), {"X-Bot-Appid": APP_ID})
        assert response.status in (400, 401, 403) and b"signature" not in response.body, response
    stranger = {"X-Bot-Appid": "102000002"}
    body = verification("Arq0D5A61EgUu4OxUvOp", "1725442341")
    assert server.post(PATH, body.encode(), stranger).status in (401, 403)


def test_a_player_binds_and_draws(server, api, bot):
    check_contains("绑定成功", reply(server, api, bot, event("绑定 独行者", "MA")).json()["content"])
    check_contains("恭喜中奖", reply(server, api, bot, event("抽奖", "MA")).json()["content"])


def test_a_message_delivered_again_is_answered_once(server, api, bot):
    reply(server, api, bot, event("绑定 连发", "MB"))
    draw = event("抽奖", "MB")
    check_contains("恭喜中奖", reply(server, api, bot, draw).json()["content"])
    check_same(server.post(PATH, draw.encode(), signed(draw)).status, 200)
    check_only_binding("连发", reply(server, api, bot, event("我的绑定", "MB")).json()["content"])


def test_the_reply_is_the_call_that_nonebot_makes(server, api, bot):
    ours = reply(server, api, bot, event(f"绑定 {HOSTILE_NAME}<@everyone>", "MC"))
    fields = ours.json()
    # A bracket or an @ could begin a mention; the one in front is the player's.
    mention = '<qqbot-at-user id="MC" />'
    assert not set("<@") & set(fields["content"].replace(mention, "")), fields
    asyncio.run(bot.post_group_messages(group_openid="G1", **fields))
    theirs = api.take("/messages")
    for part in (lambda call: call.method, lambda call: call.path, lambda call: call.headers["Authorization"]):
        check_same(part(ours), part(theirs))
    check_same(fields, {name: value for name, value in theirs.json().items() if name in fields})
    tokens = [api.take("/app/getAppAccessToken") for _ in range(2)]
    check_same(*((call.method, call.json()) for call in tokens))


def test_bots_are_left_alone(server, api, bot):
    body = event("抽奖", "MD", is_bot=True)
    check_same(server.post(PATH, body.encode(), signed(body)).status, 200)
    check_contains("还没有绑定", reply(server, api, bot, event("我的绑定", "ME")).json()["content"])


def test_both_accept_and_refuse_the_same_requests(server, api, bot):
    body = event("闲聊", "MF")
    right = signed(body)
    signature = right["X-Signature-Ed25519"]
    cases = {
        "as it is": (body, right),
        "another body": (event("闲聊", "MX"), right),
        "another secret": (body, signed(body, "interop-qq-bot-0002")),
        "another time": (body, {**right, "X-Signature-Timestamp": "1"}),
        "one bit": (body, {**right, "X-Signature-Ed25519": f"{int(signature, 16) ^ 256:0128x}"}),
        "a last byte that cannot be": (body, {**right, "X-Signature-Ed25519": signature[:126] + "ff"}),
        "half a signature": (body, {**right, "X-Signature-Ed25519": signature[:64]}),
        "no signature": (body, {name: right[name] for name in right if name != "X-Signature-Ed25519"}),
        "no time": (body, {name: right[name] for name in right if name != "X-Signature-Timestamp"}),
    }
    verdicts = set()
    for name, (text, headers) in cases.items():
        expected = refusal(bot, text, headers) is None
        status = server.post(PATH, text.encode(), headers).status
        assert status in ([200] if expected else [401, 403]), (name, status)
        verdicts.add(expected)
    check_same(verdicts, {True, False})


if __name__ == "__main__":
    run(playing)
