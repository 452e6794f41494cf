from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerView

from arguslm.api import errors
from arguslm.api.status import Health, Root
from arguslm.dashboard.views import frame
from monitoring.metrics_views import Metrics

v1: list[URLPattern | URLResolver] = [
    path("", Root.as_view(schema=None)),
    path("health", Health.as_view(schema=None), name="v1-health"),
    path("", include("providers.urls")),
    path("", include("models_app.urls")),
    path("", include("monitoring.urls")),
    path("", include("benchmarks.urls")),
    path("", include("alerts.urls")),
]

urlpatterns = [
    path("", Root.as_view(), name="root"),
    path("health", Health.as_view(), name="health"),
    path("metrics", Metrics.as_view(), name="metrics"),
    path("api/v1", Root.as_view(schema=None), name="v1-root"),
    path("api/v1/", include(v1)),
    path("openapi.json", SpectacularJSONAPIView.as_view(), name="schema"),
    path("docs", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("admin/", admin.site.urls),
    path("", include("arguslm.dashboard.urls")),
]

handler400 = errors.bad_request
handler403 = errors.permission_denied
handler404 = frame.unknown_address
handler500 = frame.broken
