from __future__ import annotations

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from arguslm.api.errors import Conflict
from arguslm.api.parsers import JSONLinesParser, JSONLParser, StrictJSONParser
from models_app.models import OwnPromptPack
from models_app.pack_serializers import (
    NewPackInput,
    PackChanges,
    PackInput,
    PacksImported,
    PromptPackOutput,
    packs_in,
)
from models_app.packs import all_packs, import_packs, pack_of
from models_app.prompts import PROMPT_PACKS
from monitoring.models import MonitoringConfig


class PromptPackViewSet(ViewSet):
    @extend_schema(operation_id="monitoring_prompt_packs", responses=PromptPackOutput(many=True))
    def list(self, request: Request) -> Response:
        return Response(PromptPackOutput(all_packs(), many=True).data)

    @extend_schema(
        operation_id="monitoring_prompt_packs_create",
        request=NewPackInput,
        responses={201: PromptPackOutput},
    )
    def create(self, request: Request) -> Response:
        reader = NewPackInput(data=request.data)
        reader.is_valid(raise_exception=True)
        pack = reader.pack()
        import_packs([pack])
        return Response(PromptPackOutput(pack).data, status=201)

    @extend_schema(operation_id="monitoring_prompt_packs_retrieve", responses=PromptPackOutput)
    def retrieve(self, request: Request, pk: str) -> Response:
        pack = pack_of(pk)
        if pack is None:
            raise Http404
        return Response(PromptPackOutput(pack).data)

    @extend_schema(
        operation_id="monitoring_prompt_packs_update",
        request=PackChanges,
        responses=PromptPackOutput,
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        row = _own(pk)
        reader = PackChanges(data=request.data)
        reader.is_valid(raise_exception=True)
        for name, value in reader.validated_data.items():
            setattr(row, name, value)
        row.save(update_fields=[*reader.validated_data, "updated_at"])
        return Response(PromptPackOutput(row.pack).data)

    @extend_schema(operation_id="monitoring_prompt_packs_destroy", responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        row = _own(pk)
        if MonitoringConfig.load().prompt_pack == row.pk:
            raise Conflict("The monitoring asks with this pack: choose another one there first.")
        row.delete()
        return Response(status=204)


class PackImport(ViewSet):
    parser_classes: tuple[type[BaseParser], ...] = (
        JSONLinesParser,
        JSONLParser,
        StrictJSONParser,
    )

    @extend_schema(
        operation_id="monitoring_prompt_packs_import",
        request={
            "application/x-ndjson": PackInput,
            "application/jsonl": PackInput,
            "application/json": PackInput(many=True),
        },
        responses={200: PacksImported},
    )
    def create(self, request: Request) -> Response:
        """Makes the packs, or replaces own ones of the same id: all of them or none."""
        created, updated = import_packs(packs_in(request.data))
        return Response(PacksImported({"created": created, "updated": updated}).data)


def _own(pk: str) -> OwnPromptPack:
    if pk in PROMPT_PACKS:
        raise Conflict("A built-in pack stays as it is: make one of your own.")
    row = OwnPromptPack.objects.filter(pk=pk).first()
    if row is None:
        raise Http404
    return row
