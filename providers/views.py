from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from arguslm.api import queries
from providers.catalog import CATALOG
from providers.models import ProviderAccount
from providers.serializers import (
    Catalog,
    ProviderInput,
    ProviderList,
    ProviderOutput,
    ProviderPatch,
    ProviderQuery,
)
from providers.signals import account_created


class ProviderViewSet(GenericViewSet[ProviderAccount]):
    queryset = ProviderAccount.objects.order_by("created_at", "id")
    serializer_class = ProviderOutput
    pagination_class = None

    @extend_schema(parameters=[ProviderQuery], responses=ProviderList)
    def list(self, request: Request) -> Response:
        rows, total = queries.take(self.get_queryset(), **queries.read(ProviderQuery, request))
        return Response(ProviderList({"providers": rows, "total": total}).data)

    @extend_schema(request=ProviderInput, responses={201: ProviderOutput})
    def create(self, request: Request) -> Response:
        reader = ProviderInput(data=request.data)
        reader.is_valid(raise_exception=True)
        with transaction.atomic():
            account = reader.save()
            tell = partial(account_created.send_robust, ProviderAccount, account_id=account.pk)
            transaction.on_commit(tell)
        return Response(ProviderOutput(account).data, status=201)

    @extend_schema(responses=ProviderOutput)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(ProviderOutput(self.get_object()).data)

    @extend_schema(request=ProviderPatch, responses=ProviderOutput)
    def partial_update(self, request: Request, pk: UUID) -> Response:
        given = request.data
        # Held: credentials are merged with the stored ones, and a deleted account stays deleted.
        with transaction.atomic():
            account = get_object_or_404(self.get_queryset().select_for_update(), pk=pk)
            writer = ProviderPatch(account, data=given, partial=True)
            writer.is_valid(raise_exception=True)
            writer.save()
        return Response(ProviderOutput(account).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: UUID) -> Response:
        self.get_object().delete()
        return Response(status=204)

    @extend_schema(responses=Catalog)
    @action(detail=False)
    def catalog(self, request: Request) -> Response:
        tested = sum(spec.tested for spec in CATALOG.values())
        body: dict[str, Any] = {
            "providers": CATALOG,
            "total": len(CATALOG),
            "tested_count": tested,
        }
        return Response(Catalog(body).data)
