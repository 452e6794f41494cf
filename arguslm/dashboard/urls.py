from __future__ import annotations

from django.templatetags.static import static
from django.urls import path
from django.views.generic import RedirectView

from arguslm.dashboard.views import alerts, benchmarks, models, overview, providers

app_name = "dashboard"
urlpatterns = [
    # Browsers ask for it on pages that name no icon: a download, an error.
    path("favicon.ico", RedirectView.as_view(url=static("dashboard/icon.svg"))),
    path("overview", overview.home, name="home"),
    path("models/<uuid:pk>", models.model, name="model"),
    path("models/<uuid:pk>/series", models.model_series, name="model-series"),
    path("benchmarks", benchmarks.benchmarks, name="benchmarks"),
    path("benchmarks/schedules", benchmarks.schedules, name="schedules"),
    path("benchmarks/prompts", benchmarks.prompts, name="prompts"),
    path("benchmarks/<uuid:pk>", benchmarks.run, name="run"),
    path("benchmarks/<uuid:pk>/points", benchmarks.run_points, name="run-points"),
    path("alerts", alerts.current, name="alerts"),
    path("alerts/history", alerts.history, name="alert-history"),
    path("alerts/incidents", alerts.incidents, name="incidents"),
    path("alerts/rules", alerts.rules, name="rules"),
    path("alerts/rules/<uuid:pk>", alerts.rule, name="rule"),
    path("alerts/channels", alerts.channels, name="channels"),
    path("alerts/channels/<uuid:pk>", alerts.channel, name="channel"),
    path("alerts/silences", alerts.silences, name="silences"),
    path("alerts/<uuid:pk>", alerts.alert, name="alert"),
    path("providers", providers.providers, name="providers"),
    path("providers/<uuid:pk>", providers.account, name="account"),
]
