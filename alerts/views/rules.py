from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from alerts.models import AlertRule
from alerts.replays import replay_rule
from alerts.serializers.rules import (
    AlertRuleInput,
    AlertRuleOutput,
    AlertRulePatch,
    ReplayInput,
    ReplayOutput,
)


class AlertRuleViewSet(GenericViewSet[AlertRule]):
    queryset = (
        AlertRule.objects.select_related("own_channel")
        .prefetch_related("channels")
        .order_by("-created_at", "-id")
    )
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
        writer.save()
        return Response(AlertRuleOutput(self.get_object()).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: UUID) -> Response:
        self.get_object().retire()
        return Response(status=204)

    @extend_schema(request=ReplayInput, responses=ReplayOutput)
    @action(detail=False, methods=["post"])
    def replay(self, request: Request) -> Response:
        """How often the rule would have fired in the last 30 days, and when."""
        reader = ReplayInput(data=request.data)
        reader.is_valid(raise_exception=True)
        return Response(ReplayOutput(replay_rule(reader.validated_data)).data)
