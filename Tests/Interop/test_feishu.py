"""Feishu: lark-oapi takes the requests that we take, and makes the calls that we make."""

import base64
import hashlib
import itertools
import json
import os
import time

import lark_oapi as lark
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from lark_oapi.api.im.v1 import ReplyMessageRequest, ReplyMessageRequestBody
from lark_oapi.core.utils import AESCipher

from support import HOSTILE_NAME, Server, StubAPI, check_contains, check_only_binding, check_same, run

PATH = "/webhook/feishu"
VERIFICATION_TOKEN = "interop-feishu-verification-01"
ENCRYPT_KEY = "interop-feishu-encrypt-key-001"
APP_ID = "cli_interop0001"
APP_SECRET = "interop-feishu-app-key-000001"
ACCESS_TOKEN = "t-interop-feishu-access-00001"
numbers = itertools.count(1)


def playing():
    def answer(call):
        if call.path == "/open-apis/auth/v3/tenant_access_token/internal":
            if call.json() != {"app_id": APP_ID, "app_secret": APP_SECRET}:
                return 200, {"code": 10014, "msg": "app secret invalid"}
            return 200, {"code": 0, "msg": "ok", "tenant_access_token": ACCESS_TOKEN, "expire": 7200}
        if call.headers["Authorization"] != f"Bearer {ACCESS_TOKEN}":
            return 400, {"code": 99991663, "msg": "invalid access token"}
        return 200, {"code": 0, "msg": "success", "data": {"message_id": "om_reply"}}

    with StubAPI(answer) as api:
        settings = {
            "verification_token": VERIFICATION_TOKEN, "encrypt_key": ENCRYPT_KEY, "bot_open_id": "ou_bot",
            "app_id": APP_ID, "app_secret": APP_SECRET, "api_url": api.url, "reply_interval_ms": 0,
        }
        with Server(feishu=settings) as server:
            yield server, api


def encrypted(value, key=ENCRYPT_KEY):
    """The SDK only decrypts; it must read what stands here."""
    plaintext = json.dumps(value, ensure_ascii=False).encode()
    padder = PKCS7(128).padder()
    vector = os.urandom(16)
    encryptor = Cipher(algorithms.AES(hashlib.sha256(key.encode()).digest()), modes.CBC(vector)).encryptor()
    ciphertext = encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()
    encrypt = base64.b64encode(vector + ciphertext).decode()
    check_same(AESCipher(key).decrypt_str(encrypt).encode(), plaintext)
    return json.dumps({"encrypt": encrypt})


def signed(body, key=ENCRYPT_KEY):
    timestamp, nonce = str(int(time.time())), "interop"
    digest = hashlib.sha256((timestamp + nonce + key).encode() + body.encode()).hexdigest()
    return {"X-Lark-Request-Timestamp": timestamp, "X-Lark-Request-Nonce": nonce, "X-Lark-Signature": digest}


def event(text, user, token=VERIFICATION_TOKEN):
    number, now = next(numbers), str(int(time.time() * 1000))
    return {
        "schema": "2.0",
        "header": {
            "event_id": f"interop{number}", "event_type": "im.message.receive_v1", "create_time": now, "token": token,
            "app_id": APP_ID, "tenant_key": "t",
        },
        "event": {
            "sender": {"sender_id": {"open_id": user, "union_id": "on_1"}, "sender_type": "user", "tenant_key": "t"},
            "message": {
                "message_id": f"om_{number}", "create_time": now, "chat_id": "oc_1", "chat_type": "group",
                "message_type": "text", "content": json.dumps({"text": f"@_user_1 {text}"}),
                "mentions": [{"key": "@_user_1", "id": {"open_id": "ou_bot"}, "name": "Bot"}],
            },
        },
    }


def sdk(body, headers):
    """What the SDK's own dispatcher answers, and the messages that it found."""
    messages = []
    handler = (
        # It logs every refusal with a trace; here refusals are expected.
        lark.EventDispatcherHandler.builder(ENCRYPT_KEY, VERIFICATION_TOKEN, lark.LogLevel.CRITICAL)
        .register_p2_im_message_receive_v1(lambda data: messages.append(data.event.message)).build())
    request = lark.RawRequest()
    request.uri, request.headers, request.body = PATH, headers, body.encode()
    return handler.do(request), messages


def reply(server, api, value):
    body = encrypted(value)
    headers = signed(body)
    answer, messages = sdk(body, headers)
    check_same((answer.status_code, len(messages)), (200, 1))
    check_same(server.post(PATH, body.encode(), headers).status, 200)
    return api.take("/reply")


def text(call):
    return json.loads(call.json()["content"])["text"]


def test_the_address_is_confirmed_as_by_the_sdk(server, api):
    for token, expected in ((VERIFICATION_TOKEN, 200), ("interop-feishu-verification-02", 401)):
        body = encrypted({"type": "url_verification", "token": token, "challenge": "interop-challenge-1"})
        answer, _ = sdk(body, {})
        response = server.post(PATH, body.encode(), {})
        check_same(response.status, expected)
        check_same(answer.status_code == 200, expected == 200)
        if expected == 200:
            check_same(response.json(), json.loads(answer.content))


def test_a_player_binds_and_draws(server, api):
    check_contains("绑定成功", text(reply(server, api, event("绑定 独行者", "ou_a"))))
    drawn = text(reply(server, api, event("抽奖", "ou_a")))
    check_contains("恭喜中奖", drawn)


def test_a_message_delivered_again_is_answered_once(server, api):
    reply(server, api, event("绑定 连发", "ou_b"))
    draw = event("抽奖", "ou_b")
    check_contains("恭喜中奖", text(reply(server, api, draw)))
    # Encrypted anew: other bytes, the same event.
    again = encrypted(draw)
    check_same(server.post(PATH, again.encode(), signed(again)).status, 200)
    check_only_binding("连发", text(reply(server, api, event("我的绑定", "ou_b"))))


def test_the_reply_is_the_call_that_the_sdk_makes(server, api):
    ours = reply(server, api, event(f"绑定 {HOSTILE_NAME}<at user_id=\"all\"></at>", "ou_c"))
    # <at …> in a text would call somebody.
    assert "<at" not in text(ours).replace("<at user_id=\"ou_c\">", ""), text(ours)
    fields = ours.json()
    assert set(fields) <= set(ReplyMessageRequestBody._types), fields
    body = ReplyMessageRequestBody(fields)
    message = ours.path.split("/")[-2]
    client = lark.Client.builder().app_id(APP_ID).app_secret(APP_SECRET).domain(api.url).build()
    request = ReplyMessageRequest.builder().message_id(message).request_body(body).build()
    assert client.im.v1.message.reply(request).success()
    theirs = api.take("/reply")
    for part in (lambda call: call.method, lambda call: call.path, lambda call: call.headers["Authorization"]):
        check_same(part(ours), part(theirs))
    check_same(fields, theirs.json())
    tokens = [api.take("/tenant_access_token/internal") for _ in range(2)]
    check_same(*((call.method, call.path, call.json()) for call in tokens))


def test_both_accept_and_refuse_the_same_requests(server, api):
    body = encrypted(event("闲聊", "ou_d"))
    right = signed(body)
    stranger = encrypted(event("闲聊", "ou_d", token="interop-feishu-verification-02"))
    foreign = encrypted(event("闲聊", "ou_d"), "interop-feishu-encrypt-key-002")
    cases = {
        "as it is": (body, right),
        "another body": (encrypted(event("闲聊", "ou_x")), right),
        "one more blank": (body + " ", right),
        "another key for the signature": (body, signed(body, "interop-feishu-encrypt-key-002")),
        "another key for both": (foreign, signed(foreign, "interop-feishu-encrypt-key-002")),
        "another verification token": (stranger, signed(stranger)),
        "another time": (body, {**right, "X-Lark-Request-Timestamp": "1"}),
        "another nonce": (body, {**right, "X-Lark-Request-Nonce": "other"}),
        "no signature": (body, {name: right[name] for name in right if name != "X-Lark-Signature"}),
        "no headers": (body, {}),
    }
    verdicts = set()
    for name, (text, headers) in cases.items():
        expected = sdk(text, headers)[0].status_code == 200
        status = server.post(PATH, text.encode(), headers).status
        assert status in ([200] if expected else [401, 403]), (name, status)
        verdicts.add(expected)
    check_same(verdicts, {True, False})


def test_an_event_that_is_not_encrypted_is_refused(server, api):
    body = json.dumps(event("抽奖", "ou_e"))
    assert server.post(PATH, body.encode(), signed(body)).status in (401, 403)


if __name__ == "__main__":
    run(playing)
