from __future__ import annotations

import os
import sys
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arguslm.settings")
answer = get_asgi_application()

from arguslm.api.sockets import CLOSE_S, guarded  # noqa: E402 - needs the apps to be loaded
from arguslm.routing import websocket_urlpatterns  # noqa: E402


async def http(scope: Any, receive: Any, send: Any) -> None:
    """Django, but without bodies to HEAD.

    Daphne keeps back only the first part of such a body; a client that keeps its connection takes
    the others for the answer to its next request.
    """

    async def send_head(message: Any) -> None:
        is_body = message["type"] == "http.response.body"
        await send({**message, "body": b""} if is_body else message)

    await answer(scope, receive, send_head if scope["method"] == "HEAD" else send)


application = ProtocolTypeRouter(
    {"http": http, "websocket": guarded(URLRouter(websocket_urlpatterns))}
)

# Daphne hangs up a second after a close, on whoever still reads what was sent before it.
if (daphne := sys.modules.get("daphne.ws_protocol")) is not None:
    daphne.WebSocketProtocol.closeHandshakeTimeout = CLOSE_S
