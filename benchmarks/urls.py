from __future__ import annotations

from django.urls import path

from benchmarks.analysis_views import AnalysisViewSet as Analysis
from benchmarks.schedule_views import ScheduleViewSet as Schedules
from benchmarks.views import BenchmarkViewSet as Runs

urlpatterns = [
    path("benchmarks", Runs.as_view({"get": "list", "post": "create"})),
    path("benchmarks/runs-needed", Analysis.as_view({"get": "runs_needed"})),
    path("benchmarks/schedules", Schedules.as_view({"get": "list", "post": "create"})),
    path(
        "benchmarks/schedules/<uuid:pk>",
        Schedules.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
    ),
    path("benchmarks/schedules/<uuid:pk>/rebase", Schedules.as_view({"post": "rebase"})),
    path("benchmarks/<uuid:pk>", Runs.as_view({"get": "retrieve", "delete": "destroy"})),
    path("benchmarks/<uuid:pk>/results", Runs.as_view({"get": "results"})),
    path("benchmarks/<uuid:pk>/export", Runs.as_view({"get": "export"})),
    path("benchmarks/<uuid:pk>/cancel", Runs.as_view({"post": "cancel"})),
    path("benchmarks/<uuid:pk>/comparison", Analysis.as_view({"get": "comparison"})),
    path("benchmarks/<uuid:pk>/report", Analysis.as_view({"get": "report"})),
    path("benchmarks/<uuid:pk>/manifest", Analysis.as_view({"get": "manifest"})),
    path("benchmarks/<uuid:pk>/rerun", Analysis.as_view({"post": "rerun"})),
]
