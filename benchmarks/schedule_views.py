from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from arguslm.api import queries
from arguslm.api.queries import limit_field, offset_field
from arguslm.api.serializers import refuse_body
from benchmarks.inputs import ScheduleInput
from benchmarks.models import BenchmarkSchedule
from benchmarks.statistics_serializers import SloOutput


class ScheduleOutput(serializers.ModelSerializer[BenchmarkSchedule]):
    model_ids = serializers.ListField(child=serializers.CharField(), source="llm_ids")
    slo = SloOutput()
    cron = serializers.SerializerMethodField()

    class Meta:
        model = BenchmarkSchedule
        fields = [
            "id",
            "name",
            "enabled",
            "cron",
            "every_hours",
            "baseline_runs",
            "alarm_after_runs",
            "baseline_from",
            "next_due_at",
            "last_note",
            "model_ids",
            *BenchmarkSchedule.SETTINGS,
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields

    def get_cron(self, schedule: BenchmarkSchedule) -> str | None:
        return schedule.cron or None


class ScheduleQuery(serializers.Serializer[Any]):
    limit = limit_field(50, 200)
    offset = offset_field()


class ScheduleList(serializers.Serializer[Any]):
    items = ScheduleOutput(many=True)
    total = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()


class ScheduleViewSet(GenericViewSet[BenchmarkSchedule]):
    queryset = BenchmarkSchedule.objects.order_by("-created_at", "-id")
    serializer_class = ScheduleOutput
    pagination_class = None

    def get_queryset(self) -> QuerySet[BenchmarkSchedule]:
        return super().get_queryset().prefetch_related("targets")

    @extend_schema(
        operation_id="benchmark_schedules_list",
        parameters=[ScheduleQuery],
        responses=ScheduleList,
    )
    def list(self, request: Request) -> Response:
        asked = queries.read(ScheduleQuery, request)
        rows, total = queries.take(self.get_queryset(), **asked)
        return Response(ScheduleList({"items": rows, "total": total, **asked}).data)

    @extend_schema(
        operation_id="benchmark_schedules_create",
        request=ScheduleInput,
        responses={201: ScheduleOutput},
    )
    def create(self, request: Request) -> Response:
        reader = ScheduleInput(data=request.data)
        reader.is_valid(raise_exception=True)
        llms, values = reader.fields_of()
        schedule = BenchmarkSchedule.make(llms or [], **values)
        return Response(ScheduleOutput(schedule).data, status=201)

    @extend_schema(operation_id="benchmark_schedules_retrieve", responses=ScheduleOutput)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(ScheduleOutput(self.get_object()).data)

    @extend_schema(
        operation_id="benchmark_schedules_update", request=ScheduleInput, responses=ScheduleOutput
    )
    def partial_update(self, request: Request, pk: UUID) -> Response:
        schedule = self.get_object()
        reader = ScheduleInput(schedule, data=request.data, partial=True)
        reader.is_valid(raise_exception=True)
        llms, values = reader.fields_of()
        schedule.change(llms, **values)
        return Response(ScheduleOutput(self.get_object()).data)

    @extend_schema(operation_id="benchmark_schedules_destroy", responses={204: None})
    def destroy(self, request: Request, pk: UUID) -> Response:
        """The runs it made stay."""
        self.get_object().delete()
        return Response(status=204)

    @extend_schema(
        operation_id="benchmark_schedules_rebase", request=None, responses=ScheduleOutput
    )
    def rebase(self, request: Request, pk: UUID) -> Response:
        """Takes the present level as the usual one: earlier runs are no baseline any more."""
        refuse_body(request)
        schedule = self.get_object()
        schedule.rebase()
        return Response(ScheduleOutput(schedule).data)
