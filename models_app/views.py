from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from arguslm.api import queries
from arguslm.api.errors import Conflict
from arguslm.api.serializers import refuse_body
from models_app.connection import Verdict, test_connection, verdict_on
from models_app.discovery import refresh
from models_app.models import LLM, LLMQuerySet
from models_app.serializers import (
    ConnectionTest,
    ConnectionVerdict,
    ModelInput,
    ModelList,
    ModelOutput,
    ModelPatch,
    ModelQuery,
    RefreshVerdict,
    StoredConnectionTest,
)
from providers.endpoints import resolve
from providers.models import ProviderAccount


class ModelViewSet(GenericViewSet[LLM]):
    queryset = LLM.objects.select_related("account").order_by("created_at", "id")
    serializer_class = ModelOutput
    pagination_class = None

    @extend_schema(parameters=[ModelQuery], responses=ModelList)
    def list(self, request: Request) -> Response:
        query = queries.read(ModelQuery, request)
        limit, offset = query["limit"], query["offset"]
        rows, total = queries.take(matching(query), limit=limit, offset=offset)
        body = {
            "items": rows,
            "total": total,
            "has_more": offset + len(rows) < total,
            "limit": limit,
            "offset": offset,
        }
        return Response(ModelList(body).data)

    @extend_schema(request=ModelInput, responses={201: ModelOutput})
    def create(self, request: Request) -> Response:
        reader = ModelInput(data=request.data)
        reader.is_valid(raise_exception=True)
        try:
            with transaction.atomic():
                llm = reader.save()
        except IntegrityError as exc:
            raise Conflict("This provider account has a model of that name already.") from exc
        return Response(ModelOutput(llm).data, status=201)

    @extend_schema(responses=ModelOutput)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(ModelOutput(self.get_object()).data)

    @extend_schema(request=ModelPatch, responses=ModelOutput)
    def partial_update(self, request: Request, pk: UUID) -> Response:
        given = request.data
        # Held: its account, and it with it, may be deleted at this very moment.
        with transaction.atomic():
            llm = get_object_or_404(self.get_queryset().select_for_update(of=("self",)), pk=pk)
            writer = ModelPatch(llm, data=given, partial=True)
            writer.is_valid(raise_exception=True)
            writer.save()
        return Response(ModelOutput(llm).data)


def matching(query: dict[str, Any]) -> LLMQuerySet:
    rows: LLMQuerySet = LLM.objects.select_related("account").order_by("created_at", "id")
    for name in ("provider_id", "provider_account_id"):
        if query.get(name) is not None:
            rows = rows.filter(account_id=query[name])
    for name in ("enabled_for_monitoring", "enabled_for_benchmark"):
        if query[name] is not None:
            rows = rows.filter(**{name: query[name]})
    return rows.matching(query["search"]) if query.get("search") else rows


class AccountActions(GenericViewSet[ProviderAccount]):
    """What can be done with a provider account once its models and the probe are known."""

    queryset = ProviderAccount.objects.all()
    serializer_class = ConnectionVerdict
    pagination_class = None

    @extend_schema(request=ConnectionTest, responses=ConnectionVerdict)
    @action(detail=False, methods=["post"])
    def test_new(self, request: Request) -> Response:
        reader = ConnectionTest(data=request.data)
        reader.is_valid(raise_exception=True)
        given = reader.validated_data
        endpoint = resolve(given["provider_type"], given["credentials"])
        models = [given["model"]] if "model" in given else []
        return _verdict(test_connection(endpoint, models))

    @extend_schema(request=StoredConnectionTest, responses=ConnectionVerdict)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: UUID) -> Response:
        account = self.get_object()
        reader = StoredConnectionTest(data=request.data)
        reader.is_valid(raise_exception=True)
        return _verdict(verdict_on(account, reader.validated_data.get("model")))

    @extend_schema(request=None, responses=RefreshVerdict)
    @action(detail=True, methods=["post"])
    def refresh_models(self, request: Request, pk: UUID) -> Response:
        refuse_body(request)
        return Response(RefreshVerdict(refresh(self.get_object())).data)


def _verdict(verdict: Verdict) -> Response:
    return Response(ConnectionVerdict(verdict).data)
