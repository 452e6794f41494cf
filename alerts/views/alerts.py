from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from alerts.announcements import announce_after_commit
from alerts.histories import incident_page, timeline
from alerts.models import Alert, AlertQuerySet
from alerts.serializers.alerts import (
    AcknowledgeInput,
    AlertList,
    AlertOutput,
    AlertQuery,
    BulkAcknowledged,
    BulkAcknowledgeInput,
    IncidentList,
    IncidentQuery,
    PageQuery,
    RecentAlerts,
    RecentQuery,
    Timeline,
    UnreadCount,
)
from arguslm.api import queries


class AlertViewSet(GenericViewSet[Alert]):
    queryset = Alert.objects.select_related("llm").order_by("-created_at", "-id")
    serializer_class = AlertOutput
    pagination_class = None

    @extend_schema(parameters=[AlertQuery], responses=AlertList)
    def list(self, request: Request) -> Response:
        query = queries.read(AlertQuery, request)
        limit, offset = query["limit"], query["offset"]
        rows, total = queries.take(matching(self.get_queryset(), query), limit=limit, offset=offset)
        body = {
            "items": rows,
            "total": total,
            "unacknowledged_count": Alert.objects.unread().count(),
            "limit": limit,
            "offset": offset,
        }
        return Response(AlertList(body).data)

    @extend_schema(responses=AlertOutput)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(AlertOutput(self.get_object()).data)

    @extend_schema(parameters=[RecentQuery], responses=RecentAlerts)
    @action(detail=False)
    def recent(self, request: Request) -> Response:
        limit = queries.read(RecentQuery, request)["limit"]
        items = self.get_queryset().filter(in_app=True)[:limit]
        body = {"items": items, "total_unread": Alert.objects.unread().count()}
        return Response(RecentAlerts(body).data)

    @extend_schema(responses=UnreadCount)
    @action(detail=False)
    def unread_count(self, request: Request) -> Response:
        return Response({"count": Alert.objects.unread().count()})

    @extend_schema(parameters=[IncidentQuery], responses=IncidentList)
    @action(detail=False)
    def incidents(self, request: Request) -> Response:
        """Alerts of one provider that overlap in time, the newest first."""
        return Response(IncidentList(incident_page(queries.read(IncidentQuery, request))).data)

    @extend_schema(parameters=[PageQuery], responses=Timeline)
    @action(detail=True)
    def events(self, request: Request, pk: UUID) -> Response:
        """What happened to the alert and what was told of it, in order."""
        page = queries.read(PageQuery, request)
        return Response(Timeline(timeline(self.get_object(), **page)).data)

    @extend_schema(request=AcknowledgeInput, responses=AlertOutput)
    @action(detail=True, methods=["patch"])
    def acknowledge(self, request: Request, pk: UUID) -> Response:
        reader = AcknowledgeInput(data=request.data)
        reader.is_valid(raise_exception=True)
        alert = self.get_object()
        alert.acknowledge(reader.validated_data.get("note", ""))
        announce_after_commit()
        return Response(AlertOutput(self.get_object()).data)

    @extend_schema(request=BulkAcknowledgeInput, responses=BulkAcknowledged)
    @action(detail=False, methods=["post"])
    def acknowledge_many(self, request: Request) -> Response:
        reader = BulkAcknowledgeInput(data=request.data)
        reader.is_valid(raise_exception=True)
        wanted = reader.validated_data
        rows: AlertQuerySet = Alert.objects.all()
        if "ids" in wanted:
            rows = rows.filter(pk__in=wanted["ids"])
        else:
            rows = matching(rows, wanted["filter"])
        number = rows.acknowledge(wanted.get("note", ""))
        announce_after_commit()
        return Response({"acknowledged": number})


FILTERS = {
    "rule_id": "rule_key",
    "model_id": "llm_id",
    "provider_id": "llm__account_id",
    "since": "created_at__gte",
}


def matching(rows: Any, query: dict[str, Any]) -> Any:
    for name, column in FILTERS.items():
        if query.get(name) is not None:
            rows = rows.filter(**{column: query[name]})
    if query.get("state") is not None:
        rows = rows.filter(resolved_at__isnull=query["state"] == "open")
    if query.get("acknowledged") is not None:
        rows = rows.filter(acknowledged=query["acknowledged"])
    return rows
