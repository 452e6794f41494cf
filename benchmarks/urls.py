from __future__ import annotations

from django.urls import path

from benchmarks.views import BenchmarkViewSet as Runs

urlpatterns = [
    path("benchmarks", Runs.as_view({"get": "list", "post": "create"})),
    path("benchmarks/<uuid:pk>", Runs.as_view({"get": "retrieve", "delete": "destroy"})),
    path("benchmarks/<uuid:pk>/results", Runs.as_view({"get": "results"})),
    path("benchmarks/<uuid:pk>/export", Runs.as_view({"get": "export"})),
    path("benchmarks/<uuid:pk>/cancel", Runs.as_view({"post": "cancel"})),
]
