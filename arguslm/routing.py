from __future__ import annotations

from benchmarks.routing import websocket_urlpatterns

__all__ = ["websocket_urlpatterns"]
