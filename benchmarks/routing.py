from __future__ import annotations

from django.urls import URLPattern, re_path

from benchmarks.consumers import RunConsumer

# Any text stands for the run here: a wrong one is refused with a close code and a reason.
websocket_urlpatterns: list[URLPattern] = [
    re_path(r"^api/v1/benchmarks/(?P<run_id>[^/]+)/stream$", RunConsumer.as_asgi()),
]
