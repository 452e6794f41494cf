from __future__ import annotations

from django.urls import path

from providers.views import ProviderViewSet

urlpatterns = [
    path("providers", ProviderViewSet.as_view({"get": "list", "post": "create"})),
    path("providers/catalog", ProviderViewSet.as_view({"get": "catalog"})),
    path(
        "providers/<uuid:pk>",
        ProviderViewSet.as_view(
            {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}
        ),
    ),
]
