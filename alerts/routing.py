from __future__ import annotations

from django.urls import URLPattern, path

from alerts.consumers import AlertsConsumer

websocket_urlpatterns: list[URLPattern] = [
    path("api/v1/alerts/stream", AlertsConsumer.as_asgi()),
]
