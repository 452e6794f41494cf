from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from arguslm.api import queries
from arguslm.api.errors import Conflict, TooMany
from arguslm.api.serializers import refuse_body
from arguslm.api.work import nudge
from benchmarks import archive, exports, tasks
from benchmarks.inputs import BenchmarkInput
from benchmarks.models import MAX_OPEN_RUNS, BenchmarkRun, RunActive, RunEnded
from benchmarks.serializers import (
    BenchmarkStarted,
    ExportQuery,
    ResultList,
    ResultOutput,
    ResultQuery,
    RunDetail,
    RunHead,
    RunList,
    RunOutput,
    RunQuery,
)


class BenchmarkViewSet(GenericViewSet[BenchmarkRun]):
    queryset = BenchmarkRun.objects.order_by("-created_at", "-id")
    serializer_class = RunOutput
    pagination_class = None

    def get_queryset(self) -> QuerySet[BenchmarkRun]:
        return BenchmarkRun.objects.described().order_by("-created_at", "-id")

    @extend_schema(parameters=[RunQuery], responses=RunList)
    def list(self, request: Request) -> Response:
        asked = queries.read(RunQuery, request)
        page, per_page = asked["page"], asked["per_page"]
        rows = self.get_queryset()
        if "status" in asked:
            rows = rows.filter(status=asked["status"])
        runs, total = queries.take(rows, limit=per_page, offset=(page - 1) * per_page)
        body = {"runs": runs, "total": total, "page": page, "per_page": per_page}
        return Response(RunList(body).data)

    @extend_schema(request=BenchmarkInput, responses={202: BenchmarkStarted})
    def create(self, request: Request) -> Response:
        """Orders a run; it is carried out in the background."""
        reader = BenchmarkInput(data=request.data)
        reader.is_valid(raise_exception=True)
        refuse_too_many()
        run = _ordered(reader.validated_data)
        nudge(tasks.execute, str(run.pk))
        return started(run)

    @extend_schema(responses=RunDetail)
    def retrieve(self, request: Request, pk: UUID) -> HttpResponse:
        run: Any = self.get_object()
        head = JSONRenderer().render(RunHead(run).data)
        made = archive.encoded(run, run.result_count)
        parts = (head[:-1], b',"results":', made.results, b',"statistics":', made.statistics, b"}")
        return HttpResponse(b"".join(parts), content_type="application/json")

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: UUID) -> Response:
        try:
            self.get_object().discard()
        except RunActive as exc:
            raise Conflict("The run is running: cancel it first.") from exc
        return Response(status=204)

    @extend_schema(parameters=[ResultQuery], responses=ResultList)
    @action(detail=True)
    def results(self, request: Request, pk: UUID) -> HttpResponse:
        asked = queries.read(ResultQuery, request)
        run: Any = self.get_object()
        count: int = run.result_count
        if asked["limit"] >= count and not asked["offset"] and "model_id" not in asked:
            made = archive.encoded(run, count)
            body = b"".join((b'{"results":', made.results, b',"total":%d}' % count))
            return HttpResponse(body, content_type="application/json")
        rows = run.results.order_by("ordinal")
        if "model_id" in asked:
            rows = rows.filter(llm=asked["model_id"])
        found, total = queries.take(rows, limit=asked["limit"], offset=asked["offset"])
        reader = ResultOutput(found, many=True, context={"names": run.llm_names()})
        return Response({"results": reader.data, "total": total})

    @extend_schema(
        parameters=[ExportQuery],
        responses={
            (200, "application/json"): OpenApiTypes.OBJECT,
            (200, "text/csv"): OpenApiTypes.STR,
        },
    )
    @action(detail=True)
    def export(self, request: Request, pk: UUID) -> StreamingHttpResponse:
        asked = queries.read(ExportQuery, request)
        return exports.export(self.get_object(), asked["format"])

    @extend_schema(request=None, responses=RunOutput)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: UUID) -> Response:
        """Ends an open run within a second; what was measured so far stays."""
        refuse_body(request)
        try:
            self.get_object().cancel()
        except RunEnded as exc:
            raise Conflict("The run has ended already.") from exc
        return Response(RunOutput(self.get_object()).data)


def refuse_too_many() -> None:
    if BenchmarkRun.objects.open().count() >= MAX_OPEN_RUNS:
        raise TooMany(f"{MAX_OPEN_RUNS} runs are open already: wait for one or cancel one.")


def started(run: BenchmarkRun) -> Response:
    body = {"id": run.pk, "status": run.status, "message": f"{run.total} requests are queued."}
    return Response(BenchmarkStarted(body).data, status=202)


def _ordered(asked: dict[str, Any]) -> BenchmarkRun:
    llms = asked.pop("model_ids")
    default = f"Benchmark {timezone.now():%Y-%m-%d %H:%M}"
    return BenchmarkRun.order(llms, **{**asked, "name": asked.get("name") or default})
