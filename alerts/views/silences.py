from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from alerts.models import Silence
from alerts.serializers.alerts import PageQuery
from alerts.serializers.silences import SilenceInput, SilenceList, SilenceOutput
from alerts.views.channels import page


class SilenceViewSet(GenericViewSet[Silence]):
    queryset = Silence.objects.order_by("-created_at", "-id")
    serializer_class = SilenceOutput
    pagination_class = None

    @extend_schema(parameters=[PageQuery], responses=SilenceList)
    def list(self, request: Request) -> Response:
        return Response(SilenceList(page(request, PageQuery, self.get_queryset())).data)

    @extend_schema(request=SilenceInput, responses={201: SilenceOutput})
    def create(self, request: Request) -> Response:
        reader = SilenceInput(data=request.data)
        reader.is_valid(raise_exception=True)
        return Response(SilenceOutput(reader.save()).data, status=201)

    @extend_schema(responses=SilenceOutput)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(SilenceOutput(self.get_object()).data)

    @extend_schema(request=SilenceInput, responses=SilenceOutput)
    def partial_update(self, request: Request, pk: UUID) -> Response:
        writer = SilenceInput(self.get_object(), data=request.data, partial=True)
        writer.is_valid(raise_exception=True)
        return Response(SilenceOutput(writer.save()).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: UUID) -> Response:
        self.get_object().delete()
        return Response(status=204)
