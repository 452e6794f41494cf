from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from arguslm.api import queries
from arguslm.api.serializers import refuse_body
from arguslm.api.work import nudge
from benchmarks import manifests, sizing, tasks
from benchmarks.analysis_serializers import (
    ComparisonOutput,
    ComparisonQuery,
    RunsNeeded,
    SizingQuery,
)
from benchmarks.comparisons import across, comparison_document, inside
from benchmarks.inputs import SettingsInput
from benchmarks.models import BenchmarkRun
from benchmarks.reports import report_of
from benchmarks.serializers import BenchmarkStarted
from benchmarks.views import refuse_too_many, started
from models_app.models import LLM


class AnalysisViewSet(GenericViewSet[BenchmarkRun]):
    """What follows from a run: verdicts, a report, a manifest and the run once more."""

    queryset = BenchmarkRun.objects.order_by("-created_at", "-id")
    serializer_class = ComparisonOutput
    pagination_class = None

    def get_queryset(self) -> QuerySet[BenchmarkRun]:
        return BenchmarkRun.objects.prefetch_related("targets")

    @extend_schema(
        operation_id="benchmarks_comparison",
        parameters=[ComparisonQuery],
        responses=ComparisonOutput,
    )
    def comparison(self, request: Request, pk: UUID) -> Response:
        """The models of a run against each other, or each against itself in earlier runs."""
        run = self.get_object()
        reader = ComparisonQuery(data=request.query_params.dict(), context={"run": run})
        reader.is_valid(raise_exception=True)
        asked: dict[str, Any] = reader.validated_data
        earlier: list[BenchmarkRun] = asked["baseline"]
        questions = across(run, earlier) if earlier else inside(run, asked.get("reference"))
        body = comparison_document(run, questions, baseline=[str(r.pk) for r in earlier])
        return Response(ComparisonOutput(body).data)

    @extend_schema(
        operation_id="benchmarks_report",
        responses={(200, "text/html"): OpenApiTypes.STR},
    )
    def report(self, request: Request, pk: UUID) -> HttpResponse:
        return HttpResponse(report_of(self.get_object()), content_type="text/html; charset=utf-8")

    @extend_schema(operation_id="benchmarks_manifest", responses=OpenApiTypes.OBJECT)
    def manifest(self, request: Request, pk: UUID) -> Response:
        """Its member `request` is a body for POST /benchmarks."""
        return Response(manifests.manifest_of(self.get_object()))

    @extend_schema(operation_id="benchmarks_rerun", request=None, responses={202: BenchmarkStarted})
    def rerun(self, request: Request, pk: UUID) -> Response:
        """Orders the same run again: same models, order, settings and prompt."""
        refuse_body(request)
        run = self.get_object()
        refuse_too_many()
        llms = SettingsInput().validate_model_ids(run.llm_ids)
        again = manifests.again(run, llms)
        nudge(tasks.execute, str(again.pk))
        return started(again)

    @extend_schema(
        operation_id="benchmarks_runs_needed", parameters=[SizingQuery], responses=RunsNeeded
    )
    def runs_needed(self, request: Request) -> Response:
        """How many runs a comparison needs, from how much the stored values vary."""
        asked = queries.read(SizingQuery, request)
        llm: LLM = asked.pop("model_id")
        return Response(RunsNeeded(sizing.answer(sizing.Wish(llm, **asked))).data)
