from __future__ import annotations

from django.urls import re_path

from alerts.routing import websocket_urlpatterns as alerts
from arguslm.api.sockets import CLOSE_NOT_FOUND, Refusal
from benchmarks.routing import websocket_urlpatterns as benchmarks

nothing_here = Refusal.as_asgi(code=CLOSE_NOT_FOUND, reason="There is no stream at this address.")
websocket_urlpatterns = [*alerts, *benchmarks, re_path("", nothing_here)]
