from __future__ import annotations

from alerts.routing import websocket_urlpatterns as alerts
from benchmarks.routing import websocket_urlpatterns as benchmarks

websocket_urlpatterns = [*alerts, *benchmarks]
