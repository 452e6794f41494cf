"""Query parameters are read by serializers, so that a bad one is a 400 with a sentence."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request

MAX_OFFSET = 2**31 - 1


def limit_field(default: int, largest: int) -> serializers.IntegerField:
    return serializers.IntegerField(default=default, min_value=1, max_value=largest)


def offset_field() -> serializers.IntegerField:
    return serializers.IntegerField(default=0, min_value=0, max_value=MAX_OFFSET)


def read(query: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    reader = query(data=request.query_params.dict())
    reader.is_valid(raise_exception=True)
    found: dict[str, Any] = reader.validated_data
    return found


def take(rows: QuerySet[Any], *, limit: int, offset: int) -> tuple[list[Any], int]:
    """The asked slice and the number of all rows that match."""
    total = rows.count()
    found = list(rows[offset : offset + limit]) if offset < total else []
    return found, total
