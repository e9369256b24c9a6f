"""Any program that signs by Standard Webhooks, played by the scheme's reference library."""

import json
from datetime import datetime, timedelta, timezone

from standardwebhooks import Webhook

from support import HOSTILE_NAME, Server, check_contains, check_same, run

PATH = "/webhook/webhook"
SECRET = "whsec_aW50ZXJvcC1zdGFuZGFyZC13ZWJob29rcy1rZXk="
OTHER_SECRET = "whsec_aW50ZXJvcC1zdGFuZGFyZC13ZWJob29rcy1rZXX="


def playing():
    with Server(webhook={"secret": SECRET}) as server:
        yield (server,)


def body(text, user):
    data = {"platform": "interop", "user_id": user, "chat_id": "g1", "message_id": f"{user}-{text}", "text": text}
    now = datetime.now(timezone.utc).isoformat()
    return json.dumps({"type": "chat.message", "timestamp": now, "data": data}, ensure_ascii=False)


def signed(text, id, secret=SECRET, age=timedelta()):
    time = datetime.now(timezone.utc) - age
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(time.timestamp())),
        "webhook-signature": Webhook(secret).sign(id, time, text),
    }


def send(server, text, id, user):
    message = body(text, user)
    return server.post(PATH, message.encode(), signed(message, id))


def test_a_player_binds_and_draws(server):
    check_contains("绑定成功", send(server, "绑定 独行者", "msg_a1", "a").json()["reply"])
    check_contains("恭喜中奖", send(server, "抽奖", "msg_a2", "a").json()["reply"])
    check_contains("金币 <x100> & [更多]", send(server, "中奖", "msg_a3", "a").json()["reply"])


def test_a_message_delivered_again_has_the_same_reply(server):
    send(server, "绑定 连发", "msg_b1", "b")
    message = body("抽奖", "b")
    # Each delivery is signed anew, for its own time.
    deliveries = [signed(message, "msg_b2", age=timedelta(seconds=age)) for age in (20, 10, 0)]
    replies = {server.post(PATH, message.encode(), headers).text for headers in deliveries}
    assert len(replies) == 1, replies
    check_contains("恭喜中奖", replies.pop())


def test_a_name_that_looks_like_markup_comes_back_as_it_is(server):
    check_contains(HOSTILE_NAME, send(server, f"绑定 {HOSTILE_NAME}", "msg_c1", "c").json()["reply"])


def test_both_accept_and_refuse_the_same_requests(server):
    message = body("我的绑定", "d")
    right = signed(message, "msg_d1")
    signature = right["webhook-signature"]
    cases = {
        "as it is": (message, right),
        "another body": (message + " ", right),
        "another id": (message, {**right, "webhook-id": "msg_d2"}),
        "another time": (message, {**right, "webhook-timestamp": str(int(right["webhook-timestamp"]) + 1)}),
        "another secret": (message, signed(message, "msg_d1", OTHER_SECRET)),
        "too old": (message, signed(message, "msg_d1", age=timedelta(minutes=6))),
        "too new": (message, signed(message, "msg_d1", age=-timedelta(minutes=6))),
        "one of several": (message, {**right, "webhook-signature": f"v1,AAAA v2,AAAA {signature}"}),
        "unknown version": (message, {**right, "webhook-signature": signature.replace("v1,", "v2,")}),
        "no signature": (message, {name: right[name] for name in ("webhook-id", "webhook-timestamp")}),
        "no time": (message, {name: right[name] for name in ("webhook-id", "webhook-signature")}),
    }
    verdicts = set()
    for name, (text, headers) in cases.items():
        response = server.post(PATH, text.encode(), headers)
        try:
            Webhook(SECRET).verify(text, headers)
            expected = 200
        except Exception:
            expected = 401
        check_same((name, response.status), (name, expected))
        verdicts.add(expected)
    check_same(verdicts, {200, 401})


if __name__ == "__main__":
    run(playing)
