"""OneBot 11: NoneBot, which plays the same role, checks what we check and reads what we say."""

import contextlib
import hashlib
import hmac
import itertools
import json
import time

import nonebot
from nonebot.adapters.onebot.v11 import Adapter, GroupMessageEvent, Message, MessageSegment, PrivateMessageEvent
from nonebot.drivers import Request
from pydantic import TypeAdapter
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from support import HOSTILE_NAME, Server, check_contains, check_only_binding, check_same, run

PATH = "/webhook/onebot11"
SECRET = "interop-onebot11-hmac-key-0001"
ACCESS_TOKEN = "interop-onebot11-access-0001"
SELF_ID = 20001
GROUP = 88001
numbers = itertools.count(1)


def playing():
    nonebot.init(
        driver="~none", onebot_secret=SECRET, onebot_access_token=ACCESS_TOKEN, log_level="CRITICAL")
    adapter = Adapter(nonebot.get_driver())
    settings = {"secret": SECRET, "access_token": ACCESS_TOKEN, "reply_interval_ms": 0}
    with Server(onebot11=settings) as server:
        yield server, adapter


def message(text, user, group=GROUP, **more):
    """An event as an implementation reports it, which NoneBot reads as the message that it is."""
    place = {"message_type": "private", "sub_type": "friend"}
    if group:
        place = {"message_type": "group", "sub_type": "normal", "group_id": group, "anonymous": None}
    event = {
        "time": int(time.time()), "self_id": SELF_ID, "post_type": "message", "message_id": -next(numbers),
        "user_id": user, "font": 0, "sender": {"user_id": user, "nickname": "Hana", "role": "member"},
        "message": [{"type": "text", "data": {"text": text}}], "raw_message": str(Message([text])), **place, **more,
    }
    read = Adapter.json_to_event(event)
    assert isinstance(read, GroupMessageEvent if group else PrivateMessageEvent), read
    if not more:
        check_same(read.get_plaintext(), text)
    return event


def signed(body, secret=SECRET):
    """The specification's sender; NoneBot's check says whether this one is right."""
    code = hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
    return {"X-Self-ID": str(SELF_ID), "X-Signature": f"sha1={code}"}


def refusal(adapter, body, headers):
    answer = adapter._check_signature(Request("POST", "http://bot/", headers=headers, content=body))
    return answer and answer.status_code


def post(server, event):
    body = json.dumps(event).encode()
    return server.post(PATH, body, signed(body))


def quick_reply(response):
    """What the quick operation says: plain text, and nothing but a reply."""
    check_same(response.status, 200)
    operation = response.json()
    assert set(operation) <= {"reply", "auto_escape", "at_sender"}, operation
    check_same(operation["auto_escape"], True)
    assert isinstance(operation["reply"], str), operation
    return operation["reply"]


def test_a_player_binds_and_draws_by_posts(server, adapter):
    check_contains("绑定成功", quick_reply(post(server, message("绑定 独行者", 30001))))
    drawn = quick_reply(post(server, message("抽奖", 30001)))
    check_contains("恭喜中奖", drawn)
    check_contains("金币 <x100> & [更多]", drawn)


def test_a_private_message_is_answered(server, adapter):
    check_contains("独行者", quick_reply(post(server, message("我的绑定", 30001, group=None))))


def test_a_post_delivered_again_has_the_same_reply(server, adapter):
    post(server, message("绑定 连发", 30002))
    draw = message("抽奖", 30002)
    replies = {quick_reply(post(server, draw)) for _ in range(3)}
    assert len(replies) == 1, replies
    check_contains("恭喜中奖", replies.pop())


def test_cq_codes_and_mentions_are_read_as_nonebot_reads_them(server, adapter):
    # Bound by a message in the string format, behind a mention of the bot.
    text = "a&b [c],d"
    codes = str(MessageSegment.at(SELF_ID) + f" 绑定 {text}")
    check_same(codes, f"[CQ:at,qq={SELF_ID}] 绑定 a&amp;b &#91;c&#93;,d")
    event = message("", 30003, message=codes, raw_message=codes)
    check_same(Adapter.json_to_event(event).get_plaintext(), f" 绑定 {text}")
    check_contains(text, quick_reply(post(server, event)))


def test_anonymous_senders_heartbeats_and_own_messages_are_left_alone(server, adapter):
    anonymous = {"id": 1, "name": "大力鬼王", "flag": "x"}
    silent = [
        message("抽奖", 80000000, sub_type="anonymous", anonymous=anonymous),
        {**message("抽奖", SELF_ID), "post_type": "message_sent"},
        heartbeat(),
        lifecycle(),
    ]
    for event in silent:
        response = post(server, event)
        check_same((response.status, response.body), (204, b""))


def test_both_accept_and_refuse_the_same_posts(server, adapter):
    body = json.dumps(message("闲聊", 30004)).encode()
    right = signed(body)
    code = right["X-Signature"]
    cases = {
        "as it is": (body, right),
        "another body": (json.dumps(message("闲聊", 30005)).encode(), right),
        "one more blank": (body + b" ", right),
        "another secret": (body, signed(body, "interop-onebot11-hmac-key-0002")),
        "another algorithm": (body, {**right, "X-Signature": code.replace("sha1", "sha256")}),
        "no algorithm": (body, {**right, "X-Signature": code.removeprefix("sha1=")}),
        "no signature": (body, {"X-Self-ID": str(SELF_ID)}),
    }
    verdicts = set()
    for name, (text, headers) in cases.items():
        expected = refusal(adapter, text, headers)
        status = server.post(PATH, text, headers).status
        check_same((name, status), (name, expected or 204))
        verdicts.add(expected)
    check_same(verdicts, {None, 401, 403})


# The reverse WebSocket


def lifecycle():
    event = {
        "time": int(time.time()), "self_id": SELF_ID, "post_type": "meta_event", "meta_event_type": "lifecycle",
        "sub_type": "connect",
    }
    assert Adapter.json_to_event(event)
    return event


def heartbeat():
    event = {
        "time": int(time.time()), "self_id": SELF_ID, "post_type": "meta_event", "meta_event_type": "heartbeat",
        "interval": 15000, "status": {"online": True, "good": True},
    }
    assert Adapter.json_to_event(event)
    return event


def dial(server, authorization=f"Bearer {ACCESS_TOKEN}", role="Universal", self_id=SELF_ID):
    headers = {"X-Self-ID": str(self_id), "X-Client-Role": role}
    if authorization is not None:
        headers["Authorization"] = authorization
    return connect(f"ws://127.0.0.1:{server.port}{PATH}/ws", additional_headers=headers, open_timeout=20)


@contextlib.contextmanager
def connected(server, **more):
    with dial(server, **more) as socket:
        for event in (lifecycle(), heartbeat()):
            socket.send(json.dumps(event))
        yield socket


def action(socket, status="ok", retcode=0):
    """The next action, which is answered."""
    frame = json.loads(socket.recv(timeout=20))
    check_same(set(frame), {"action", "params", "echo"})
    answer = {"status": status, "retcode": retcode, "data": {"message_id": next(numbers)}, "echo": frame["echo"]}
    socket.send(json.dumps(answer))
    return frame


def said(frame):
    """The action's message as NoneBot reads it."""
    return TypeAdapter(Message).validate_python(frame["params"]["message"])


def ask(socket, event):
    socket.send(json.dumps(event))
    frame = action(socket)
    check_same((frame["action"], frame["params"]["group_id"]), ("send_group_msg", GROUP))
    return said(frame)


def test_a_player_binds_and_draws_over_a_connection(server, adapter):
    with connected(server) as socket:
        check_contains("绑定成功", ask(socket, message("绑定 长连接", 30011)).extract_plain_text())
        drawn = ask(socket, message("抽奖", 30011))
        check_contains("恭喜中奖", drawn.extract_plain_text())
        check_contains("金币 <x100> & [更多]", drawn.extract_plain_text())
        check_same([segment.data["qq"] for segment in drawn["at"]], ["30011"])
        # Delivered again it is not answered again: what comes next answers the next message.
        again = message("抽奖", 30012)
        ask(socket, message("绑定 连发", 30012))
        check_contains("恭喜中奖", ask(socket, again).extract_plain_text())
        socket.send(json.dumps(again))
        check_only_binding("连发", ask(socket, message("我的绑定", 30012)).extract_plain_text())


def test_a_name_that_looks_like_a_code_is_text(server, adapter):
    with connected(server) as socket:
        bound = ask(socket, message(f"绑定 {HOSTILE_NAME}", 30013))
        check_contains(HOSTILE_NAME, bound.extract_plain_text())
        check_same([segment.data["qq"] for segment in bound["at"]], ["30013"])


def test_a_private_message_is_answered_over_a_connection(server, adapter):
    with connected(server) as socket:
        socket.send(json.dumps(message("绑定 私聊", 30014, group=None)))
        frame = action(socket)
        check_same((frame["action"], frame["params"]["user_id"]), ("send_private_msg", 30014))
        check_contains("绑定成功", said(frame).extract_plain_text())


def test_an_action_that_failed_does_not_stop_the_next(server, adapter):
    with connected(server) as socket:
        socket.send(json.dumps(message("绑定 风控", 30015)))
        action(socket, "failed", 100)
        check_contains("风控", ask(socket, message("我的绑定", 30015)).extract_plain_text())


def test_a_bot_that_connects_again_takes_the_place_of_its_earlier_connection(server, adapter):
    with connected(server) as first:
        with connected(server) as second:
            check_contains("绑定成功", ask(second, message("绑定 重连", 30016)).extract_plain_text())
            try:
                first.recv(timeout=20)
                raise AssertionError("the earlier connection stays")
            except ConnectionClosed:
                pass


def test_both_accept_and_refuse_the_same_tokens(server, adapter):
    cases = [
        f"Bearer {ACCESS_TOKEN}", f"bearer {ACCESS_TOKEN}", f"Token {ACCESS_TOKEN}", f"Bearer {ACCESS_TOKEN}1",
        f"Bearer {ACCESS_TOKEN[:-1]}", f"Basic {ACCESS_TOKEN}", "Bearer ", ACCESS_TOKEN, None,
    ]
    verdicts = set()
    for number, authorization in enumerate(cases):
        headers = {} if authorization is None else {"Authorization": authorization}
        expected = adapter._check_access_token(Request("GET", "http://bot/", headers=headers)) is None
        try:
            dial(server, authorization, self_id=21000 + number).close()
            status = 101
        except InvalidStatus as refused:
            status = refused.response.status_code
        assert status in ([101] if expected else [401, 403]), (authorization, status)
        verdicts.add(expected)
    check_same(verdicts, {True, False})


if __name__ == "__main__":
    run(playing)
