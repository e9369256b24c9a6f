"""Satori: a real server of satori-python posts its events to us, and our replies arrive at its API."""

import asyncio
import contextlib
import io
import itertools
import socket
import threading
from datetime import datetime

from launart import Launart
from loguru import logger
from satori import Api, Channel, ChannelType, Event, EventType, Guild, Login, Member, MessageObject, User
from satori.element import At, Text, transform
from satori.parser import parse
from satori.server import Adapter, Request, Server as SatoriServer, WebhookEndpoint
from starlette.responses import Response

from support import HOSTILE_NAME, Server, check_contains, check_only_binding, check_same, run, wait_for

PATH = "/webhook/satori"
TOKEN = "interop-satori-webhook-0001"
API_TOKEN = "interop-satori-api-00000001"
SELF_ID = "20001"
numbers = itertools.count(1)


class Bot(Adapter):
    """A login to QQ, with nothing behind it: what is said there is kept."""

    def __init__(self):
        super().__init__()
        self.login = Login(sn=1, platform="red", user=User(SELF_ID), adapter="interop")
        self.said = []
        self.arrived = threading.Condition()
        self.route(Api.MESSAGE_CREATE)(self.create)

    async def create(self, request: Request):
        with self.arrived:
            self.said.append((dict(request.origin.headers), request.params))
            self.arrived.notify_all()
        return [MessageObject(id="1", content=request.params["content"])]

    def take(self):
        return wait_for(self.arrived, lambda: self.said.pop(0) if self.said else None, "message.create")

    def get_platform(self):
        return "red"

    def ensure(self, platform, self_id):
        return (platform, self_id) == ("red", SELF_ID)

    async def get_logins(self):
        return [self.login]

    async def handle_internal(self, request, path):
        return Response(status_code=404)

    @property
    def required(self):
        return set()

    @property
    def stages(self):
        return {"blocking"}

    async def launch(self, manager):
        async with self.stage("blocking"):
            await manager.status.wait_for_sigexit()


class Peer:
    """The Satori server, in a thread of its own."""

    def __init__(self, port):
        self.bot = Bot()
        self.server = SatoriServer(port=port, token=API_TOKEN)
        self.server.apply(self.bot)
        self.manager = Launart()
        self.loop = asyncio.new_event_loop()

    def __enter__(self):
        # What goes wrong with a webhook is only logged.
        self.errors = []
        logger.remove()
        logger.add(lambda message: self.errors.append(str(message)), level="ERROR", format="{message}")
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self.call(self._started())
        return self

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.manager.add_component(self.server.asgi_service)
        self.manager.add_component(self.server)
        self.task = self.loop.create_task(self.manager.launch())
        with contextlib.suppress(asyncio.CancelledError):
            self.loop.run_until_complete(self.task)

    async def _started(self):
        await self.manager.status.wait_for_blocking()

    def __exit__(self, *fault):
        # As for Ctrl-C, which only the main thread hears.
        self.loop.call_soon_threadsafe(self.manager._on_sys_signal, None, None, self.task)
        self.thread.join(20)
        assert not self.thread.is_alive(), "the Satori server does not end"

    def call(self, task):
        return asyncio.run_coroutine_threadsafe(task, self.loop).result(30)

    def post(self, event, *endpoints):
        """Posts an event to these endpoints; returns what went wrong."""
        self.errors.clear()
        self.server.webhooks[:] = endpoints
        # It prints them too.
        with contextlib.redirect_stderr(io.StringIO()):
            self.call(self.server.post(event))
        return list(self.errors)


def playing():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    settings = {
        "token": TOKEN, "api_url": f"http://127.0.0.1:{port}", "api_token": API_TOKEN, "reply_interval_ms": 0,
    }
    with Server(satori=settings) as server, Peer(port) as peer:
        yield server, peer


def endpoint(server, token=TOKEN):
    return WebhookEndpoint(f"http://127.0.0.1:{server.port}{PATH}", token, 20)


def event(peer, elements, user, type=EventType.MESSAGE_CREATED, is_bot=False):
    content = "".join(map(str, elements)) if isinstance(elements, list) else str(Text(elements))
    return Event(
        type=type, timestamp=datetime.now(), login=peer.bot.login, channel=Channel("88001", ChannelType.TEXT),
        guild=Guild("88001"), member=Member(nick="Hana"), user=User(user, is_bot=is_bot),
        message=MessageObject(id=f"m{next(numbers)}", content=content))


def said(taken):
    """The headers, and the message as satori-python reads it."""
    headers, params = taken
    check_same(headers["authorization"], f"Bearer {API_TOKEN}")
    check_same(params["channel_id"], "88001")
    return transform(parse(params["content"]))


def text(elements):
    return "".join(element.text if isinstance(element, Text) else "" for element in elements)


def reply(server, peer, event):
    check_same(peer.post(event, endpoint(server)), [])
    return said(peer.bot.take())


def test_a_player_binds_and_draws(server, peer):
    check_contains("绑定成功", text(reply(server, peer, event(peer, "绑定 独行者", "30001"))))
    # Behind a mention of the bot.
    drawn = reply(server, peer, event(peer, [At(SELF_ID), Text(" 抽奖")], "30001"))
    check_contains("恭喜中奖", text(drawn))
    check_contains("金币 <x100> & [更多]", text(drawn))
    check_same([element.id for element in drawn if isinstance(element, At)], ["30001"])


def test_a_message_delivered_again_is_answered_once(server, peer):
    reply(server, peer, event(peer, "绑定 连发", "30002"))
    draw = event(peer, "抽奖", "30002")
    check_contains("恭喜中奖", text(reply(server, peer, draw)))
    # The same message under a new number of the connection.
    check_same(peer.post(draw, endpoint(server), endpoint(server)), [])
    check_only_binding("连发", text(reply(server, peer, event(peer, "我的绑定", "30002"))))


def test_a_name_that_looks_like_elements_is_text(server, peer):
    name = HOSTILE_NAME + '<at type="all"/>'
    bound = reply(server, peer, event(peer, f"绑定 {name}", "30003"))
    check_contains(name, text(bound))
    check_same([(element.id, element.type) for element in bound if isinstance(element, At)], [("30003", None)])


def test_bots_edits_and_other_events_are_left_alone(server, peer):
    silent = [
        event(peer, "抽奖", "30004", is_bot=True),
        event(peer, "抽奖", "30004", type=EventType.MESSAGE_UPDATED),
        event(peer, "抽奖", "30004", type=EventType.GUILD_MEMBER_ADDED),
        event(peer, "抽奖", SELF_ID),
    ]
    for each in silent:
        check_same(peer.post(each, endpoint(server)), [])
    check_contains("还没有绑定", text(reply(server, peer, event(peer, "我的绑定", "30005"))))


def test_the_metadata_that_a_server_sends_first_is_taken(server, peer):
    async def create(token):
        body = {"url": f"http://127.0.0.1:{server.port}{PATH}", "token": token}
        async with peer.server.session.post(f"{peer.server.url_base}/meta/webhook.create", json=body) as answer:
            return answer.status

    check_same(peer.call(create(TOKEN)), 200)
    # It fails with us: its own answer is that of a server whose webhook refused it.
    check_same(peer.call(create(TOKEN + "1")), 500)


def test_a_wrong_token_is_refused(server, peer):
    for token in (TOKEN + "1", TOKEN.upper(), "", None):
        errors = peer.post(event(peer, "绑定 冒名", "30006"), endpoint(server, token))
        assert len(errors) == 1 and errors[0].startswith(("401", "403")), (token, errors)
    check_contains("还没有绑定", text(reply(server, peer, event(peer, "我的绑定", "30006"))))


if __name__ == "__main__":
    run(playing)
