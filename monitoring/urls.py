from __future__ import annotations

from django.urls import path

from monitoring.views import ConfigViewSet, PromptPackViewSet, RoundViewSet, UptimeViewSet

urlpatterns = [
    path(
        "monitoring/config",
        ConfigViewSet.as_view({"get": "retrieve", "patch": "partial_update"}),
        name="monitoring-config",
    ),
    path("monitoring/run", RoundViewSet.as_view({"post": "create"}), name="monitoring-run"),
    path("monitoring/runs", RoundViewSet.as_view({"get": "list"}), name="monitoring-runs"),
    path(
        "monitoring/runs/<uuid:pk>",
        RoundViewSet.as_view({"get": "retrieve"}),
        name="monitoring-run-detail",
    ),
    path("monitoring/uptime", UptimeViewSet.as_view({"get": "list"}), name="monitoring-uptime"),
    path(
        "monitoring/uptime/export",
        UptimeViewSet.as_view({"get": "export"}),
        name="monitoring-uptime-export",
    ),
    path(
        "monitoring/prompt-packs",
        PromptPackViewSet.as_view({"get": "list"}),
        name="monitoring-prompt-packs",
    ),
]
