"""What every WebSocket shares: the guard in front of it (the rules of REST) and its life."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from arguslm.api.access import is_open_to, token_in
from arguslm.api.bells import end_task
from arguslm.api.models import ApiToken
from arguslm.api.origin import is_foreign

Scope = dict[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]

CLOSE_UNAUTHORIZED = 4401
CLOSE_FOREIGN_ORIGIN = 4403
CLOSE_NOT_FOUND = 4404
# How long a watcher may take for what was sent to it before we closed.
CLOSE_S = 60.0


class Socket(AsyncWebsocketConsumer):  # type: ignore[misc]
    # Feeds listen for all watchers of a process; a socket must not fall with the broker.
    channel_layer_alias = "no channel layer of its own"


class Refusal(Socket):
    """Accepts and closes at once: only an accepted socket can carry a close code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        # Channels drops what as_asgi() is given unless the consumer takes it itself.
        super().__init__()
        self.code = code
        self.reason = reason

    async def connect(self) -> None:
        await self.accept()
        await self.close(code=self.code, reason=self.reason)


class Watcher(Socket):
    """Tells the client what `watch` sends, until that or the connection ends."""

    _watching: asyncio.Task[None] | None = None

    async def watch(self) -> None:
        """What each kind of watcher does itself."""

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Also when the server cancels us, without a word of `disconnect`.
            if self._watching is not None:
                await end_task(self._watching)

    async def connect(self) -> None:
        await self.accept()
        self._watching = asyncio.create_task(self.watch())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data == "ping":
            await self.send(text_data="pong")


def headers_of(scope: Scope) -> dict[str, str]:
    return {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
    }


async def refusal_for(scope: Scope) -> tuple[int, str] | None:
    headers = headers_of(scope)
    host = headers.get("host", "")
    if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        return CLOSE_FOREIGN_ORIGIN, "This server does not answer for that host."
    origin = headers.get("origin")
    if origin is not None and is_foreign(origin, host):
        return CLOSE_FOREIGN_ORIGIN, "Pages of another origin may not connect."
    plain = token_in(headers.get("authorization", ""))
    if plain is not None:
        known = await sync_to_async(ApiToken.find)(plain)
        return None if known else (CLOSE_UNAUTHORIZED, "This API token is not known here.")
    peer = (scope.get("client") or (None,))[0]
    if is_open_to(peer, headers) or await sync_to_async(_is_staff)(scope):
        return None
    return CLOSE_UNAUTHORIZED, "An API token is needed."


def _is_staff(scope: Scope) -> bool:
    return bool(scope["user"].is_staff)


def guarded(app: App) -> App:
    async def guard(scope: Scope, receive: Any, send: Any) -> None:
        refusal = await refusal_for(scope)
        if refusal is None:
            await app(scope, receive, send)
        else:
            code, reason = refusal
            await Refusal.as_asgi(code=code, reason=reason)(scope, receive, send)

    stack: App = AuthMiddlewareStack(guard)
    return stack
