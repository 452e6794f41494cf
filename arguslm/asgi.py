from __future__ import annotations

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arguslm.settings")
http = get_asgi_application()

from arguslm.api.sockets import guarded  # noqa: E402 - needs the apps to be loaded
from arguslm.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter(
    {"http": http, "websocket": guarded(URLRouter(websocket_urlpatterns))}
)
