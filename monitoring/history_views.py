"""What the checks have shown: one by one, summed up, over time, as a download."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import Http404, StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ViewSet

from arguslm.api import queries
from arguslm.api.exports import download_blocks
from models_app.models import LLM
from monitoring.counting import EPOCH, FAR, Matching
from monitoring.exports import BLOCKS
from monitoring.history_serializers import (
    ReportedModelList,
    ReportedModelQuery,
    SummaryList,
    SummaryQuery,
    Timeseries,
    TimeseriesQuery,
)
from monitoring.models import MonitoringConfig, ReportedModel, UptimeCheck
from monitoring.serializers import CheckList, CheckOutput, CheckQuery, ExportQuery
from monitoring.summaries import WINDOWS, summaries
from monitoring.timeseries import timeseries

JUST_AFTER = timedelta(microseconds=1)


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
        rows, total = _matching(query).page(**page)
        found = _with_llms(list(rows))
        return Response(CheckList({"items": found, "total": total, **page}).data)

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
        kind = query["format"]
        blocks = BLOCKS[kind](_matching(query).rows())
        return download_blocks(blocks, kind=kind, name="uptime_history")


def _with_llms(checks: list[UptimeCheck]) -> list[UptimeCheck]:
    llms = LLM.objects.select_related("account").in_bulk({check.llm_id for check in checks})
    found = [check for check in checks if check.llm_id in llms]
    for check in found:
        check.llm = llms[check.llm_id]
    return found


def _matching(query: dict[str, Any]) -> Matching:
    start: datetime = query.get("since") or query.get("start_date") or EPOCH
    horizon = MonitoringConfig.horizon() or EPOCH
    end = query.get("end_date") or FAR
    return Matching(
        llm_id=query.get("model_id"),
        status=query.get("status"),
        enabled_only=query.get("enabled_only", False),
        start=max(start, horizon),
        end=end + JUST_AFTER if end < FAR else FAR,
    )


class SummaryViewSet(ViewSet):
    @extend_schema(
        operation_id="monitoring_summary", parameters=[SummaryQuery], responses=SummaryList
    )
    def list(self, request: Request) -> Response:
        query = queries.read(SummaryQuery, request)
        now = timezone.now()
        llms = LLM.objects.select_related("account").order_by("created_at", "id")
        if "model_id" in query:
            llms = llms.filter(pk=query["model_id"])
        if query["enabled_only"]:
            llms = llms.monitored()
        page = {"limit": query["limit"], "offset": query["offset"]}
        rows, total = queries.take(llms, **page)
        config = MonitoringConfig.load()
        body = {
            "items": summaries(rows, now),
            "since": {window.name: window.since(now) for window in WINDOWS},
            "budget_paused": config.budget_paused,
            "total": total,
            **page,
        }
        return Response(SummaryList(body).data)


class TimeseriesViewSet(ViewSet):
    @extend_schema(
        operation_id="monitoring_timeseries", parameters=[TimeseriesQuery], responses=Timeseries
    )
    def list(self, request: Request) -> Response:
        query = queries.read(TimeseriesQuery, request)
        if not LLM.objects.filter(pk=query["model_id"]).exists():
            raise Http404("There is no such model.")
        bucket = query["bucket"]
        start, end = query["since"], query["end"]
        body = {
            "model_id": query["model_id"],
            "bucket": bucket,
            "since": start,
            "end": end,
            "points": timeseries(query["model_id"], bucket, start, end),
        }
        return Response(Timeseries(body).data)


class ReportedModelViewSet(ViewSet):
    @extend_schema(
        operation_id="monitoring_reported_models",
        parameters=[ReportedModelQuery],
        responses=ReportedModelList,
    )
    def list(self, request: Request) -> Response:
        """What providers say they answer with, the latest change first."""
        query = queries.read(ReportedModelQuery, request)
        rows = ReportedModel.objects.select_related("llm").order_by("-current_since", "-id")
        if "model_id" in query:
            rows = rows.filter(llm=query["model_id"])
        page = {"limit": query["limit"], "offset": query["offset"]}
        found, total = queries.take(rows, **page)
        return Response(ReportedModelList({"items": found, "total": total, **page}).data)
