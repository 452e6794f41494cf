from __future__ import annotations

from django.urls import path

from alerts.views import AlertRuleViewSet, AlertViewSet

urlpatterns = [
    path("alerts", AlertViewSet.as_view({"get": "list"})),
    path("alerts/recent", AlertViewSet.as_view({"get": "recent"})),
    path("alerts/unread-count", AlertViewSet.as_view({"get": "unread_count"})),
    path("alerts/<uuid:pk>/acknowledge", AlertViewSet.as_view({"patch": "acknowledge"})),
    path("alerts/rules", AlertRuleViewSet.as_view({"get": "list", "post": "create"})),
    path(
        "alerts/rules/<uuid:pk>",
        AlertRuleViewSet.as_view(
            {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}
        ),
    ),
]
