"""Discord: whatever we accept its SDK accepts, and what it refuses we refuse."""

import contextlib
import io
import itertools
import json
import time

from discord_interactions import InteractionResponseFlags, InteractionResponseType, InteractionType, verify_key
from nacl.signing import SigningKey

from support import HOSTILE_NAME, Server, check_contains, check_same, run

PATH = "/webhook/discord"
APPLICATION = "1300000000000000001"
KEY = SigningKey(b"interop: 32 bytes make one seed.")
OTHER_KEY = SigningKey(b"interop: 32 bytes of other seed.")
PUBLIC_KEY = KEY.verify_key.encode().hex()
numbers = itertools.count(1)


def playing():
    with Server(discord={"public_key": PUBLIC_KEY, "application_id": APPLICATION, "reply_interval_ms": 0}) as server:
        yield (server,)


def signed(body, key=KEY, age=0):
    timestamp = str(int(time.time()) - age)
    return {
        "X-Signature-Timestamp": timestamp,
        "X-Signature-Ed25519": key.sign(timestamp.encode() + body.encode()).signature.hex(),
    }


def is_accepted(body, headers):
    # It prints why it refuses.
    with contextlib.redirect_stdout(io.StringIO()):
        return verify_key(
            body.encode(), headers.get("X-Signature-Ed25519", ""), headers.get("X-Signature-Timestamp", ""), PUBLIC_KEY)


def command(text, user):
    # Milliseconds since 2015, and a number of our own.
    id = (int(time.time() * 1000) - 1420070400000) << 22 | next(numbers)
    return json.dumps({
        "id": str(id), "application_id": APPLICATION, "type": InteractionType.APPLICATION_COMMAND, "version": 1,
        "token": f"interop-token-{id}", "guild_id": "1200000000000000001", "channel_id": "1200000000000000002",
        "member": {"user": {"id": user, "username": "hana"}, "roles": [], "permissions": "2147483648"},
        "data": {"id": "1150000000000000001", "name": "hb", "type": 1,
                 "options": [{"name": "text", "type": 3, "value": text}]},
    })


def post(server, body, headers):
    return server.post(PATH, body.encode(), headers)


def answer(server, body):
    headers = signed(body)
    assert is_accepted(body, headers)
    response = post(server, body, headers)
    check_same((response.status, response.headers["Content-Type"]), (200, "application/json"))
    return response.json()


def test_a_ping_is_answered(server):
    ping = json.dumps({"id": "1", "application_id": APPLICATION, "type": InteractionType.PING, "version": 1})
    check_same(answer(server, ping), {"type": InteractionResponseType.PONG})


def test_a_ping_with_a_wrong_signature_is_refused(server):
    ping = json.dumps({"id": "1", "application_id": APPLICATION, "type": InteractionType.PING, "version": 1})
    check_same(post(server, ping, signed(ping, OTHER_KEY)).status, 401)


def test_a_player_binds_and_draws(server):
    bound = answer(server, command("绑定 独行者", "1100000000000000001"))
    check_same(bound["type"], InteractionResponseType.CHANNEL_MESSAGE_WITH_SOURCE)
    check_contains("绑定成功", bound["data"]["content"])
    drawn = answer(server, command("抽奖", "1100000000000000001"))
    check_contains("恭喜中奖", drawn["data"]["content"])
    # The group sees who won.
    assert not drawn["data"].get("flags", 0) & InteractionResponseFlags.EPHEMERAL


def test_a_command_delivered_again_has_the_same_reply(server):
    answer(server, command("绑定 连发", "1100000000000000002"))
    draw = command("抽奖", "1100000000000000002")
    replies = {json.dumps(answer(server, draw), sort_keys=True) for _ in range(3)}
    assert len(replies) == 1, replies


def test_nobody_can_be_called_by_a_name(server):
    bound = answer(server, command(f"绑定 {HOSTILE_NAME}@everyone", "1100000000000000003"))
    check_same(bound["data"]["allowed_mentions"]["parse"], [])


def test_both_accept_and_refuse_the_same_requests(server):
    body = command("我的绑定", "1100000000000000004")
    right = signed(body)
    signature = right["X-Signature-Ed25519"]
    cases = {
        "as it is": (body, right),
        "another body": (command("抽奖", "1100000000000000004"), right),
        "another key": (body, signed(body, OTHER_KEY)),
        "another time": (body, {**right, "X-Signature-Timestamp": str(int(time.time()) - 1)}),
        "one bit": (body, {**right, "X-Signature-Ed25519": f"{int(signature, 16) ^ 1:0128x}"}),
        "half a signature": (body, {**right, "X-Signature-Ed25519": signature[:64]}),
        "not hexadecimal": (body, {**right, "X-Signature-Ed25519": "z" * 128}),
        "no signature": (body, {"X-Signature-Timestamp": right["X-Signature-Timestamp"]}),
        "no time": (body, {"X-Signature-Ed25519": signature}),
    }
    verdicts = set()
    for name, (text, headers) in cases.items():
        expected = is_accepted(text, headers)
        check_same((name, post(server, text, headers).status), (name, 200 if expected else 401))
        verdicts.add(expected)
    check_same(verdicts, {True, False})


def test_an_old_request_is_refused_though_its_signature_is_right(server):
    body = command("抽奖", "1100000000000000005")
    headers = signed(body, age=310)
    assert is_accepted(body, headers)
    check_same(post(server, body, headers).status, 401)


if __name__ == "__main__":
    run(playing)
