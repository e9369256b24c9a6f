"""A WeChat Official Account and a WeCom application: wechatpy encrypts what we get and decrypts what we answer."""

import re
import time
from urllib.parse import urlencode

import xmltodict
from wechatpy import parse_message
from wechatpy.crypto import PrpCrypto, WeChatCrypto, _get_signature
from wechatpy.enterprise import parse_message as parse_enterprise_message
from wechatpy.enterprise.crypto import PrpCrypto as EnterprisePrpCrypto
from wechatpy.enterprise.crypto import WeChatCrypto as EnterpriseCrypto
from wechatpy.exceptions import InvalidAppIdException, InvalidSignatureException
from wechatpy.enterprise.exceptions import InvalidCorpIdException
from wechatpy.utils import WeChatSigner, check_signature

from support import HOSTILE_NAME, Server, check_contains, check_same, run

KEY = "interopWeChatKey0123456789ABCDEFGHIJKLMNOPQ"
NONCE = "1372623149"


class Account:
    """One of the two, towards the endpoint of the same name."""

    def __init__(self, endpoint, token, receiver, name, crypto, cipher, parse, more):
        self.path = f"/webhook/{endpoint}"
        self.token = token
        self.receiver = receiver
        self.name = name
        self.crypto = crypto(token, KEY, receiver)
        self.make_crypto = crypto
        self.cipher = cipher(self.crypto.key)
        self.parse = parse
        self.more = more

    @property
    def settings(self):
        return {"token": self.token, "encoding_aes_key": KEY, "receive_id": self.receiver}

    def message(self, text, user, id):
        content = text.replace("]]>", "]]]]><![CDATA[>")
        message = (
            f"<xml><ToUserName><![CDATA[{self.name}]]></ToUserName><FromUserName><![CDATA[{user}]]></FromUserName>"
            f"<CreateTime>{int(time.time())}</CreateTime><MsgType><![CDATA[text]]></MsgType>"
            f"<Content><![CDATA[{content}]]></Content><MsgId>{id}</MsgId>{self.more}</xml>")
        check_same(self.parse(message).content, text)
        return message

    def encrypted(self, message, crypto=None):
        """The query and the body of a request that brings `message`."""
        timestamp = str(int(time.time()))
        body = (crypto or self.crypto).encrypt_message(message, NONCE, timestamp)
        signer = WeChatSigner()
        signer.add_data(self.token, timestamp, NONCE)
        query = {
            "msg_signature": xmltodict.parse(body)["xml"]["MsgSignature"], "timestamp": timestamp, "nonce": NONCE,
            "signature": signer.signature, "encrypt_type": "aes",
        }
        return query, body

    def post(self, server, query, body):
        return server.request(
            "POST", f"{self.path}?{urlencode(query)}", body.encode(), {"Content-Type": "text/xml"})

    def decrypted(self, response):
        """The reply as the SDK reads it, which checks the signature and the receiver, but not the padding."""
        check_same(response.status, 200)
        envelope = xmltodict.parse(response.text)["xml"]
        plaintext = self.crypto.decrypt_message(
            response.text, envelope["MsgSignature"], envelope["TimeStamp"], envelope["Nonce"])
        check_same(len(envelope["Encrypt"]), len(self.cipher.encrypt(plaintext, self.receiver)))
        return xmltodict.parse(plaintext)["xml"]

    def ask(self, server, text, user, id):
        return self.deliver(server, self.message(text, user, id), user)

    def deliver(self, server, message, user):
        """Sends the message, encrypted anew as every delivery is."""
        reply = self.decrypted(self.post(server, *self.encrypted(message)))
        check_same(reply["MsgType"], "text")
        check_same((reply["ToUserName"], reply["FromUserName"]), (user, self.name))
        return reply["Content"]


OFFICIAL = Account(
    "wechat_oa", "interopwechattoken01", "wxinterop00000001", "gh_interop", WeChatCrypto, PrpCrypto, parse_message, "")
WECOM = Account(
    "wecom", "interopwecomtoken001", "wwinterop00000001", "wwinterop00000001", EnterpriseCrypto,
    EnterprisePrpCrypto, parse_enterprise_message, "<AgentID>1000002</AgentID>")
ACCOUNTS = [OFFICIAL, WECOM]


def shown(text):
    """WeChat makes links of tags, so that none is sent."""
    return re.sub("<(?=[A-Za-z/!])", "＜", text)


def playing():
    with Server(wechat_oa=OFFICIAL.settings, wecom={**WECOM.settings, "agent_id": "1000002"}) as server:
        yield (server,)


def test_the_address_of_an_official_account_is_confirmed(server):
    def ask(token):
        signer = WeChatSigner()
        timestamp = str(int(time.time()))
        signer.add_data(token, timestamp, NONCE)
        query = {"signature": signer.signature, "timestamp": timestamp, "nonce": NONCE, "echostr": "592700123456789"}
        try:
            check_signature(OFFICIAL.token, signer.signature, timestamp, NONCE)
            expected = (200, "592700123456789")
        except InvalidSignatureException:
            expected = (401, "")
        response = server.request("GET", f"{OFFICIAL.path}?{urlencode(query)}")
        check_same((response.status, response.text), expected)
        return expected[0]

    check_same([ask(OFFICIAL.token), ask("interopwechattoken02")], [200, 401])


def test_the_address_of_a_wecom_application_is_confirmed(server):
    def ask(token):
        timestamp = str(int(time.time()))
        echo = WECOM.cipher.encrypt("4561255354251345929", WECOM.receiver).decode()
        signature = _get_signature(token, timestamp, NONCE, echo)
        query = {"msg_signature": signature, "timestamp": timestamp, "nonce": NONCE, "echostr": echo}
        try:
            expected = (200, WECOM.crypto.check_signature(signature, timestamp, NONCE, echo))
        except InvalidSignatureException:
            expected = (401, "")
        response = server.request("GET", f"{WECOM.path}?{urlencode(query)}")
        check_same((response.status, response.text), expected)
        return expected[0]

    check_same([ask(WECOM.token), ask("interopwecomtoken002")], [200, 401])


def test_a_player_binds_and_draws(server):
    for account in ACCOUNTS:
        check_contains("绑定成功", account.ask(server, "绑定 独行者", "oA", 25000000000000001))
        drawn = account.ask(server, "抽奖", "oA", 25000000000000002)
        check_contains("恭喜中奖", drawn)
        check_contains(shown("金币 <x100> & [更多]"), drawn)


def test_lengths_that_end_anywhere_in_a_block_are_read(server):
    for account in ACCOUNTS:
        for size in range(1, 34):
            name = "n" * size
            check_contains(name, account.ask(server, f"绑定 {name}", f"oL{size}", 26000000000000000 + size))


def test_a_message_delivered_again_has_the_same_reply(server):
    for account in ACCOUNTS:
        account.ask(server, "绑定 连发", "oB", 25000000000000011)
        draw = account.message("抽奖", "oB", 25000000000000012)
        replies = {account.deliver(server, draw, "oB") for _ in range(3)}
        assert len(replies) == 1, replies
        check_contains("恭喜中奖", replies.pop())


def test_a_name_that_looks_like_markup_comes_back_without_tags(server):
    for number, name in enumerate([HOSTILE_NAME, "a]]>b<xml>"]):
        for account in ACCOUNTS:
            check_contains(shown(name), account.ask(server, f"绑定 {name}", f"oC{number}", 25000000000000021 + number))


def test_both_accept_and_refuse_the_same_requests(server):
    for account in ACCOUNTS:
        query, body = account.encrypted(account.message("我的绑定", "oD", 25000000000000031))
        _, other = account.encrypted(account.message("解绑", "oD", 25000000000000032))
        foreign = account.make_crypto(account.token, KEY, "wxsomebodyelse001")
        unknown = account.make_crypto("interopothertoken001", KEY, account.receiver)
        cases = {
            "as it is": (query, body),
            "another message": (query, other),
            "another time": ({**query, "timestamp": str(int(query["timestamp"]) + 1)}, body),
            "another nonce": ({**query, "nonce": "1"}, body),
            "another token": account.encrypted(account.message("我的绑定", "oD", 25000000000000033), unknown),
            "another receiver": account.encrypted(account.message("我的绑定", "oD", 25000000000000034), foreign),
        }
        verdicts = set()
        for name, (query, body) in cases.items():
            try:
                account.crypto.decrypt_message(body, query["msg_signature"], query["timestamp"], query["nonce"])
                expected = [200]
            except (InvalidSignatureException, InvalidAppIdException, InvalidCorpIdException):
                expected = [401, 403]
            status = account.post(server, query, body).status
            assert status in expected, (account.path, name, status)
            verdicts.add(expected[0])
        check_same(verdicts, {200, 401})


def test_the_plain_signature_alone_is_not_enough(server):
    query, body = OFFICIAL.encrypted(OFFICIAL.message("抽奖", "oE", 25000000000000041))
    del query["msg_signature"]
    check_same(OFFICIAL.post(server, query, body).status, 401)
    plain = OFFICIAL.message("抽奖", "oE", 25000000000000042)
    assert OFFICIAL.post(server, {**query, "encrypt_type": "raw"}, plain).status in (401, 403)


if __name__ == "__main__":
    run(playing)
