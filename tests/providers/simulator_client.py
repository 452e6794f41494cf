"""A client that hides nothing: raw sockets, whole bytes, and how the connection ended."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from providers.simulator import Simulator

SAY_HELLO = [{"role": "user", "content": "Say hello to the harbour."}]


@dataclass(frozen=True, slots=True)
class RawReply:
    """`ended` is complete, closed, reset or silent (nothing more came in time)."""

    status: int
    headers: dict[str, str]
    raw: bytes
    body: bytes
    ended: str

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        lines = self.body.replace(b"\r\n", b"\n").split(b"\n")
        data = [line[6:] for line in lines if line.startswith(b"data: ")]
        return ["[DONE]" if one == b"[DONE]" else json.loads(one) for one in data]

    @property
    def request_id(self) -> str:
        return self.headers.get("x-request-id") or self.headers["request-id"]


def open_socket(simulator: Simulator, timeout_s: float = 5.0) -> socket.socket:
    where = urlsplit(simulator.base_url)
    return socket.create_connection((where.hostname, where.port), timeout=timeout_s)


def request_bytes(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: simulator", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chat_bytes(model: str, *, wire: str = "openai", stream: bool = True, **fields: Any) -> bytes:
    body: dict[str, Any] = {"model": model, "messages": SAY_HELLO, "stream": stream}
    if wire == "anthropic":
        body["max_tokens"] = 1000
    path = "/v1/chat/completions" if wire == "openai" else "/v1/messages"
    data = json.dumps({**body, **fields}).encode()
    return request_bytes("POST", path, data, authorization="Bearer sk-secret-key-12345")


def send(simulator: Simulator, data: bytes, timeout_s: float = 5.0) -> RawReply:
    with open_socket(simulator, timeout_s) as sock:
        sock.sendall(data)
        return read_reply(sock)


def chat(simulator: Simulator, model: str, timeout_s: float = 5.0, **fields: Any) -> RawReply:
    return send(simulator, chat_bytes(model, **fields), timeout_s)


def get(simulator: Simulator, path: str, **headers: str) -> RawReply:
    return send(simulator, request_bytes("GET", path, b"", **headers))


def read_reply(sock: socket.socket) -> RawReply:
    raw, ended = b"", ""
    while not ended:
        try:
            data = sock.recv(65536)
        except ConnectionResetError:
            ended = "reset"
        except TimeoutError:
            ended = "silent"
        else:
            raw += data
            ended = "closed" if not data else ("complete" if _is_complete(raw) else "")
    return _parsed(raw, ended)


def _is_complete(raw: bytes) -> bool:
    head, found, rest = raw.partition(b"\r\n\r\n")
    if not found:
        return False
    if b"transfer-encoding: chunked" in head:
        return rest.endswith(b"0\r\n\r\n")
    return len(rest) >= int(_headers(head)["content-length"])


def _parsed(raw: bytes, ended: str) -> RawReply:
    head, _, rest = raw.partition(b"\r\n\r\n")
    headers = _headers(head)
    body = _dechunked(rest) if "transfer-encoding" in headers else rest
    status = int(head.split(b" ")[1]) if head else 0
    return RawReply(status, headers, raw, body, ended)


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.split(": ", 1) for line in lines)
    return {name.lower(): value for name, value in pairs}


def _dechunked(data: bytes) -> bytes:
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        body, data = body + data[:length], data[length + 2 :]
    return body
