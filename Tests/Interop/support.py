"""What the scripts beside this file share: a running `hongbao serve`, a stand-in for a platform's API, a test runner.

Python 3.11's standard library is enough for this file; each script adds one platform's own SDK.
"""

import contextlib
import http.client
import inspect
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = REPOSITORY / ".build/debug/hongbao"
TEST_SECONDS = 60

# Whoever draws wins, once.
ACTIVITY = """\
id: interop
name: 互通抽奖
max_attempts: 1
awards:
  - {id: bao, prefix: 低保, name: "金币 <x100> & [更多]", kind: DI_BAO}
"""

# What a player binds whose name tries to be markup on every platform, and to call everybody.
HOSTILE_NAME = "<!everyone>@all[CQ:at,qq=all]<at/>&*_`"


@dataclass
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)


class Server:
    """`hongbao serve` with an open activity, in a folder and on a port of its own, until the end of the block."""

    def __init__(self, **endpoints):
        self.endpoints = endpoints
        self.port = None
        self.lines = []

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="hongbao-interop-")
        folder = Path(self.folder.name)
        # JSON is YAML, and quotes whatever a secret may hold.
        settings = {"port": 0, "log_level": "info", "endpoints": self.endpoints}
        (folder / "hongbao.yaml").write_text(json.dumps(settings, ensure_ascii=False))
        (folder / "interop.yaml").write_text(ACTIVITY)
        # Settings of whoever runs this must not reach the program.
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("HONGBAO_")}
        for arguments in (["import", "interop.yaml"], ["start", "互通抽奖"]):
            command = [PROGRAM, "activity", *arguments, "--database", "hongbao.db"]
            subprocess.run(command, cwd=folder, env=self.environment, check=True, stdout=subprocess.PIPE, timeout=60)
        self.process = subprocess.Popen(
            [PROGRAM, "serve"], cwd=folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        listening = threading.Event()
        self.reader = threading.Thread(target=self._read, args=(listening,), daemon=True)
        self.reader.start()
        try:
            if not listening.wait(60) or self.port is None:
                raise AssertionError("the server does not listen")
        except BaseException:
            self._stop()
            print("".join(self.lines), end="")
            raise
        return self

    def _read(self, listening):
        for line in self.process.stderr:
            self.lines.append(line)
            if self.port is None and line.startswith("http://"):
                self.port = int(line.rsplit(":", 1)[1])
                listening.set()
        listening.set()

    def __exit__(self, *fault):
        status = self._stop()
        if status != 0 and fault[0] is None:
            raise AssertionError(f"the server ended with {status}")

    def _stop(self):
        self.process.terminate()
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.reader.join(10)
        self.folder.cleanup()
        return status

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            response = Response(answer.status, answer.headers, answer.read())
        finally:
            connection.close()
        assert response.status < 500, f"{method} {path}: {response.status}"
        return response

    def post(self, path, body, headers):
        return self.request("POST", path, body, {"Content-Type": "application/json", **headers})


@dataclass
class Call:
    method: str
    path: str
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        return json.loads(self.body)


class StubAPI:
    """Stands for a platform's API: notes every call, answers with the status and the JSON that `answer(call)` gives."""

    def __init__(self, answer):
        self.answer = answer
        self.calls = []
        self.arrived = threading.Condition()

    def __enter__(self):
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                size = int(self.headers.get("Content-Length") or 0)
                call = Call(self.command, self.path, self.headers, self.rfile.read(size))
                status, value = stub.answer(call)
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                with stub.arrived:
                    stub.calls.append(call)
                    stub.arrived.notify_all()

            do_POST = do_PUT = do_GET

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *fault):
        self.server.shutdown()
        self.server.server_close()

    def take(self, path):
        """The first call not yet taken whose path holds `path`, once there is one."""
        return wait_for(self.arrived, lambda: self._pop(path), f"a call to {path}")

    def _pop(self, path):
        for index, call in enumerate(self.calls):
            if path in call.path:
                return self.calls.pop(index)
        return None


def wait_for(condition, find, what, seconds=20):
    """What `find` finds, asked again whenever `condition` is notified."""
    end = time.monotonic() + seconds
    with condition:
        while (found := find()) is None:
            if not condition.wait(max(end - time.monotonic(), 0)):
                raise AssertionError(f"waited {seconds} s for {what}")
    return found


def check_same(ours, theirs):
    """Two values are the same; says both when they are not."""
    assert ours == theirs, f"\n  ours:   {ours!r}\n  theirs: {theirs!r}"


def check_contains(part, text):
    assert part in text, f"{part!r} is not in {text!r}"


def check_only_binding(name, text):
    """The reply to 我的绑定, and not together with another reply to a draw."""
    check_contains(name, text)
    assert "中奖" not in text and "中过奖" not in text, text


def raise_timeout(number, frame):
    raise TimeoutError(f"not done after {TEST_SECONDS} s")


def run(playing):
    """Runs every `test_…` of the script in its order, with what the block `playing()` yields; ends the process."""
    script = inspect.getmodule(playing)
    tests = [value for name, value in vars(script).items() if name.startswith("test_")]
    failed = []
    lines = []
    # Whatever ends a test early, the server is stopped.
    signal.signal(signal.SIGALRM, raise_timeout)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    with contextlib.ExitStack() as stack:
        try:
            scene = stack.enter_context(contextlib.contextmanager(playing)())
            lines = next((value.lines for value in scene if isinstance(value, Server)), [])
            for test in tests:
                try:
                    signal.alarm(TEST_SECONDS)
                    test(*scene)
                except Exception:
                    failed.append(test.__name__)
                    print(f"--- {test.__name__}")
                    traceback.print_exc(file=sys.stdout)
                finally:
                    signal.alarm(0)
            stack.close()
        except Exception:
            failed.append("the scene")
            traceback.print_exc(file=sys.stdout)
    if failed:
        print("--- the server said\n" + "".join(lines))
        print(f"failed: {', '.join(failed)}")
        sys.exit(1)
    print(f"{len(tests)} tests")
