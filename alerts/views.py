from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from alerts.models import Alert, AlertQuerySet, AlertRule
from alerts.serializers import (
    AlertList,
    AlertOutput,
    AlertQuery,
    AlertRuleInput,
    AlertRuleOutput,
    AlertRulePatch,
    RecentAlerts,
    RecentQuery,
    UnreadCount,
)
from arguslm.api import queries


class AlertRuleViewSet(GenericViewSet[AlertRule]):
    queryset = AlertRule.objects.order_by("-created_at", "-id")
    serializer_class = AlertRuleOutput
    pagination_class = None

    @extend_schema(responses=AlertRuleOutput(many=True))
    def list(self, request: Request) -> Response:
        return Response(AlertRuleOutput(self.get_queryset(), many=True).data)

    @extend_schema(request=AlertRuleInput, responses={201: AlertRuleOutput})
    def create(self, request: Request) -> Response:
        reader = AlertRuleInput(data=request.data)
        reader.is_valid(raise_exception=True)
        return Response(AlertRuleOutput(reader.save()).data, status=201)

    @extend_schema(responses=AlertRuleOutput)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(AlertRuleOutput(self.get_object()).data)

    @extend_schema(request=AlertRulePatch, responses=AlertRuleOutput)
    def partial_update(self, request: Request, pk: UUID) -> Response:
        writer = AlertRulePatch(self.get_object(), data=request.data, partial=True)
        writer.is_valid(raise_exception=True)
        return Response(AlertRuleOutput(writer.save()).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: UUID) -> Response:
        self.get_object().retire()
        return Response(status=204)


class AlertViewSet(GenericViewSet[Alert]):
    queryset = Alert.objects.select_related("llm").order_by("-created_at", "-id")
    serializer_class = AlertOutput
    pagination_class = None

    @extend_schema(parameters=[AlertQuery], responses=AlertList)
    def list(self, request: Request) -> Response:
        query = queries.read(AlertQuery, request)
        limit, offset = query["limit"], query["offset"]
        rows, total = queries.take(matching(query), limit=limit, offset=offset)
        body = {
            "items": rows,
            "total": total,
            "unacknowledged_count": Alert.objects.unread().count(),
            "limit": limit,
            "offset": offset,
        }
        return Response(AlertList(body).data)

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

    @extend_schema(request=None, responses=AlertOutput)
    @action(detail=True, methods=["patch"])
    def acknowledge(self, request: Request, pk: UUID) -> Response:
        alert = self.get_object()
        alert.acknowledge()
        return Response(AlertOutput(alert).data)


def matching(query: dict[str, Any]) -> AlertQuerySet:
    rows: AlertQuerySet = Alert.objects.select_related("llm").order_by("-created_at", "-id")
    filters = {"rule_id": "rule_key", "model_id": "llm_id", "since": "created_at__gte"}
    for name, column in filters.items():
        if query.get(name) is not None:
            rows = rows.filter(**{column: query[name]})
    if query["acknowledged"] is not None:
        rows = rows.filter(acknowledged=query["acknowledged"])
    return rows
