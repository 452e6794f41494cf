from __future__ import annotations

from typing import Any

from django.urls import path

from alerts.views.alerts import AlertViewSet
from alerts.views.channels import AlertSettingsView, ChannelViewSet
from alerts.views.deliveries import DeliveryViewSet
from alerts.views.rules import AlertRuleViewSet
from alerts.views.silences import SilenceViewSet

MANY: dict[str, Any] = {"get": "list", "post": "create"}
ONE: dict[str, Any] = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}

urlpatterns = [
    path("alerts", AlertViewSet.as_view({"get": "list"})),
    path("alerts/recent", AlertViewSet.as_view({"get": "recent"})),
    path("alerts/unread-count", AlertViewSet.as_view({"get": "unread_count"})),
    path("alerts/incidents", AlertViewSet.as_view({"get": "incidents"})),
    path("alerts/acknowledge", AlertViewSet.as_view({"post": "acknowledge_many"})),
    path("alerts/<uuid:pk>", AlertViewSet.as_view({"get": "retrieve"})),
    path("alerts/<uuid:pk>/events", AlertViewSet.as_view({"get": "events"})),
    path("alerts/<uuid:pk>/acknowledge", AlertViewSet.as_view({"patch": "acknowledge"})),
    path("alerts/rules", AlertRuleViewSet.as_view(MANY)),
    path("alerts/rules/replay", AlertRuleViewSet.as_view({"post": "replay"})),
    path("alerts/rules/<uuid:pk>", AlertRuleViewSet.as_view(ONE)),
    path("alerts/channels", ChannelViewSet.as_view(MANY)),
    path("alerts/channels/<uuid:pk>", ChannelViewSet.as_view(ONE)),
    path("alerts/channels/<uuid:pk>/test", ChannelViewSet.as_view({"post": "test"})),
    path(
        "alerts/channels/<uuid:pk>/rotate-secret",
        ChannelViewSet.as_view({"post": "rotate_secret"}),
    ),
    path("alerts/deliveries", DeliveryViewSet.as_view({"get": "list"})),
    path("alerts/deliveries/<uuid:id>", DeliveryViewSet.as_view({"get": "retrieve"})),
    path("alerts/deliveries/<uuid:id>/redeliver", DeliveryViewSet.as_view({"post": "redeliver"})),
    path("alerts/silences", SilenceViewSet.as_view(MANY)),
    path("alerts/silences/<uuid:pk>", SilenceViewSet.as_view(ONE)),
    path("alerts/settings", AlertSettingsView.as_view()),
]
