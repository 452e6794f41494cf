from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ViewSet

from arguslm.api import queries
from arguslm.api.errors import Conflict
from arguslm.api.serializers import refuse_body
from arguslm.api.work import nudge
from monitoring import rounds
from monitoring.budget import BudgetExhausted
from monitoring.config_serializers import ConfigOutput, ConfigPatch
from monitoring.models import MonitoringConfig, Round
from monitoring.progress import progress_of
from monitoring.serializers import (
    RoundList,
    RoundOutput,
    RoundQuery,
    RoundStarted,
)
from monitoring.tasks import tick


class ConfigViewSet(ViewSet):
    @extend_schema(operation_id="monitoring_config_retrieve", responses=ConfigOutput)
    def retrieve(self, request: Request) -> Response:
        return Response(ConfigOutput(MonitoringConfig.load()).data)

    @extend_schema(
        operation_id="monitoring_config_update", request=ConfigPatch, responses=ConfigOutput
    )
    def partial_update(self, request: Request) -> Response:
        reader = ConfigPatch(data=request.data)
        reader.is_valid(raise_exception=True)
        config = MonitoringConfig.load()
        config.change(timezone.now(), **reader.validated_data)
        return Response(ConfigOutput(config).data)


class RoundViewSet(GenericViewSet[Round]):
    queryset = Round.objects.order_by("-created_at", "-id")
    serializer_class = RoundOutput
    pagination_class = None

    @extend_schema(operation_id="monitoring_run", request=None, responses={200: RoundStarted})
    def create(self, request: Request) -> Response:
        refuse_body(request)
        try:
            opened, is_new = rounds.open_manual(timezone.now())
        except BudgetExhausted as exc:
            raise Conflict("The monthly cap leaves no money for another run.") from exc
        if is_new:
            nudge(tick)
        body = {
            "run_id": opened.pk,
            "status": opened.status,
            "message": rounds.describe(opened, is_new),
        }
        return Response(RoundStarted(body).data)

    @extend_schema(operation_id="monitoring_runs_cancel", request=None, responses=RoundOutput)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: UUID) -> Response:
        """Results that the run has already are kept."""
        refuse_body(request)
        found = self.get_object()
        if not rounds.cancel(found, timezone.now()):
            raise Conflict("This run is over already.")
        return Response(RoundOutput(_told([found])[0]).data)

    @extend_schema(operation_id="monitoring_runs_retrieve", responses=RoundOutput)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(RoundOutput(_told([self.get_object()])[0]).data)

    @extend_schema(
        operation_id="monitoring_runs_list", parameters=[RoundQuery], responses=RoundList
    )
    def list(self, request: Request) -> Response:
        query = queries.read(RoundQuery, request)
        rows, total = queries.take(self.get_queryset(), **query)
        return Response(RoundList({"items": _told(rows), "total": total, **query}).data)


def _told(found: list[Round]) -> list[dict[str, Any]]:
    """Each round with its counts, as `RoundOutput` shows it."""
    plain = ("id", "trigger", "status", "prompt_pack", "interval_minutes", "planned")
    names = (*plain, "overlapping", "self_offline", "skipped_slots")
    times = ("due_at", "created_at", "started_at", "finished_at")
    counts = ("done", "up", "degraded", "down", "missed", "progress")
    return [
        {name: getattr(round, name) for name in (*names, *times)}
        | {name: getattr(progress, name) for name in counts}
        for round, progress in zip(found, progress_of(found), strict=True)
    ]
