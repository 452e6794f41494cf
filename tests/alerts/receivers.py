"""Real HTTP servers that behave as receivers of webhooks do, well or badly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


Behaviour = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Receiver:
    url: str
    behave: Behaviour
    got: list[Received] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [each.id for each in self.got]


def answer(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        try:
            handler.wfile.write(body)
        except OSError:  # the client has read enough
            handler.close_connection = True

    return behave


def slowly(seconds: float, then: Behaviour) -> Behaviour:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        then(handler)

    return behave


def pour(size: int, sent: list[int]) -> Behaviour:
    """A body of this size; `sent` is what went out of it before the client had enough."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", str(size))
        handler.end_headers()
        with suppress(OSError):
            while sum(sent) < size:
                sent.append(handler.wfile.write(b"x" * 65_536))
        handler.close_connection = True

    return behave


def drip(status: int, until: threading.Event) -> Behaviour:
    """The status at once, and a body that does not end before `until`."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("content-length", "1000")
        handler.end_headers()
        with suppress(OSError):
            while not until.wait(0.05):
                handler.wfile.write(b"x")
        handler.close_connection = True

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """One after the other; the last one for all that follow."""
    waiting = list(behaviours)

    def behave(handler: BaseHTTPRequestHandler) -> None:
        (waiting.pop(0) if len(waiting) > 1 else waiting[0])(handler)

    return behave


@contextmanager
def receiving(behave: Behaviour | None = None) -> Iterator[Receiver]:
    receiver = Receiver("", behave or answer(204))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("content-length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.append(Received(self.path, headers, self.rfile.read(size)))
            receiver.behave(self)

        do_GET = do_POST

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hooks/ops"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
