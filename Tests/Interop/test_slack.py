"""Slack: requests signed by its SDK, and replies that are the calls which its SDK makes."""

import itertools
import json
import time
from urllib.parse import urlencode

from slack_sdk import WebClient
from slack_sdk.signature import SignatureVerifier

from support import HOSTILE_NAME, Server, StubAPI, check_contains, check_only_binding, check_same, run

PATH = "/webhook/slack"
SECRET = "interop-slack-signing-key-0001"
BOT_TOKEN = "xoxb-interop-slack-bot-0001"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def playing():
    def answer(call):
        if call.headers["Authorization"] != f"Bearer {BOT_TOKEN}":
            return 200, {"ok": False, "error": "invalid_auth"}
        return 200, {"ok": True, "channel": "C1", "ts": "1760000099.000100"}

    with StubAPI(answer) as api:
        settings = {"signing_secret": SECRET, "bot_token": BOT_TOKEN, "api_url": api.url, "reply_interval_ms": 0}
        with Server(slack=settings) as server:
            yield server, api


def signed(body, secret=SECRET, age=0):
    timestamp = str(int(time.time()) - age)
    signature = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=body)
    return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": signature}


numbers = itertools.count(1)


def event(text, user):
    number = next(numbers)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    ts = f"{int(time.time())}.{number:06}"
    message = {
        "type": "message", "user": user, "text": text, "ts": ts, "channel": "C1", "channel_type": "channel",
        "event_ts": ts,
    }
    return json.dumps({
        "token": "legacy", "team_id": "T1", "api_app_id": "A1", "type": "event_callback", "event": message,
        "event_id": f"Ev{number}", "event_time": int(time.time()),
        "authorizations": [{"user_id": "UBOT", "is_bot": True}],
    })


def reply(server, api, body):
    response = server.post(PATH, body.encode(), signed(body))
    check_same((response.status, response.body), (200, b""))
    return api.take("/chat.postMessage")


def test_the_address_is_confirmed(server, api):
    body = json.dumps({"token": "legacy", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmd", "type": "url_verification"})
    response = server.post(PATH, body.encode(), signed(body))
    check_same((response.status, response.text), (200, "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmd"))


def test_a_player_binds_and_draws(server, api):
    check_contains("绑定成功", reply(server, api, event("绑定 独行者", "UA")).json()["text"])
    drawn = reply(server, api, event("抽奖", "UA")).json()["text"]
    check_contains("恭喜中奖", drawn)
    check_contains("金币 &lt;x100&gt; &amp; [更多]", drawn)


def test_a_message_delivered_again_is_answered_once(server, api):
    reply(server, api, event("绑定 连发", "UB"))
    body = event("抽奖", "UB")
    check_contains("恭喜中奖", reply(server, api, body).json()["text"])
    # Each delivery is signed anew, for its own time.
    again = server.post(PATH, body.encode(), {**signed(body, age=10), "X-Slack-Retry-Num": "1"})
    check_same(again.status, 200)
    # What comes next is the reply to the next message.
    check_only_binding("连发", reply(server, api, event("我的绑定", "UB")).json()["text"])


def test_the_reply_is_the_call_that_the_sdk_makes(server, api):
    ours = reply(server, api, event(f"绑定 {HOSTILE_NAME}", "UC"))
    escaped = HOSTILE_NAME.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    check_contains(escaped, ours.json()["text"])
    # Its answer is what the SDK takes for a success.
    assert WebClient(token=BOT_TOKEN, base_url=api.url + "/").chat_postMessage(**ours.json())["ok"]
    theirs = api.take("/chat.postMessage")
    for part in (lambda call: call.method, lambda call: call.path, lambda call: call.headers["Authorization"]):
        check_same(part(ours), part(theirs))
    check_same(ours.json(), {name: value for name, value in theirs.json().items() if name in ours.json()})


def test_a_slash_command_is_answered_in_the_response(server, api):
    # A channel of its own: where a call was just made, the next reply waits and is a call, too.
    def command(name, text, trigger):
        body = urlencode({
            "token": "legacy", "team_id": "T1", "channel_id": "C2", "user_id": "UD", "user_name": "hana",
            "command": name, "text": text, "api_app_id": "A1", "trigger_id": trigger,
            "response_url": "https://hooks.slack.com/commands/T1/1/x",
        })
        response = server.post(PATH, body.encode(), {**signed(body), **FORM})
        check_same(response.status, 200)
        return response.json()

    check_contains("绑定成功", command("/绑定", "斜线", "1.1")["text"])
    drawn = command("/抽奖", "", "1.2")
    check_contains("恭喜中奖", drawn["text"])
    check_same(drawn["response_type"], "in_channel")
    check_same(command("/抽奖", "", "1.2"), drawn)


def test_both_accept_and_refuse_the_same_requests(server, api):
    body = event("闲聊", "UE")
    right = signed(body)
    cases = {
        "as it is": (body, right),
        "another body": (event("闲聊", "UX"), right),
        "another secret": (body, signed(body, "interop-slack-signing-key-0002")),
        "too old": (body, signed(body, age=310)),
        "too new": (body, signed(body, age=-310)),
        "another time": (body, {**right, "X-Slack-Request-Timestamp": str(int(time.time()) - 1)}),
        "another version": (body, {**right, "X-Slack-Signature": right["X-Slack-Signature"].replace("v0", "v1")}),
        "no signature": (body, {"X-Slack-Request-Timestamp": right["X-Slack-Request-Timestamp"]}),
        "no time": (body, {"X-Slack-Signature": right["X-Slack-Signature"]}),
    }
    verdicts = set()
    for name, (text, headers) in cases.items():
        expected = SignatureVerifier(SECRET).is_valid_request(text, headers)
        status = server.post(PATH, text.encode(), headers).status
        check_same((name, status), (name, 200 if expected else 401))
        verdicts.add(expected)
    check_same(verdicts, {True, False})


if __name__ == "__main__":
    run(playing)
