from __future__ import annotations

from django.urls import path

from monitoring.cost_views import CostEstimateViewSet
from monitoring.history_views import (
    ReportedModelViewSet,
    SummaryViewSet,
    TimeseriesViewSet,
    UptimeViewSet,
)
from monitoring.pack_views import PackImport, PromptPackViewSet
from monitoring.views import ConfigViewSet, RoundViewSet

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
    path(
        "monitoring/runs/<uuid:pk>/cancel",
        RoundViewSet.as_view({"post": "cancel"}),
        name="monitoring-run-cancel",
    ),
    path("monitoring/uptime", UptimeViewSet.as_view({"get": "list"}), name="monitoring-uptime"),
    path(
        "monitoring/uptime/export",
        UptimeViewSet.as_view({"get": "export"}),
        name="monitoring-uptime-export",
    ),
    path("monitoring/summary", SummaryViewSet.as_view({"get": "list"}), name="monitoring-summary"),
    path(
        "monitoring/timeseries",
        TimeseriesViewSet.as_view({"get": "list"}),
        name="monitoring-timeseries",
    ),
    path(
        "monitoring/cost-estimate",
        CostEstimateViewSet.as_view({"get": "list"}),
        name="monitoring-cost-estimate",
    ),
    path(
        "monitoring/reported-models",
        ReportedModelViewSet.as_view({"get": "list"}),
        name="monitoring-reported-models",
    ),
    path(
        "monitoring/prompt-packs",
        PromptPackViewSet.as_view({"get": "list", "post": "create"}),
        name="monitoring-prompt-packs",
    ),
    path(
        "monitoring/prompt-packs/import",
        PackImport.as_view({"post": "create"}),
        name="monitoring-prompt-packs-import",
    ),
    path(
        "monitoring/prompt-packs/<slug:pk>",
        PromptPackViewSet.as_view(
            {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}
        ),
        name="monitoring-prompt-pack",
    ),
]
