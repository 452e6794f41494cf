"""An application that sends as much as it is let, and tells how much that was."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

from arguslm.embedded.web import Web

SIZE, PIECE = 64 * 2**20, 2**16
sent = [0]


async def application(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/sent":
        await send({"type": "http.response.body", "body": str(sent[0]).encode()})
        return
    for _ in range(SIZE // PIECE):
        await send({"type": "http.response.body", "body": bytes(PIECE), "more_body": True})
        sent[0] += PIECE
    await send({"type": "http.response.body"})


if __name__ == "__main__":
    Web(application, int(sys.argv[1])).run()
