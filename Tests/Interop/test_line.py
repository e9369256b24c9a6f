"""LINE: events built from its SDK's models, signatures that it checks too, and replies that are its own call."""

import base64
import hashlib
import hmac
import itertools
import json
import time

from linebot.v3.exceptions import InvalidSignatureError
from linebot.v3.messaging import ApiClient, Configuration, MessagingApi, ReplyMessageRequest
from linebot.v3.webhook import SignatureValidator, WebhookParser
from linebot.v3.webhooks import (
    CallbackRequest, DeliveryContext, EventMode, GroupSource, MessageEvent, TextMessageContent)

from support import HOSTILE_NAME, Server, StubAPI, check_contains, check_only_binding, check_same, run

PATH = "/webhook/line"
SECRET = "interop-line-channel-key-0001"
TOKEN = "interop-line-access-token-0001"
numbers = itertools.count(1)


def playing():
    def answer(call):
        if call.headers["Authorization"] != f"Bearer {TOKEN}":
            return 401, {"message": "Authentication failed"}
        return 200, {"sentMessages": [{"id": "1"}]}

    with StubAPI(answer) as api:
        settings = {
            "channel_secret": SECRET, "channel_access_token": TOKEN, "api_url": api.url, "reply_interval_ms": 0,
        }
        with Server(line=settings) as server:
            yield server, api


def signature(body, secret=SECRET):
    """The SDK has no signing side; its validator says whether this one is right."""
    code = base64.b64encode(hmac.new(secret.encode(), body.encode(), hashlib.sha256).digest()).decode()
    assert SignatureValidator(secret).validate(body, code)
    return code


def event(text, user):
    number = next(numbers)
    message = MessageEvent(
        source=GroupSource(groupId="C1", userId=user), timestamp=int(time.time() * 1000), mode=EventMode.ACTIVE,
        webhookEventId=f"01JINTEROP{number:016}", deliveryContext=DeliveryContext(isRedelivery=False),
        replyToken=f"reply{number}",
        message=TextMessageContent(id=f"5{number}", text=text, quoteToken=f"q{number}"))
    return CallbackRequest(destination="U" + "b" * 32, events=[message]).to_json()


def post(server, body, code):
    return server.post(PATH, body.encode(), {"X-Line-Signature": code})


def reply(server, api, body):
    check_same(post(server, body, signature(body)).status, 200)
    return api.take("/v2/bot/message/reply")


def text(call):
    request = ReplyMessageRequest.from_dict(call.json())
    check_same(len(request.messages), 1)
    return call.json()["messages"][0]["text"]


def test_the_address_is_confirmed(server, api):
    body = json.dumps({"destination": "U" + "b" * 32, "events": []})
    check_same(post(server, body, signature(body)).status, 200)


def test_a_player_binds_and_draws(server, api):
    check_contains("绑定成功", text(reply(server, api, event("绑定 独行者", "UA"))))
    drawn = text(reply(server, api, event("抽奖", "UA")))
    check_contains("恭喜中奖", drawn)
    check_contains("金币 <x100> & [更多]", drawn)


def test_a_message_delivered_again_is_answered_once(server, api):
    reply(server, api, event("绑定 连发", "UB"))
    body = event("抽奖", "UB")
    check_contains("恭喜中奖", text(reply(server, api, body)))
    request = CallbackRequest.from_json(body)
    request.events[0].delivery_context.is_redelivery = True
    again = request.to_json()
    assert again != body
    check_same(post(server, again, signature(again)).status, 200)
    check_only_binding("连发", text(reply(server, api, event("我的绑定", "UB"))))


def test_the_reply_is_the_call_that_the_sdk_makes(server, api):
    ours = reply(server, api, event(f"绑定 {HOSTILE_NAME}", "UC"))
    check_contains(HOSTILE_NAME, text(ours))
    with ApiClient(Configuration(host=api.url, access_token=TOKEN)) as client:
        MessagingApi(client).reply_message(ReplyMessageRequest.from_dict(ours.json()))
    theirs = api.take("/v2/bot/message/reply")
    for part in (lambda call: call.method, lambda call: call.path, lambda call: call.headers["Authorization"]):
        check_same(part(ours), part(theirs))
    theirs = theirs.json()
    # False unless it is given.
    theirs.pop("notificationDisabled", None)
    check_same(ours.json(), theirs)


def test_both_accept_and_refuse_the_same_requests(server, api):
    body = event("闲聊", "UD")
    right = signature(body)
    cases = {
        "as it is": (body, right),
        "another body": (event("闲聊", "UX"), right),
        "one more blank": (body + " ", right),
        "another secret": (body, signature(body, "interop-line-channel-key-0002")),
        "half a signature": (body, right[:20]),
        "empty signature": (body, ""),
    }
    verdicts = set()
    for name, (text, code) in cases.items():
        try:
            check_same(len(WebhookParser(SECRET).parse(text, code)), 1)
            expected = [200]
        except InvalidSignatureError:
            expected = [401, 403]
        status = post(server, text, code).status
        assert status in expected, (name, status)
        verdicts.add(expected[0])
    check_same(verdicts, {200, 401})


if __name__ == "__main__":
    run(playing)
