from __future__ import annotations

from django.templatetags.static import static
from django.urls import path
from django.views.generic import RedirectView

from arguslm.dashboard import views

app_name = "dashboard"
urlpatterns = [
    # Browsers ask for it on pages that name no icon: the admin, a download, an error.
    path("favicon.ico", RedirectView.as_view(url=static("dashboard/icon.svg"))),
    path("overview", views.overview, name="home"),
    path("models/<uuid:pk>", views.model, name="model"),
    path("models/<uuid:pk>/series", views.model_series, name="model-series"),
    path("benchmarks", views.benchmarks, name="benchmarks"),
    path("benchmarks/<uuid:pk>", views.run, name="run"),
    path("benchmarks/<uuid:pk>/points", views.run_points, name="run-points"),
    path("alerts", views.alerts, name="alerts"),
    path("providers", views.providers, name="providers"),
    path("providers/<uuid:pk>", views.account, name="account"),
]
