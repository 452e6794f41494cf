from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ViewSet

from arguslm.api import queries
from arguslm.api.errors import Conflict
from arguslm.api.exports import csv_lines, download, json_document
from arguslm.api.work import nudge
from monitoring import rounds
from monitoring.budget import BudgetExhausted
from monitoring.config_serializers import ConfigOutput, ConfigPatch
from monitoring.exports import COLUMNS, exported
from monitoring.models import MonitoringConfig, Round, UptimeCheck, UptimeCheckQuerySet
from monitoring.progress import progress_of
from monitoring.serializers import (
    CheckList,
    CheckOutput,
    CheckQuery,
    ExportQuery,
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

    @extend_schema(operation_id="monitoring_run", request=None, responses=RoundStarted)
    def create(self, request: Request) -> Response:
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


class UptimeViewSet(GenericViewSet[UptimeCheck]):
    queryset = UptimeCheck.objects.order_by("-created_at", "-id")
    serializer_class = CheckOutput
    pagination_class = None

    @extend_schema(
        operation_id="monitoring_uptime_list", parameters=[CheckQuery], responses=CheckList
    )
    def list(self, request: Request) -> Response:
        query = queries.read(CheckQuery, request)
        page = {"limit": query["limit"], "offset": query["offset"]}
        rows, total = queries.take(_matching(query).select_related("llm__account"), **page)
        return Response(CheckList({"items": rows, "total": total, **page}).data)

    @extend_schema(
        operation_id="monitoring_uptime_export",
        parameters=[ExportQuery],
        responses={
            (200, "application/json"): OpenApiTypes.OBJECT,
            (200, "text/csv"): OpenApiTypes.STR,
        },
    )
    def export(self, request: Request) -> StreamingHttpResponse:
        query = queries.read(ExportQuery, request)
        rows = exported(_matching(query))
        kind = query["format"]
        lines = csv_lines(COLUMNS, rows) if kind == "csv" else json_document({}, "checks", rows)
        return download(lines, kind=kind, name="uptime_history")


def _matching(query: dict[str, Any]) -> UptimeCheckQuerySet:
    start = query.get("since") or query.get("start_date")
    rows = UptimeCheck.objects.order_by("-created_at", "-id").between(start, query.get("end_date"))
    if "model_id" in query:
        rows = rows.filter(llm=query["model_id"])
    if "status" in query:
        rows = rows.filter(status=query["status"])
    return rows.filter(llm__enabled_for_monitoring=True) if query.get("enabled_only") else rows
